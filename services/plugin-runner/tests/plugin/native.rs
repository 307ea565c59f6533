//! A native plugin that does what its configuration says when it is asked: answers, panics, or waits for a file.

use snooze_plugin::{Config, Info, Metrics, Opinion, Plugin, Result};
use std::path::PathBuf;

/// What it does when it is asked.
#[derive(Default)]
struct Tested {
    panic: bool,
    wait_for: Option<PathBuf>,
}

impl Plugin for Tested {
    fn info(&self) -> Info {
        Info::new("tested", "1.0.0")
    }

    fn configure(&mut self, config: Config) -> Result<()> {
        self.panic = config.get("panic").is_some();
        self.wait_for = config
            .get("wait_for")
            .and_then(|path| path.as_str())
            .map(PathBuf::from);
        Ok(())
    }

    fn check_idle(&mut self, _: &Metrics) -> Result<Opinion> {
        assert!(!self.panic, "as it was told");
        while self.wait_for.as_ref().is_some_and(|path| !path.exists()) {
            std::thread::yield_now();
        }
        Ok(Opinion::idle("nobody is here"))
    }
}

snooze_plugin::native!(Tested::default());
