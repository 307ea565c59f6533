//! Whether the verdicts of this host are kept. They are published without an ack (I3), so that no writer hears what
//! becomes of them: what is heard has to be found.

use super::Counted;
use futures_util::FutureExt;
use snooze_bus::{Bus, BusError, Stream, Subject, SubjectFilter, Subscription};
use snooze_schemas::{HostId, verdict::Verdict};

/// The verdicts that were heard, and the last that is kept.
pub(crate) struct VerdictWatch {
    bus: Bus,
    subject: Subject,
    verdicts: Subscription,
    before: Look,
    last: Look,
    counted: Counted,
}

/// What one look found: whether any was heard since the one before, and the sequence of the last that is kept.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    heard: bool,
    kept: u64,
}

impl VerdictWatch {
    /// Begins to hear a host's verdicts, as an administrator may.
    ///
    /// # Errors
    /// When the server does not take the subscription.
    pub(crate) async fn begin(bus: Bus, host: HostId) -> Result<VerdictWatch, BusError> {
        let subject = Subject::Verdict(host);
        let filter = SubjectFilter::Exactly(subject.clone());
        Ok(VerdictWatch {
            verdicts: bus.subscribe(&filter, None).await?,
            bus,
            subject,
            before: Look::default(),
            last: Look::default(),
            counted: Counted::default(),
        })
    }

    /// Looks whether any is kept of what the last look heard, and counts it as one write: what is heard just now
    /// may be on its way into the stream.
    pub(super) async fn look(&mut self) -> Counted {
        let mut heard = false;
        while let Some(Some(_)) = self.verdicts.next().now_or_never() {
            heard = true;
        }
        let stored = self.bus.last::<Verdict>(Stream::Verdicts, &self.subject).await;
        let kept = match stored {
            Ok(stored) => stored.map(|stored| stored.sequence),
            Err(_) => return self.counted,
        };
        // A stream that refuses may have lost the last one as well.
        let now = Look {
            heard,
            kept: kept.unwrap_or(self.last.kept),
        };
        if self.last.heard {
            let is_kept = now.kept > self.before.kept;
            self.counted.taken += u64::from(is_kept);
            self.counted.not_taken += u64::from(!is_kept);
        }
        self.before = self.last;
        self.last = now;
        self.counted
    }
}
