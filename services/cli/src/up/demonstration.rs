//! The embedded default: a policy that shows a whole stop within a minute, on a desk in use. Pure.
//!
//! It stops nothing: its cloud is the simulated one. Only the CPU votes, against a threshold that is taken
//! from this machine's own first seconds, so that a browser and somebody typing do not keep it up; and the
//! GPUs where there are any, since one that computes leaves the CPU idle.

use crate::view::model::Preface;
use serde_json::{Map, Value, json};
use snooze_schemas::{PluginName, VoterName, policy::ConfigLayer};

/// How many samples the threshold is taken from, one a second.
pub const SAMPLES: usize = 5;
/// How far above the mean the threshold is: more than a desk in use wavers, less than one busy core of two.
const ABOVE_MEAN: f64 = 20.0;
/// A threshold above this would hardly ever be reached, so that load would not show.
const HIGHEST: f64 = 90.0;
/// Seconds of idleness before a stop.
const NAPTIME_SECONDS: f64 = 15.0;
/// Seconds of notice.
const NOTICE_SECONDS: f64 = 5.0;
/// How long the instance stays stopped before it is started again, so that the cycle is seen again.
pub const STOPPED_SECONDS: u64 = 20;

/// The threshold, and whether the machine is too loaded for it to be of use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Percent of all cores; idle is below it.
    pub cpu_percent: f64,
    /// The mean that it rests on.
    pub mean_percent: f64,
}

impl Threshold {
    /// From the CPU readings of the first seconds; the cap alone where there are none.
    #[must_use]
    pub fn from_readings(cpu_percent: &[f64]) -> Threshold {
        let count = u32::try_from(cpu_percent.len()).unwrap_or(u32::MAX).max(1);
        let mean = cpu_percent.iter().sum::<f64>() / f64::from(count);
        // One decimal: what is printed is what holds.
        let threshold = ((mean + ABOVE_MEAN) * 10.0).round() / 10.0;
        Threshold {
            cpu_percent: threshold.min(HIGHEST),
            mean_percent: mean,
        }
    }

    /// Whether the cap had to be taken: then busy and idle are hard to tell apart.
    #[must_use]
    pub fn is_capped(&self) -> bool {
        self.mean_percent + ABOVE_MEAN > HIGHEST
    }
}

/// The policy while the threshold is being measured: everything as later, but nothing is stopped.
#[must_use]
pub fn measuring(plugins: &[PluginName]) -> ConfigLayer {
    let mut layer = layer(plugins);
    layer.policy.insert("mode".to_owned(), json!("observe"));
    layer
}

/// The policy with the threshold.
#[must_use]
pub fn acting(plugins: &[PluginName], threshold: Threshold) -> ConfigLayer {
    let mut layer = layer(plugins);
    layer.policy.insert("mode".to_owned(), json!("act"));
    layer
        .policy
        .insert("cpu_threshold_percent".to_owned(), json!(threshold.cpu_percent));
    layer
}

/// The built-in voters that keep their vote.
const VOTING: [&str; 2] = ["cpu", "gpu"];

fn layer(plugins: &[PluginName]) -> ConfigLayer {
    let built_in = VoterName::BUILT_IN
        .into_iter()
        .filter(|voter| !VOTING.contains(voter));
    let advisory: Map<String, Value> = built_in
        .chain(plugins.iter().map(PluginName::as_str))
        .map(|voter| (voter.to_owned(), json!({"role": "advisory"})))
        .collect();
    let policy = json!({
        "combine": "all",
        "voters": advisory,
        "check_interval_seconds": 1.0,
        "naptime_minutes": NAPTIME_SECONDS / 60.0,
        "notice_seconds": NOTICE_SECONDS,
        "settle_seconds": 1.0,
        "verify_window_seconds": 2.0,
        "plugin_timeout_seconds": 2.0,
        "heartbeat_seconds": 2.0,
        "boot_grace_minutes": 0.0,
        "cooldown_minutes": 0.0,
        "self_stop": true,
    });
    let Value::Object(policy) = policy else {
        unreachable!("written as an object above")
    };
    ConfigLayer {
        policy,
        ..ConfigLayer::default()
    }
}

/// What stands above the view while the threshold is being measured.
#[must_use]
pub fn preface_measuring() -> Preface {
    Preface {
        essential: vec![
            WHAT_IT_IS.to_owned(),
            format!("policy   none acts yet: the CPU is measured for {SAMPLES} s to find its threshold"),
        ],
        details: Vec::new(),
    }
}

