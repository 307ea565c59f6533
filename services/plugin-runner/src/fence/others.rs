//! Where other plugins write, walked to the ends for one that starts, without waiting for a disk that does not answer.
//!
//! A place is known by its folder too, so that its other paths are seen for what they are; for that it has to be looked
//! at. Where that takes too long it is known by its path alone, which is said, and nobody looks at it again before the
//! first look is done. It changes nothing.

use super::resolve::{Places, Spot};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};
use tokio::time::Instant;

/// So long one place is waited for: one that has to be mounted first takes as long.
const ONE: Duration = Duration::from_secs(1);
/// So long all of them together: what one plugin may write must not keep another from starting.
const ALL: Duration = Duration::from_secs(2);

/// What was found of them.
#[derive(Debug, Default)]
pub(crate) struct Others {
    /// The folders at the ends of the paths, of those that are there.
    pub(super) ends: Vec<Spot>,
    /// Those that did not answer.
    pub(super) unanswered: Vec<PathBuf>,
}

/// Walks to the end of one.
type Walk = dyn Fn(&Path) -> Option<Spot> + Send + Sync;

/// The looks that are not done, since when.
#[derive(Debug, Clone, Default)]
pub(super) struct Looks(Arc<Mutex<BTreeMap<PathBuf, Instant>>>);

impl Looks {
    /// Walks to the ends of these, as far as they answer. It blocks for a moment.
    pub(super) fn find(&self, paths: Vec<PathBuf>, places: Places) -> Others {
        let walk = Arc::new(move |path: &Path| places.find(path).ok().map(|found| found.spot));
        self.find_by(paths, &(walk as Arc<Walk>), ONE, ALL)
    }

    fn find_by(&self, paths: Vec<PathBuf>, walk: &Arc<Walk>, one: Duration, all: Duration) -> Others {
        let (hung, mut left): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| self.hangs(path, one));
        let mut others = Others {
            ends: Vec::new(),
            unanswered: hung,
        };
        let until = Instant::now() + all;
        left.reverse();
        while !left.is_empty() {
            let (answers, answered) = channel();
            let (ahead, walk, looks) = (left.clone(), walk.clone(), self.clone());
            let started = thread::Builder::new().name("places".to_owned()).spawn(move || {
                for path in ahead.into_iter().rev() {
                    looks.open().insert(path.clone(), Instant::now());
                    let end = walk(&path);
                    looks.open().remove(&path);
                    // Nobody waits for it any more, and somebody else goes on with the next.
                    if answers.send(end).is_err() {
                        return;
                    }
                }
            });
            if started.is_err() {
                break;
            }
            loop {
                let wait = one.min(until.saturating_duration_since(Instant::now()));
                match answered.recv_timeout(wait) {
                    Ok(end) => {
                        left.pop();
                        others.ends.extend(end);
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        others.unanswered.extend(left.pop());
                        break;
                    }
                    // It is through with all of them.
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            if Instant::now() >= until {
                break;
            }
        }
        others.unanswered.append(&mut left);
        others
    }

    fn hangs(&self, path: &Path, limit: Duration) -> bool {
        self.open()
            .get(path)
            .is_some_and(|since| since.elapsed() >= limit)
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Others {
    /// What is not enforced as others did not answer.
    pub(super) fn not_enforced(&self) -> impl Iterator<Item = String> {
        self.unanswered.iter().map(|path| {
            format!(
                "links of other plugins in {} where it is reached by another path: it did not answer at the start, and is \
                 known by its own path alone",
                path.display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, sync_channel};

    /// Long enough for what answers, on a machine that has much to do.
    const LIMIT: Duration = Duration::from_secs(1);

    fn paths(paths: &[&str]) -> Vec<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    fn ends(others: &Others) -> Vec<PathBuf> {
        others.ends.iter().map(|spot| spot.path.clone()).collect()
    }

    /// Those below `/dead` hang until something is sent, and say when they begin.
    fn walk() -> (Arc<Walk>, Sender<()>, Receiver<PathBuf>) {
        let (revive, revived) = channel::<()>();
        let (begin, begun) = sync_channel(16);
        let revived = Mutex::new(revived);
        let walk = move |path: &Path| {
            if path.starts_with("/dead") {
                begin.send(path.to_owned()).expect("somebody listens");
                // It ends when nobody is left who could revive it, too.
                revived.lock().expect("nobody panics").recv().unwrap_or_default();
            }
            (path != Path::new("/absent")).then(|| Spot::named(path))
        };
        (Arc::new(walk), revive, begun)
    }

    #[test]
    fn i4_a_place_that_does_not_answer_is_told_waited_for_once_and_delays_no_other() {
        let (walk, revive, begun) = walk();
        let looks = Looks::default();
        let all = || paths(&["/a", "/absent", "/dead", "/z"]);
        let first = looks.find_by(all(), &walk, LIMIT, 3 * LIMIT);
        assert_eq!(ends(&first), paths(&["/a", "/z"]));
        assert_eq!(first.unanswered, paths(&["/dead"]));
        let told: Vec<String> = first.not_enforced().collect();
        assert!(
            told[0].contains("/dead where") && told[0].contains("did not answer"),
            "{told:?}"
        );
        let second = looks.find_by(all(), &walk, LIMIT, 3 * LIMIT);
        assert_eq!(ends(&second), paths(&["/a", "/z"]));
        assert_eq!(second.unanswered, paths(&["/dead"]));
        assert_eq!(begun.try_iter().count(), 1, "the second start leaves it alone");
        revive.send(()).expect("it waits");
        // The thread says so itself only by taking its look out of the list.
        while looks.hangs(Path::new("/dead"), LIMIT) {
            thread::yield_now();
        }
        drop(revive);
        let third = looks.find_by(all(), &walk, LIMIT, 3 * LIMIT);
        assert_eq!(
            ends(&third),
            paths(&["/a", "/dead", "/z"]),
            "it is looked at again"
        );
    }

    #[test]
    fn i4_many_that_do_not_answer_take_no_longer_together() {
        let (walk, _revive, _begun) = walk();
        let looks = Looks::default();
        let dead: Vec<String> = (0..40).map(|number| format!("/dead/{number}")).collect();
        let dead: Vec<PathBuf> = dead.iter().map(PathBuf::from).collect();
        let begun = Instant::now();
        let others = looks.find_by(dead.clone(), &walk, LIMIT / 4, LIMIT);
        assert_eq!(others.unanswered.len(), dead.len());
        assert!(begun.elapsed() < 20 * LIMIT / 4, "not one after the other");
        assert!(others.ends.is_empty());
    }
}
