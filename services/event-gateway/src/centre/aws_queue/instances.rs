//! Which host an instance is, in which of its launches: the roster, read by instances. One watch for the gateway.

use crate::happening::Whose;
use snooze_bus::{Bucket, Bus, BusError, Change, keys};
use snooze_schemas::{
    HostId,
    roster::{Provider, RosterRecord},
};
use snooze_service_runtime::CancellationToken;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::watch;

/// Between a watch that broke and the next one.
const PAUSE: Duration = Duration::from_secs(1);

/// The hosts on AWS by their instances, as they are now.
#[derive(Debug, Clone)]
pub(super) struct Instances {
    book: Arc<RwLock<Book>>,
    /// Whether the book is whole: not before the roster was read, and not after its watch broke.
    is_known: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct Book {
    hosts: BTreeMap<HostId, Listed>,
    /// An instance is one host, unless somebody has enrolled it twice.
    of_instance: BTreeMap<String, BTreeSet<HostId>>,
}

/// What counts here of a host's record; the rest, times a hundred thousand hosts, is a lot.
#[derive(Debug)]
struct Listed {
    instance: String,
    account: String,
    region: String,
    launch: Option<String>,
}

/// Which instance is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) instance: &'a str,
    /// What stands for the launch where the roster does not know it. It must differ from message to message: an
    /// interruption that is told twice is better than one that is taken for an earlier launch's.
    pub(super) otherwise: &'a str,
}

impl Instances {
    /// The hosts that are this instance; waits until the roster is known, and for good where the gateway ends before:
    /// an instance that nobody looked for is not an unknown one.
    pub(super) async fn of(&self, wanted: Wanted<'_>) -> Vec<Whose> {
        let mut is_known = self.is_known.clone();
        if is_known.wait_for(|known| *known).await.is_err() {
            std::future::pending::<()>().await;
        }
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        book.of(wanted)
    }
}

impl Book {
    fn of(&self, wanted: Wanted<'_>) -> Vec<Whose> {
        let named = self.of_instance.get(wanted.instance).into_iter().flatten();
        named
            .filter_map(|host| Some((host, self.hosts.get(host)?)))
            .filter(|(_, listed)| {
                is_same(&listed.account, wanted.account) && is_same(&listed.region, wanted.region)
            })
            .map(|(host, listed)| Whose {
                host: host.clone(),
                launch: listed
                    .launch
                    .clone()
                    .unwrap_or_else(|| format!("unknown@{}", wanted.otherwise)),
            })
            .collect()
    }

    fn put(&mut self, host: HostId, record: RosterRecord) {
        self.remove(&host);
        // Another cloud's names mean nothing here.
        if record.provider != Provider::Aws {
            return;
        }
        let hosts = self.of_instance.entry(record.instance.clone()).or_default();
        hosts.insert(host.clone());
        let listed = Listed {
            instance: record.instance,
            account: record.account,
            region: record.region,
            launch: record.launch,
        };
        self.hosts.insert(host, listed);
    }

    fn remove(&mut self, host: &HostId) {
        let Some(listed) = self.hosts.remove(host) else {
            return;
        };
        if let Some(hosts) = self.of_instance.get_mut(&listed.instance) {
            hosts.remove(host);
            if hosts.is_empty() {
                self.of_instance.remove(&listed.instance);
            }
        }
    }
}

/// What neither side says is no difference.
fn is_same(recorded: &str, said: Option<&str>) -> bool {
    recorded.is_empty() || said.is_none_or(|said| said == recorded)
}

/// The handle, and what keeps it true until shutdown.
pub(super) fn follow(bus: Bus, shutdown: CancellationToken) -> (Instances, impl Future<Output = ()>) {
    let (known, is_known) = watch::channel(false);
    let book = Arc::new(RwLock::new(Book::default()));
    let instances = Instances {
        book: Arc::clone(&book),
        is_known,
    };
    let follower = async move {
        let following = async {
            loop {
                if let Err(error) = watch_once(&bus, &book, &known).await {
                    tracing::warn!(%error, "the watch of the roster's instances broke and begins anew");
                }
                known.send_replace(false);
                tokio::time::sleep(PAUSE).await;
            }
        };
        // Cancelling loses nothing: the next watch begins with all there is.
        shutdown.run_until_cancelled(following).await;
    };
    (instances, follower)
}

