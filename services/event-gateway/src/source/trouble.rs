//! Says that a source cannot be read once, when that begins, and once that it can again.
//!
//! A metadata service is asked every second: one that is away for an hour is two lines and not 3,600.

use super::failing::{Edge, Say};
use snooze_service_runtime::exit::one_line;
use std::error::Error;

/// Whether something about a source is wrong.
#[derive(Debug)]
pub(crate) struct Trouble {
    what: &'static str,
    edge: Edge,
}

impl Trouble {
    /// Nothing is wrong yet with this, which is tried every second.
    pub(crate) const fn with(what: &'static str) -> Trouble {
        Trouble {
            what,
            edge: Edge::patient(),
        }
    }

    /// Nothing is wrong yet with this, which is tried now and then.
    pub(crate) const fn now_and_then_with(what: &'static str) -> Trouble {
        Trouble {
            what,
            edge: Edge::prompt(),
        }
    }

    /// It went wrong. True where it did not before, which is when it is said.
    pub(crate) fn met(&mut self, error: &(dyn Error + 'static)) -> bool {
        let is_news = self.edge.failed() == Say::Failing;
        let (what, error) = (self.what, one_line(error));
        if is_news {
            tracing::warn!(
                what,
                error,
                "a source of events has trouble; it is asked again and again"
            );
        } else {
            tracing::debug!(what, error, "a source of events still has trouble");
        }
        is_news
    }

    /// It went well. True where it did not before, which is when it is said.
    pub(crate) fn over(&mut self) -> bool {
        let is_news = self.edge.answered() == Say::Back;
        if is_news {
            tracing::info!(what = self.what, "a source of events is well again");
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_said_once_and_so_is_its_end() {
        let mut trouble = Trouble::now_and_then_with("a test");
        let error = std::io::Error::other("away");
        assert!(!trouble.over(), "nothing was wrong");
        assert!(trouble.met(&error));
        assert!(!trouble.met(&error) && !trouble.met(&error));
        assert!(trouble.over());
        assert!(!trouble.over());
        assert!(trouble.met(&error), "a second time is news");
    }
}
