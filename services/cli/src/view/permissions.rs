//! What a plugin may do, in the words of somebody who has to decide about it. Pure.

use super::text;
use snooze_schemas::plugin::{approval::Approval, permissions::Permissions};

/// One line for each permission, in the order in which they weigh: what reaches others first, limits last.
#[must_use]
pub fn lines(permissions: &Permissions) -> Vec<String> {
    let Permissions {
        tcp,
        listen,
        udp,
        raw,
        unix,
        read,
        write,
        devices,
        run,
        env,
        events,
        memory_mb,
        cpu_percent,
        processes,
        disk_mb,
    } = permissions;
    let mut lines: Vec<String> = Vec::new();
    lines.extend(tcp.iter().map(|endpoint| match &endpoint.host {
        None => format!("connect over TCP to port {} of any host", endpoint.port),
        // The kernel knows ports alone.
        Some(host) => format!(
            "connect over TCP to port {}, meant for {} (of any host: only the port is enforced)",
            endpoint.port, host
        ),
    }));
    lines.extend(listen.iter().map(|port| format!("listen on the TCP port {port}")));
    lines.extend(udp.then(|| "send and receive over UDP, anywhere; looking up names takes it".to_owned()));
    lines.extend(raw.then(|| "open raw and packet sockets".to_owned()));
    lines.extend(unix.iter().map(|path| {
        let path = path.display();
        format!("connect to the Unix socket {path} (to any: which one is not enforced)")
    }));
    lines.extend(
        devices
            .iter()
            .map(|path| format!("read, write and command the device {}", path.display())),
    );
    lines.extend(run.iter().map(|path| format!("run {}", path.display())));
    lines.extend(
        write
            .iter()
            .map(|path| format!("read and write {}", path.display())),
    );
    lines.extend(read.iter().map(|path| format!("read {}", path.display())));
    lines.extend(
        env.iter()
            .map(|name| format!("see the variable {name} of the runner's environment")),
    );
    lines.extend(
        events
            .iter()
            .map(|event| format!("be given events of the type {event}")),
    );
    lines.extend(memory_mb.map(|mib| format!("hold {mib} MiB of memory at most")));
    lines.extend(cpu_percent.map(|percent| format!("use {percent} % of one processor core at most")));
    lines.extend(processes.map(|number| format!("have {number} processes and threads at most")));
    lines.extend(disk_mb.map(|mib| format!("keep {mib} MiB in its working folder at most")));
    lines.iter().map(|line| text::printable(line)).collect()
}

/// What it is to be native, in as many words.
pub const NATIVE: &str =
    "it is native: it becomes a part of the runner, nothing fences it, and what it breaks is the runner's";

/// Whether an approval was for the other kind of plugin: one that is native, or one that is not.
#[must_use]
pub fn turns(native: bool, standing: Option<&Approval>) -> bool {
    standing.is_some_and(|standing| standing.native != native)
}

/// What kind of plugin it is to be, where that weighs.
#[must_use]
pub fn kind(native: bool, standing: Option<&Approval>) -> Vec<String> {
    let mut lines: Vec<String> = native.then(|| NATIVE.to_owned()).into_iter().collect();
    if let Some(before) = standing.filter(|before| before.native != native) {
        let (was, is) = match native {
            true => ("not native", "native"),
            false => ("native", "a process of its own"),
        };
        lines.push(text::printable(&format!(
            "what {} approved at {:.0} was {was}; this one is {is}",
            before.by, before.at
        )));
    }
    lines
}

