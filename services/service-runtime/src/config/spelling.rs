//! From the spellings in circulation to the one canonical name, and the likely one for what is unknown.
//!
//! It knows nothing of values.

use super::keys::{KEYS, is_section};

/// Below this likeness a suggestion confuses more than it helps; tried on the misspellings in the tests.
const LIKELY: f64 = 0.75;

/// A name without case and separators: `CPUThresholdPercent`, `cpu-threshold-percent` and
/// `CPU_THRESHOLD_PERCENT` are one.
pub(super) fn squash(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The canonical path of a name that was written below a section (empty: at the top), if it is known.
pub(super) fn canonical(section: &str, written: &str) -> Option<String> {
    let wanted = squash(written);
    let below = |path: &'static str| -> Option<&'static str> {
        if section.is_empty() {
            Some(path)
        } else {
            path.strip_prefix(section)?.strip_prefix('.')
        }
    };
    let name = KEYS.iter().find_map(|key| {
        let rest = below(key.path)?;
        let name = rest.split('.').next()?;
        let is_leaf = name == rest;
        (squash(name) == wanted || is_leaf && key.also.iter().any(|also| squash(also) == wanted))
            .then_some(name)
    })?;
    Some(join(section, name))
}

/// A path with one more level.
pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() {
        name.to_owned()
    } else {
        format!("{section}.{name}")
    }
}

/// Whether the original read this spelling as that key: it cared for everything but case.
pub(super) fn original_read_it(written: &str, canonical_path: &str) -> bool {
    let last = canonical_path.rsplit('.').next().unwrap_or(canonical_path);
    written.eq_ignore_ascii_case(last)
}

/// What was probably meant by an unknown path: a key, or a section of keys.
pub(super) fn likely(written: &str) -> Option<&'static str> {
    let wanted = squash(written);
    let last = squash(written.rsplit('.').next().unwrap_or(written));
    KEYS.iter()
        .flat_map(|key| {
            let name = key.path.rsplit('.').next().unwrap_or(key.path);
            let names = std::iter::once(name).chain(key.also.iter().copied());
            let sections = key.path.split_once('.').map(|(section, _)| (section, section));
            names
                .map(|name| (key.path, name))
                .chain(std::iter::once((key.path, key.path)))
                .chain(sections)
        })
        .map(|(path, name)| {
            let name = squash(name);
            let alike = |text: &str| strsim::normalized_damerau_levenshtein(text, &name);
            (path, alike(&wanted).max(alike(&last)))
        })
        .filter(|(_, likeness)| *likeness >= LIKELY)
        // Of equals the first in the table wins, which lists what people set most first.
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(path, _)| path)
}

/// Whether this canonical path holds further keys.
pub(super) fn holds_keys(path: &str) -> bool {
    is_section(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_in_circulation_has_its_canonical_name() {
        for (written, name) in [
            ("CPUThresholdPercent", "cpu_threshold_percent"),
            ("MemoryThresholdPercent", "memory_threshold_percent"),
            ("NetworkThresholdKBps", "network_threshold_kbps"),
            ("DiskIOThresholdKBps", "disk_io_threshold_kbps"),
            ("GPUThresholdPercent", "gpu_threshold_percent"),
            ("InputIdleThresholdSecs", "input_idle_threshold_secs"),
            ("NaptimeMinutes", "naptime_minutes"),
            ("CheckIntervalSeconds", "check_interval_seconds"),
            ("EnableInstanceTags", "enable_instance_tags"),
            ("DetailedInstanceTags", "detailed_instance_tags"),
            ("TaggingPrefix", "tagging_prefix"),
            ("GPUMonitoringEnabled", "gpu_monitoring_enabled"),
            ("AWSRegion", "aws_region"),
            ("Logging", "logging"),
            ("cpu-threshold", "cpu_threshold_percent"),
            ("memory-threshold", "memory_threshold_percent"),
            ("naptime", "naptime_minutes"),
            ("NAPTIME_MINUTES", "naptime_minutes"),
        ] {
            assert_eq!(canonical("", written).as_deref(), Some(name), "{written}");
        }
        assert_eq!(
            canonical("logging", "EnableCloudWatch").as_deref(),
            Some("logging.enable_cloudwatch")
        );
        assert_eq!(
            canonical("logging", "CloudWatchLogGroup").as_deref(),
            Some("logging.cloudwatch_log_group")
        );
        assert_eq!(canonical("", "log_level"), None, "it belongs into a section");
    }

    #[test]
    fn an_unknown_key_gets_the_likely_one() {
        for (written, meant) in [
            ("naptime_minute", "naptime_minutes"),
            ("nap_time", "naptime_minutes"),
            ("cpu_treshold_percent", "cpu_threshold_percent"),
            ("log_level", "logging.log_level"),
            ("logging.loglevl", "logging.log_level"),
            ("plugin_configs", "plugins.plugin_configs"),
            ("plugin", "plugins"),
            ("disk_threshold_kbps", "disk_io_threshold_kbps"),
        ] {
            assert_eq!(likely(written), Some(meant), "{written}");
        }
        assert_eq!(likely("favourite_colour"), None);
    }

    #[test]
    fn the_original_cared_for_everything_but_case() {
        assert!(original_read_it("NAPTIME_MINUTES", "naptime_minutes"));
        assert!(!original_read_it("NaptimeMinutes", "naptime_minutes"));
    }
}
