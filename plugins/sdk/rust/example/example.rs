//! The plugin itself, whatever runs it.

use snooze_plugin::{Config, Event, Info, Metrics, Opinion, Outcome, Plugin, Result, serde_json::Value};

/// In percent, where nothing is configured.
const DEFAULT_THRESHOLD: f64 = 10.0;

pub(crate) struct Example {
    threshold: f64,
}

impl Default for Example {
    fn default() -> Self {
        Example {
            threshold: DEFAULT_THRESHOLD,
        }
    }
}

impl Plugin for Example {
    fn info(&self) -> Info {
        Info {
            display_name: "Example in Rust".to_owned(),
            author: "CloudSnooze".to_owned(),
            description: "Votes idle while the processor is below a threshold".to_owned(),
            ..Info::new("example-rust", "1.0.0")
        }
    }

    fn configure(&mut self, config: Config) -> Result<()> {
        let threshold = match config.get("threshold") {
            None => DEFAULT_THRESHOLD,
            Some(given) => given
                .as_f64()
                .filter(|threshold| *threshold > 0.0)
                .ok_or_else(|| format!("threshold is a number above 0, not {given}"))?,
        };
        self.threshold = threshold;
        Ok(())
    }

    fn check_idle(&mut self, metrics: &Metrics) -> Result<Opinion> {
        let cpu = metrics.cpu_usage.ok_or("cpu_usage is unknown")?;
        let threshold = self.threshold;
        let opinion = if cpu < threshold {
            Opinion::idle(format!("cpu at {cpu} %, below {threshold} %"))
        } else {
            Opinion::busy(format!("cpu at {cpu} %"))
        };
        Ok(opinion.with("cpu_usage", cpu))
    }

    fn supported_events(&mut self) -> Result<Vec<String>> {
        Ok(vec!["custom".to_owned()])
    }

    fn handle_event(&mut self, event: &Event) -> Result<Outcome> {
        if !event.is_a("custom") {
            return Ok(Outcome::not_handled());
        }
        // What a plugin prints must not get between its answers.
        println!("noise");
        let seen = format!("seen {}", event.id);
        let outcome = match event.data.get("fail") {
            Some(Value::Bool(true)) => Outcome::failed(seen),
            _ => Outcome::handled(seen),
        };
        Ok(outcome.with_details(event.data.clone()))
    }
}