/// What a plugin is to be allowed, beside what it asks for and what each host allows it until now.
#[must_use]
pub fn offer(native: bool, asked: &Permissions, grant: &Permissions, held: &[&Permissions]) -> Vec<String> {
    let beyond = |of: &Permissions| -> Vec<String> {
        let all = held.iter().flat_map(|held| lines(&of.beyond(held)));
        match held.is_empty() {
            true => lines(of),
            false => all.collect(),
        }
    };
    let (new, unasked) = (beyond(grant), lines(&grant.beyond(asked)));
    let marked = |line: String| {
        let marks: Vec<&str> = [
            new.contains(&line).then_some("new"),
            unasked.contains(&line).then_some("more than it asks for"),
        ]
        .into_iter()
        .flatten()
        .collect();
        match marks.as_slice() {
            [] => format!("  {line}"),
            marks => format!("  {line}  ({})", marks.join(", ")),
        }
    };
    let granted = lines(grant);
    let mut offered = match (native, granted.is_empty()) {
        (true, true) => vec!["it is to be allowed nothing, and is kept from nothing".to_owned()],
        (true, false) => vec!["it is to be allowed to, and is not kept from anything else".to_owned()],
        (false, true) => vec![
            "it is to be allowed nothing but to compute, and to write into its working folder".to_owned(),
        ],
        (false, false) => vec!["it is to be allowed to".to_owned()],
    };
    offered.extend(granted.into_iter().map(marked));
    let mut add = |title: &str, found: Vec<String>| {
        if !found.is_empty() {
            offered.push(title.to_owned());
            offered.extend(found.into_iter().map(|line| format!("  {line}")));
        }
    };
    add(
        "it asks for this too, and does not get it",
        lines(&asked.beyond(grant)),
    );
    let mut lost: Vec<String> = held.iter().flat_map(|held| lines(&held.beyond(grant))).collect();
    lost.sort();
    lost.dedup();
    add("it was allowed this until now, and no longer is", lost);
    offered
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_permission_has_a_line_of_its_own_that_names_its_value() {
        let all = json!({
            "tcp": [{"port": 6379, "host": "redis"}], "listen": [8080], "udp": true, "raw": true,
            "unix": ["/run/sock"], "read": ["/etc/redis"], "write": ["/var/x"], "devices": ["/dev/d"], "run": ["/usr/bin/psql"],
            "env": ["PGHOST"], "events": ["custom.backup"], "memory_mb": 128, "cpu_percent": 50, "processes": 8, "disk_mb": 300,
        });
        let Value::Object(each) = &all else {
            panic!("it is an object");
        };
        let of = |permissions: Value| lines(&serde_json::from_value(permissions).expect("permissions"));
        assert_eq!(of(all.clone()).len(), each.len());
        for (key, value) in each {
            let line = of(json!({key: value})).join("\n");
            let value = match (value, key.as_str()) {
                (Value::Array(values), "tcp") => values[0]["port"].clone(),
                (Value::Array(values), _) => values[0].clone(),
                (Value::Bool(_), "udp") => json!("UDP"),
                (Value::Bool(_), _) => json!("raw"),
                (value, _) => value.clone(),
            };
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            assert!(
                line.contains(&value) && line.lines().count() == 1,
                "{key}: {line}"
            );
        }
        assert!(of(json!({})).is_empty());
    }

    #[test]
    fn an_offer_tells_what_is_new_what_is_more_than_was_asked_what_is_less_and_what_is_lost() {
        let of =
            |permissions: Value| -> Permissions { serde_json::from_value(permissions).expect("permissions") };
        let asked = of(json!({"read": ["/a", "/b"], "env": ["TZ"]}));
        let grant = of(json!({"read": ["/a", "/b"], "udp": true}));
        let (one, other) = (
            of(json!({"read": ["/a", "/c"]})),
            of(json!({"read": ["/a", "/b"]})),
        );
        assert_eq!(
            offer(false, &asked, &grant, &[&one, &other]),
            [
                "it is to be allowed to",
                "  send and receive over UDP, anywhere; looking up names takes it  (new, more than it asks for)",
                "  read /a",
                "  read /b  (new)",
                "it asks for this too, and does not get it",
                "  see the variable TZ of the runner's environment",
                "it was allowed this until now, and no longer is",
                "  read /c",
            ]
        );
        let nothing = Permissions::default();
        assert_eq!(offer(false, &nothing, &nothing, &[]).len(), 1);
        assert!(
            offer(false, &asked, &asked, &[])
                .iter()
                .skip(1)
                .all(|line| line.ends_with("(new)"))
        );
    }

    #[test]
    fn what_is_native_is_told_whatever_was_approved_and_a_change_of_kind_both_ways() {
        let approved = |native: bool| -> Approval {
            let written =
                json!({"by": "ada", "at": "2026-01-02T03:04:05Z", "entry_sha256": "b", "native": native});
            serde_json::from_value(written).expect("an approval")
        };
        let (native, process) = (approved(true), approved(false));
        let lines = [
            kind(true, None),
            kind(true, Some(&native)),
            kind(true, Some(&process)),
            kind(false, Some(&native)),
        ]
        .concat();
        let told = [
            NATIVE,
            NATIVE,
            NATIVE,
            "what ada approved at 2026-01-02T03:04:05Z was not native; this one is native",
            "what ada approved at 2026-01-02T03:04:05Z was native; this one is a process of its own",
        ];
        assert_eq!(lines, told);
        assert!(kind(false, None).is_empty() && kind(false, Some(&process)).is_empty());
        assert!(turns(true, Some(&process)) && turns(false, Some(&native)));
        assert!(!turns(true, None) && !turns(true, Some(&native)) && !turns(false, Some(&process)));
        let nothing = Permissions::default();
        let offered = offer(true, &nothing, &nothing, &[]).join("|");
        assert!(!offered.contains("nothing but to compute"), "{offered}");
    }

    #[test]
    fn what_a_manifest_asks_for_draws_nothing_on_the_terminal() {
        let asked = serde_json::from_value(json!({"read": ["/a\u{1b}[2J\n/etc"]})).expect("permissions");
        let line = lines(&asked).join("|");
        assert!(!line.contains('\u{1b}') && !line.contains('\n'), "{line:?}");
    }
}
