//! Input: seconds since anybody last touched a terminal or a display.
//!
//! Where nobody did since the boot it is the time since the boot: a host without a keyboard and without
//! a login is idle, not unknown. It is unknown where there is a source that cannot be read.

use super::{desktops, terminals::Terminals, vantage};
use crate::{Root, Unreadable};
use snooze_schemas::sample::Unit;
use snooze_service_runtime::clocks::Look;

/// What was seen of all input so far.
#[derive(Debug)]
pub(crate) struct Input {
    root: Root,
    terminals: Terminals,
    newest: u64,
    buffer: Vec<u8>,
}

impl Input {
    pub(crate) fn new(root: Root) -> Input {
        Input {
            root,
            terminals: Terminals::default(),
            newest: 0,
            buffer: Vec::new(),
        }
    }

    /// Looks at all sources.
    pub(crate) fn look(&mut self, at: Look) -> Result<crate::reading::Value, Unreadable> {
        vantage::check(&self.root, &mut self.buffer)?;
        self.terminals.look(&self.root, at)?;
        self.newest = self.newest.max(self.terminals.newest());
        for desktop in desktops::look(&self.root, at)? {
            self.newest = self.newest.max(desktop.active_at);
        }
        let idle_ms = at.boottime_ms.saturating_sub(self.newest);
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since a boot are far below 2^52"
        )]
        Ok(crate::reading::Value::new(
            idle_ms as f64 / 1_000.0,
            Unit::Seconds,
        ))
    }
}
