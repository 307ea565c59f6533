//! Readings that were recorded on real machines: `data/*.csv`, which says where they are from.
//!
//! It asks nobody about them.

use snooze_schemas::{Timestamp, metrics::Metrics};

/// The files, and of what they are; each row is five minutes.
const FILES: [(&str, &str, Kind); 3] = [
    ("cpu", include_str!("../data/cpu-percent.csv"), Kind::Cpu),
    (
        "network",
        include_str!("../data/network-in-bytes.csv"),
        Kind::Network,
    ),
    ("disk", include_str!("../data/disk-write-bytes.csv"), Kind::Disk),
];

/// Bytes in five minutes, for each KiB/s.
const BYTES: f64 = 300.0 * 1024.0;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Cpu,
    Network,
    Disk,
}

/// What one machine reported, row by row. What was not recorded is unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What was recorded.
    pub name: &'static str,
    /// The readings, the oldest first.
    pub readings: Vec<Metrics>,
}

/// All of them.
///
/// # Panics
/// When a file of this crate is none.
#[must_use]
pub fn recordings() -> Vec<Recording> {
    FILES
        .into_iter()
        .map(|(name, text, kind)| Recording {
            name,
            readings: text
                .lines()
                .skip(1)
                .map(|row| reading(row, kind).expect("the crate's own files are well formed"))
                .collect(),
        })
        .collect()
}

fn reading(row: &str, kind: Kind) -> Option<Metrics> {
    let (time, value) = row.split_once(',')?;
    let time: Timestamp = format!("{}Z", time.replace(' ', "T")).parse().ok()?;
    let value: f64 = value.parse().ok()?;
    let mut reading = Metrics {
        timestamp: Some(time.as_second()),
        ..Metrics::default()
    };
    match kind {
        Kind::Cpu => reading.cpu_usage = Some(value),
        Kind::Network => reading.network_traffic = Some(value / BYTES),
        Kind::Disk => reading.disk_io = Some(value / BYTES),
    }
    Some(reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_read_in_the_units_of_a_plugin() {
        let recordings = recordings();
        let names: Vec<&str> = recordings.iter().map(|recording| recording.name).collect();
        assert_eq!(names, ["cpu", "network", "disk"]);
        assert!(recordings.iter().all(|recording| recording.readings.len() == 48));
        let first = &recordings[0].readings[0];
        assert_eq!((first.cpu_usage, first.network_traffic), (Some(2.294), None));
        assert_eq!(first.timestamp, Some(1_393_020_120), "2014-02-21 22:02:00 UTC");
        let busiest = |of: fn(&Metrics) -> Option<f64>, at: usize| {
            let readings = recordings[at].readings.iter().filter_map(of);
            readings.fold(0.0, f64::max)
        };
        assert!(busiest(|reading| reading.cpu_usage, 0) > 99.0);
        assert!(
            (26.0..28.0).contains(&busiest(|reading| reading.network_traffic, 1)),
            "KiB/s"
        );
        assert!(
            (2_800.0..2_900.0).contains(&busiest(|reading| reading.disk_io, 2)),
            "KiB/s"
        );
    }
}