/// What stands above the view. The essential part is for a terminal of 24 rows and 80 columns.
#[must_use]
pub fn preface(threshold: Threshold) -> Preface {
    let (highest, mean) = (threshold.cpu_percent, threshold.mean_percent);
    let mut essential = vec![
        WHAT_IT_IS.to_owned(),
        format!(
            "policy   CPU and GPUs vote: idle below {highest:.1} % for {NAPTIME_SECONDS:.0} s, {NOTICE_SECONDS:.0} s notice, then stop"
        ),
    ];
    if threshold.is_capped() {
        essential.push(format!(
            "policy   this machine is already loaded: the threshold is capped at {HIGHEST:.0} %, and more load may not show as busy"
        ));
    }
    // Last, for what it does is the first of the details.
    essential.push(format!("try      {}", load_line()));
    let details = vec![
        "         loads every core for 20 s: the CPU's vote turns busy, and a stop on its way is given up"
            .to_owned(),
        format!(
            "policy   threshold: the mean of the first {SAMPLES} s, {mean:.1} %, plus {ABOVE_MEAN:.0} points; the GPU's is 5 %, where there is one; the other voters are advisory"
        ),
        format!(
            "policy   check interval 1 s, naptime {NAPTIME_SECONDS:.0} s, notice {NOTICE_SECONDS:.0} s, heartbeat 2 s, no boot grace, no cool-down, mode act, self_stop"
        ),
    ];
    Preface { essential, details }
}

const WHAT_IT_IS: &str = "A demonstration: the cloud is simulated, nothing is stopped. Ctrl-C ends it.";

/// A line for a shell that loads every core for a while. It ends by itself.
#[must_use]
pub fn load_line() -> &'static str {
    "seq $(nproc) | xargs -P0 -I_ timeout 20 md5sum /dev/zero"
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::{
        policy::{Mode, Policy},
        verdict::Role,
    };

    #[test]
    fn the_threshold_is_twenty_points_above_the_mean() {
        let threshold = Threshold::from_readings(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((threshold.cpu_percent, threshold.mean_percent), (23.0, 3.0));
        assert!(!threshold.is_capped());
    }

    #[test]
    fn a_loaded_machine_is_told_that_it_is() {
        let threshold = Threshold::from_readings(&[95.0, 99.0]);
        assert_eq!(threshold.cpu_percent, 90.0);
        assert!(threshold.is_capped());
        let preface = preface(threshold);
        let lines: Vec<&String> = preface.lines().collect();
        assert!(lines.iter().any(|line| line.contains("already loaded")));
        let load = lines.iter().position(|line| line.starts_with("try "));
        let what_it_does = lines[load.expect("something to try") + 1];
        assert!(what_it_does.contains("loads every core"), "{what_it_does}");
    }

    #[test]
    fn what_is_essential_fits_a_terminal_of_80_columns() {
        let prefaces = [preface_measuring(), preface(Threshold::from_readings(&[79.9]))];
        for line in prefaces.iter().flat_map(|preface| &preface.essential) {
            if !line.contains("capped") {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }

    #[test]
    fn without_a_reading_the_threshold_is_a_number_all_the_same() {
        assert_eq!(Threshold::from_readings(&[]).cpu_percent, 20.0);
    }

    #[test]
    fn s1_nothing_is_stopped_while_the_threshold_is_being_measured() {
        let policy = Policy::from_layers([&measuring(&[])]).expect("fits");
        assert_eq!(policy.mode, Mode::Observe);
    }

    #[test]
    fn only_cpu_and_gpu_vote_and_plugins_advise() {
        let plugin: PluginName = "redis-idle".parse().expect("a name");
        let layer = acting(std::slice::from_ref(&plugin), Threshold::from_readings(&[10.0]));
        let policy = Policy::from_layers([&layer]).expect("fits");
        assert_eq!(
            (policy.mode, policy.self_stop, policy.cpu_threshold_percent),
            (Mode::Act, true, 30.0)
        );
        assert_eq!(policy.naptime_minutes * 60.0, 15.0);
        for voter in VoterName::BUILT_IN {
            let votes = policy.role_of(&voter.parse().expect("a voter")) == Role::Required;
            assert_eq!(votes, matches!(voter, "cpu" | "gpu"), "{voter}");
        }
        assert_eq!(policy.role_of(&plugin.into()), Role::Advisory);
    }
}