async fn watch_once(bus: &Bus, book: &RwLock<Book>, known: &watch::Sender<bool>) -> Result<(), BusError> {
    let bucket = bus.bucket(Bucket::Config);
    let mut changes = bucket.watch::<RosterRecord>(keys::ALL_ROSTER).await?;
    let write = || book.write().unwrap_or_else(PoisonError::into_inner);
    *write() = Book::default();
    while let Some(change) = changes.next().await {
        match change? {
            Change::Put(entry) => {
                if let Some(host) = keys::host_of(&entry.key) {
                    write().put(host, entry.value);
                }
            }
            Change::Deleted { key, .. } | Change::Unreadable { key, .. } => {
                if let Some(host) = keys::host_of(&key) {
                    write().remove(&host);
                }
            }
            Change::Ready => {
                known.send_replace(true);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(provider: &str, instance: &str, launch: Option<&str>) -> RosterRecord {
        let record = json!({"provider": provider, "instance": instance, "account": "1", "region": "eu-central-1",
            "launch": launch, "enrolled_at": "2030-01-01T00:00:00Z"});
        serde_json::from_value(record).expect("a record")
    }

    fn host(name: &str) -> HostId {
        name.parse().expect("a host")
    }

    fn wanted(instance: &'static str) -> Wanted<'static> {
        Wanted {
            account: Some("1"),
            region: Some("eu-central-1"),
            instance,
            otherwise: "message",
        }
    }

    #[test]
    fn i1_a_host_is_found_by_the_instance_of_its_record_and_by_nothing_else() {
        let mut book = Book::default();
        book.put(host("db"), record("aws", "i-1", Some("t")));
        book.put(host("i-2"), record("aws", "i-9", Some("t")));
        book.put(host("sim"), record("simulated", "i-3", Some("t")));
        let whose = Whose {
            host: host("db"),
            launch: "t".to_owned(),
        };
        assert_eq!(book.of(wanted("i-1")), std::slice::from_ref(&whose));
        assert_eq!(book.of(wanted("i-2")), [], "a name is no instance");
        assert_eq!(book.of(wanted("i-3")), [], "of another cloud");
        for other in [
            Wanted {
                account: Some("2"),
                ..wanted("i-1")
            },
            Wanted {
                region: Some("eu-west-1"),
                ..wanted("i-1")
            },
        ] {
            assert_eq!(book.of(other), [], "{other:?}");
        }
        let unsaid = Wanted {
            account: None,
            region: None,
            ..wanted("i-1")
        };
        assert_eq!(book.of(unsaid), [whose]);
    }

    #[test]
    fn a_host_that_is_another_instance_now_is_not_found_by_the_old_one() {
        let mut book = Book::default();
        book.put(host("db"), record("aws", "i-1", None));
        book.put(host("db"), record("aws", "i-2", None));
        assert_eq!(book.of(wanted("i-1")), []);
        assert_eq!(book.of(wanted("i-2")).len(), 1);
        book.remove(&host("db"));
        assert_eq!(book.of(wanted("i-2")), []);
        assert!(book.of_instance.is_empty() && book.hosts.is_empty());
    }

    #[test]
    fn e1_a_launch_that_is_not_known_is_never_taken_for_an_earlier_one() {
        let mut book = Book::default();
        book.put(host("db"), record("aws", "i-1", None));
        let launch = |otherwise| {
            let wanted = Wanted {
                otherwise,
                ..wanted("i-1")
            };
            book.of(wanted).remove(0).launch
        };
        assert_eq!(launch("a"), launch("a"), "at every delivery of a message");
        assert_ne!(launch("a"), launch("b"));
    }
}
