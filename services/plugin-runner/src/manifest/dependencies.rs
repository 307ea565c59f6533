//! Which plugins of a host have what they depend on.
//!
//! It looks at names and versions alone. Whether one that is there is also switched on changes while the
//! runner runs, and is seen elsewhere.

use semver::{Version, VersionReq};
use snooze_schemas::PluginName;
use std::collections::{BTreeMap, BTreeSet};

/// One plugin of the host, as far as others depend on it and it on others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Candidate {
    /// Nothing where no manifest says it.
    pub version: Option<Version>,
    /// What it needs.
    pub needs: Vec<(PluginName, VersionReq)>,
}

/// Those that lack something, and what. Who needs one of them lacks it too.
#[must_use]
pub(crate) fn unmet(candidates: &BTreeMap<PluginName, Candidate>) -> BTreeMap<PluginName, String> {
    let mut unmet: BTreeMap<PluginName, String> = candidates
        .keys()
        .filter_map(|name| Some((name.clone(), cycle_of(name, candidates)?)))
        .collect();
    loop {
        let lacking: Vec<(PluginName, String)> = candidates
            .iter()
            .filter(|(name, _)| !unmet.contains_key(name))
            .filter_map(|(name, candidate)| {
                let lack = |(needed, range)| lack(needed, range, candidates, &unmet);
                Some((
                    name.clone(),
                    candidate
                        .needs
                        .iter()
                        .map(|need| (&need.0, &need.1))
                        .find_map(lack)?,
                ))
            })
            .collect();
        if lacking.is_empty() {
            return unmet;
        }
        unmet.extend(lacking);
    }
}

fn lack(
    needed: &PluginName,
    range: &VersionReq,
    candidates: &BTreeMap<PluginName, Candidate>,
    unmet: &BTreeMap<PluginName, String>,
) -> Option<String> {
    let wanted = format!("it depends on {needed} {range}");
    let Some(there) = candidates.get(needed) else {
        return Some(format!("{wanted}, which this host does not have"));
    };
    if unmet.contains_key(needed) {
        return Some(format!("{wanted}, which lacks something itself"));
    }
    match &there.version {
        Some(version) if range.matches(version) => None,
        Some(version) => Some(format!("{wanted}, and this host has {version}")),
        None if *range == VersionReq::STAR => None,
        None => Some(format!("{wanted}, whose version no manifest says")),
    }
}

/// The way from a plugin back to itself, if there is one.
fn cycle_of(name: &PluginName, candidates: &BTreeMap<PluginName, Candidate>) -> Option<String> {
    let needs = |name: &PluginName| candidates.get(name).map_or(&[][..], |candidate| &candidate.needs);
    let mut seen = BTreeSet::new();
    let mut ways: Vec<Vec<&PluginName>> = vec![vec![name]];
    while let Some(way) = ways.pop() {
        for (needed, _) in way.last().map_or(&[][..], |last| needs(last)) {
            if needed == name {
                let way: Vec<&str> = way.iter().chain(&[name]).map(|name| name.as_str()).collect();
                return Some(format!("it depends on itself: {}", way.join(" needs ")));
            }
            if seen.insert(needed) {
                ways.push(way.iter().copied().chain([needed]).collect());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its name, its version, and what it needs in which versions.
    type Plugin<'a> = (&'a str, Option<&'a str>, &'a [(&'a str, &'a str)]);

    fn host(plugins: &[Plugin<'_>]) -> BTreeMap<PluginName, Candidate> {
        let name = |text: &str| text.parse::<PluginName>().expect("a name");
        let candidate = |(own, version, needs): &Plugin<'_>| {
            let needs = needs
                .iter()
                .map(|(needed, range)| (name(needed), range.parse().expect("a range")));
            let candidate = Candidate {
                version: version.map(|version| version.parse().expect("a version")),
                needs: needs.collect(),
            };
            (name(own), candidate)
        };
        plugins.iter().map(candidate).collect()
    }

    fn lacking(plugins: &[Plugin<'_>]) -> Vec<(String, String)> {
        let unmet = unmet(&host(plugins));
        unmet
            .into_iter()
            .map(|(name, why)| (name.to_string(), why))
            .collect()
    }

    #[test]
    fn what_is_there_and_new_enough_is_met() {
        let all = [
            ("a", Some("1.0.0"), &[("b", ">=1.2, <2"), ("c", "*")][..]),
            ("b", Some("1.9.0"), &[]),
            ("c", None, &[]),
        ];
        assert!(lacking(&all).is_empty());
    }

    #[test]
    fn s2_who_lacks_something_and_who_needs_it_are_named_with_the_reason() {
        let all = [
            ("absent", Some("1.0.0"), &[("nobody", "*")][..]),
            ("old", Some("1.0.0"), &[("b", ">=2")]),
            ("unsaid", Some("1.0.0"), &[("bare", "^1")]),
            ("further", Some("1.0.0"), &[("old", "*")]),
            ("b", Some("1.9.0"), &[]),
            ("bare", None, &[]),
        ];
        let told = |name: &str, why: &str| (name.to_owned(), why.to_owned());
        assert_eq!(
            lacking(&all),
            [
                told("absent", "it depends on nobody *, which this host does not have"),
                told("further", "it depends on old *, which lacks something itself"),
                told("old", "it depends on b >=2, and this host has 1.9.0"),
                told("unsaid", "it depends on bare ^1, whose version no manifest says"),
            ]
        );
    }

    #[test]
    fn a_cycle_is_an_error_of_all_in_it() {
        let all = [
            ("a", Some("1.0.0"), &[("b", "*")][..]),
            ("b", Some("1.0.0"), &[("c", "*")]),
            ("c", Some("1.0.0"), &[("a", "*")]),
            ("d", Some("1.0.0"), &[("a", "*")]),
        ];
        let lacking = lacking(&all);
        assert_eq!(lacking[0].1, "it depends on itself: a needs b needs c needs a");
        assert_eq!(lacking.len(), 4);
        assert!(lacking[3].1.contains("lacks something"));
    }
}
