//! What a source remembers over restarts, in a small file of its own, and what it tells through that.
//!
//! **Invariant:** what was noticed stands in the file before it is told, and until the desk has it on its own disk. A
//! file that is lost, or cannot be understood, is said and begins anew; a disk that fails or hangs keeps nothing from
//! being told. It knows nothing of what is remembered.

use super::{UnderWay, Untold};
use crate::{
    happening::Happening,
    source::{Notices, trouble::Trouble},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use snooze_service_runtime::whole_file::{self, Durability};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};

/// Far more than any source remembers.
const LARGEST: u64 = 2 << 20;
/// How long what was noticed waits for the disk before it is told all the same. A disk takes milliseconds.
const WITHIN: Duration = Duration::from_millis(200);

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Content<T> {
    remembered: T,
    untold: Untold,
}

/// The file of a source, and what it tells through it.
#[derive(Debug)]
pub(in crate::source) struct Keeper<T> {
    source: &'static str,
    /// Nothing is kept where there is none.
    path: Option<PathBuf>,
    untold: Untold,
    under_way: UnderWay,
    /// What is in the file, where that is known.
    written: Option<Content<T>>,
    /// A write that took too long.
    writing: Option<JoinHandle<io::Result<()>>>,
    trouble: Trouble,
}

impl<T> Keeper<T>
where
    T: Clone + PartialEq + Serialize + DeserializeOwned + Send + 'static,
{
    /// Reads the file of this source. And what was remembered, where it holds still; of what does not nothing is told
    /// again either.
    pub(in crate::source) async fn open(
        source: &'static str,
        path: Option<PathBuf>,
        holds: impl FnOnce(&T) -> bool,
    ) -> (Keeper<T>, Option<T>) {
        let content = match path.clone() {
            Some(path) => read::<T>(path).await.filter(|content| holds(&content.remembered)),
            None => None,
        };
        let (untold, remembered) = match content {
            Some(content) => (content.untold, Some(content.remembered)),
            None => (Untold::default(), None),
        };
        let keeper = Keeper {
            source,
            path,
            untold,
            under_way: UnderWay::default(),
            written: None,
            writing: None,
            trouble: Trouble::now_and_then_with("the file of what a source of events remembers"),
        };
        (keeper, remembered)
    }

    /// Brings to the disk what is remembered and was noticed now, and tells this and what the desk may not have yet.
    /// Cancelled before it has told all, it is told after the next start.
    pub(in crate::source) async fn keep(
        &mut self,
        remembered: &T,
        noticed: Vec<Happening>,
        notices: &Notices,
    ) {
        self.untold.remove(&self.under_way.kept());
        self.untold.add(&noticed);
        self.write(remembered).await;
        self.under_way.tell(self.untold.by(self.source), notices).await;
    }

    async fn write(&mut self, remembered: &T) {
        let Some(path) = &self.path else {
            return;
        };
        let is_written =
            |content: &Content<T>| content.remembered == *remembered && content.untold == self.untold;
        if self.written.as_ref().is_some_and(is_written) {
            return;
        }
        let mut writing = match self.writing.take() {
            // It wrote something older.
            Some(late) if !late.is_finished() => {
                self.writing = Some(late);
                return;
            }
            Some(_) | None => {
                let content = Content {
                    remembered: remembered.clone(),
                    untold: self.untold.clone(),
                };
                let (path, copy) = (path.clone(), content.clone());
                self.written = Some(content);
                tokio::task::spawn_blocking(move || write(&path, &copy))
            }
        };
        let wrote = match timeout(WITHIN, &mut writing).await {
            Ok(Ok(wrote)) => wrote,
            Ok(Err(_)) => Err(io::Error::other("the service ends")),
            Err(_) => {
                self.writing = Some(writing);
                Err(io::Error::other("the disk does not answer"))
            }
        };
        match wrote {
            Ok(()) => drop(self.trouble.over()),
            Err(error) => {
                self.written = None;
                self.trouble.met(&error);
            }
        }
    }
}

async fn read<T: DeserializeOwned + Send + 'static>(path: PathBuf) -> Option<Content<T>> {
    let file = path.display().to_string();
    let read = move || -> io::Result<Option<Content<T>>> {
        let bytes = whole_file::read(&path, LARGEST)?;
        bytes.map_or(Ok(None), |bytes| Ok(serde_json::from_slice(&bytes)?))
    };
    let read = timeout(WITHIN, tokio::task::spawn_blocking(read)).await;
    let error = match read {
        Ok(Ok(Ok(content))) => return content,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(_)) => "the service ends".to_owned(),
        Err(_) => "the disk does not answer".to_owned(),
    };
    tracing::warn!(
        file,
        error,
        "what a source of events remembered is not known any more; what ended meanwhile is not told"
    );
    None
}

fn write<T: Serialize>(path: &Path, content: &Content<T>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        whole_file::private_folder(folder)?;
    }
    whole_file::replace(path, &serde_json::to_vec(content)?, Durability::Synced).map(drop)
}

#[cfg(test)]
mod tests;
