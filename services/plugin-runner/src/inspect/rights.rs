//! What plugins want and may do, for which their files are read; nobody waits for a disk that does not answer.
//!
//! It changes nothing. One look that hangs costs one thread, and no other is begun beside it.

use crate::{plugin::Plugin, set::Digests};
use snooze_schemas::plugin::approval::Rights;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, task::spawn_blocking, time::timeout};

/// How long the files of all of them may take, and whoever reads them already. With what a list waits for besides this
/// stays below what a verb may take.
const LIMIT: Duration = Duration::from_secs(3);

/// Who reads the files.
#[derive(Debug, Default)]
pub(crate) struct RightsReader(Arc<Mutex<()>>);

impl RightsReader {
    /// Those of each, in order; nothing for one whose files cannot be read, and for all where that is not done in time.
    pub(super) async fn of(&self, plugins: Vec<Arc<Plugin>>, digests: &Arc<Digests>) -> Vec<Option<Rights>> {
        let digests = digests.clone();
        let reading = async {
            let turn = self.0.clone().lock_owned().await;
            let reading = spawn_blocking(move || {
                let rights = plugins.iter().map(|plugin| plugin.rights(&digests)).collect();
                drop(turn);
                rights
            });
            reading.await.unwrap_or_default()
        };
        timeout(LIMIT, reading).await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_list_waits_for_no_file_that_is_not_read() {
        let reader = RightsReader::default();
        let _hangs = reader.0.lock().await;
        let rights = timeout(LIMIT * 2, reader.of(Vec::new(), &Arc::default())).await;
        assert!(rights.is_ok_and(|rights| rights.is_empty()));
    }
}
