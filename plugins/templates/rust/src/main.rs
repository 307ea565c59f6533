//! Votes idle while the processor is below a threshold.

use snooze_plugin::{Config, Info, Metrics, Opinion, Plugin, Result, serde_json::Value};

/// In percent, where nothing is configured.
const DEFAULT_THRESHOLD: f64 = 10.0;

struct Monitor {
    threshold: f64,
}

impl Plugin for Monitor {
    fn info(&self) -> Info {
        Info::new("{{name}}", "0.1.0")
    }

    /// Takes what the schema in plugin.json has let through.
    fn configure(&mut self, config: Config) -> Result<()> {
        let given = config.get("threshold").and_then(Value::as_f64);
        self.threshold = given.unwrap_or(DEFAULT_THRESHOLD);
        Ok(())
    }

    /// Whoever does not know returns an error: that is an unknown vote, and unknown is never idle.
    fn check_idle(&mut self, metrics: &Metrics) -> Result<Opinion> {
        let cpu = metrics.cpu_usage.ok_or("cpu_usage is unknown")?;
        let reason = format!("cpu at {cpu:.1} %");
        let opinion = if cpu < self.threshold {
            Opinion::idle(reason)
        } else {
            Opinion::busy(reason)
        };
        Ok(opinion.with("cpu_usage", cpu))
    }
}

snooze_plugin::main!(Monitor {
    threshold: DEFAULT_THRESHOLD
});

#[cfg(test)]
mod tests {
    use super::*;

    fn said(cpu_usage: Option<f64>) -> Result<Opinion> {
        let mut monitor = Monitor { threshold: 20.0 };
        monitor.check_idle(&Metrics {
            cpu_usage,
            ..Metrics::default()
        })
    }

    #[test]
    fn below_the_threshold_is_idle_and_at_it_is_busy() {
        let expected = Opinion::idle("cpu at 19.9 %").with("cpu_usage", 19.9);
        assert_eq!(said(Some(19.9)).expect("it is known"), expected);
        let expected = Opinion::busy("cpu at 20.0 %").with("cpu_usage", 20.0);
        assert_eq!(said(Some(20.0)).expect("it is known"), expected);
    }

    #[test]
    fn what_is_unknown_is_not_idle() {
        assert!(said(None).is_err());
    }
}
