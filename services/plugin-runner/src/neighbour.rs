//! What the event gateway of this very host hands over, broker or not: events, each as one line on a socket in the
//! runner's own folder (E7).
//!
//! **Invariant:** only this user and the superuser are heard, and of their processes none that is a plugin's or
//! may be one: a plugin must not forge what the host noticed. **Invariant:** so many speak at once, for so long, and
//! so much of each is read. It accepts nothing itself: that is the desk's part, as for what comes over the bus.

use crate::{
    events::Desk,
    orphans::{self, Descent},
};
use rustix::process::geteuid;
use serde_json::error::Category;
use snooze_bus::trace;
use snooze_schemas::{
    ErrorCode, HostId, Refusal, Reply,
    event::{Accepted, Event, HandOver, MAX_DATA_BYTES},
};
use snooze_service_runtime::{CancellationToken, exit::one_line, places};
use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::Instrument;

/// The most bytes of a path that the kernel takes for a socket: `sun_path` of unix(7) less its end.
const PATH_BYTES: usize = 107;
/// So many speak at once; more wait until one is done. The gateway itself speaks by fewer.
const SPEAKERS: usize = 32;
/// The longest line: an event's data, and twice its room for what is escaped in them and for all else.
const LINE_BYTES: u64 = 3 * MAX_DATA_BYTES as u64;
/// How long it may take to say it, and to hear the answer. Both are on this machine.
const TO_SPEAK: Duration = Duration::from_secs(2);
/// How long what is being accepted may take after shutdown.
const GRACE: Duration = Duration::from_secs(2);
/// Before the next attempt where none can be let in, as when no file can be opened.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
enum NoSocket {
    #[error(
        "the path {} has {} bytes, and a socket's {PATH_BYTES} at most: choose a shorter runtime folder",
        .0.display(), .0.as_os_str().len()
    )]
    TooLong(PathBuf),
    #[error("{} is no socket: remove it", .0.display())]
    InTheWay(PathBuf),
    #[error("listen at {}", path.display())]
    Listen { path: PathBuf, source: io::Error },
}

/// The socket, and who listens there.
#[derive(Debug)]
pub(crate) struct Neighbour {
    listener: UnixListener,
    /// Whether somebody who may not speak was told of.
    told: AtomicBool,
}

impl Neighbour {
    /// Listens in a folder that is ours alone. Without the socket the runner goes on: events reach it over the bus.
    #[must_use]
    pub(crate) fn below(folder: &Path, host: &HostId) -> Option<Neighbour> {
        match listen(places::runner_socket(folder, host.as_str())) {
            Ok(listener) => Some(Neighbour {
                listener,
                told: AtomicBool::new(false),
            }),
            Err(error) => {
                tracing::error!(
                    error = one_line(&error),
                    "what this host notices itself is not handled here while the broker is away"
                );
                None
            }
        }
    }

    /// Takes what is handed over until shutdown.
    pub(crate) async fn serve(self, desk: Arc<Desk>, shutdown: CancellationToken) {
        let here = Arc::new(self);
        let mut talks = JoinSet::new();
        loop {
            // Cancelling these loses nothing: who was not let in waits, and who is heard stays in the set.
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = talks.join_next() => {}
                let_in = here.listener.accept(), if talks.len() < SPEAKERS => match let_in {
                    Ok((stream, _)) => {
                        let (here, desk, shutdown) = (here.clone(), desk.clone(), shutdown.clone());
                        talks.spawn(async move { here.talk(stream, &desk, &shutdown).await });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "nobody can be let in at the runner's socket");
                        sleep(PAUSE).await;
                    }
                },
            }
        }
        // What is given up is in the journal, or its sender has no answer and says it again.
        let all = async { while talks.join_next().await.is_some() {} };
        if timeout(GRACE, all).await.is_err() {
            tracing::warn!("an event that was handed over is left to the next start");
        }
    }

    async fn talk(&self, mut stream: UnixStream, desk: &Arc<Desk>, shutdown: &CancellationToken) {
        let answer = match self.may_speak(&stream) {
            Ok(()) => {
                // Cancelling it loses what nobody was promised anything of.
                let Some(heard) = shutdown.run_until_cancelled(hear(&mut stream)).await else {
                    return;
                };
                match heard {
                    Ok(asked) => {
                        let span = tracing::info_span!("hand-over");
                        if let Some(parent) = &asked.traceparent {
                            trace::set_parent(&span, parent);
                        }
                        desk.accept(asked.event, asked.left).instrument(span).await
                    }
                    Err(refusal) => Err(refusal),
                }
            }
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = &answer {
            tracing::debug!(code = ?refusal.code, why = refusal.message, "what was handed over is refused");
        }
        let mut line = serde_json::to_vec(&Reply::<Accepted>::from(answer)).unwrap_or_default();
        line.push(b'\n');
        if !matches!(timeout(TO_SPEAK, stream.write_all(&line)).await, Ok(Ok(()))) {
            tracing::debug!("who handed something over did not wait for the answer");
        }
    }

    /// Whether it is one of us who speaks: the kernel says who connected.
    fn may_speak(&self, stream: &UnixStream) -> Result<(), Refusal> {
        let refuse = |why: String| {
            // A plugin that tries may try for ever.
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(why, "somebody is refused at the runner's socket, told once");
            }
            Err(Refusal::new(ErrorCode::Forbidden, why))
        };
        let Ok(peer) = stream.peer_cred() else {
            return refuse("the kernel does not say who speaks".to_owned());
        };
        if peer.uid() != 0 && peer.uid() != geteuid().as_raw() {
            return refuse(format!("the user {} hands nothing over here", peer.uid()));
        }
        match peer.pid() {
            Some(process) => match orphans::descent_of(process) {
                Descent::Others => Ok(()),
                Descent::Plugins => refuse(format!("the process {process} is a plugin's")),
                // It may be told apart when it asks again.
                Descent::Unknown => Err(Refusal::new(
                    ErrorCode::Unavailable,
                    format!("whose the process {process} is cannot be seen just now"),
                )),
            },
            None => refuse("the kernel does not say which process speaks".to_owned()),
        }
    }
}

fn listen(path: PathBuf) -> Result<UnixListener, NoSocket> {
    if path.as_os_str().len() > PATH_BYTES {
        return Err(NoSocket::TooLong(path));
    }
    let attempt = || -> io::Result<Option<UnixListener>> {
        // That of an earlier runner: nobody listens there, or one whose place is ours now.
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(&path)?,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(&path)?;
        // Until here the folder alone kept others out.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Some(listener))
    };
    match attempt() {
        Ok(Some(listener)) => Ok(listener),
        Ok(None) => Err(NoSocket::InTheWay(path)),
        Err(source) => Err(NoSocket::Listen { path, source }),
    }
}

/// What is handed over.
struct Asked {
    event: Event,
    /// What is left of its time.
    left: Option<Duration>,
    /// The trace that it was noticed in.
    traceparent: Option<String>,
}

/// Reads one line.
async fn hear(stream: &mut UnixStream) -> Result<Asked, Refusal> {
    let bad = |why: String| Refusal::new(ErrorCode::BadRequest, why);
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream).take(LINE_BYTES);
    match timeout(TO_SPEAK, reader.read_until(b'\n', &mut line)).await {
        Err(_) => {
            let why = format!("no whole line within {} ms", TO_SPEAK.as_millis());
            return Err(Refusal::new(ErrorCode::Timeout, why));
        }
        Ok(Err(error)) => return Err(bad(format!("the line cannot be read: {error}"))),
        Ok(Ok(_)) if line.last() != Some(&b'\n') => {
            return Err(bad(format!("no line of {LINE_BYTES} bytes at most")));
        }
        Ok(Ok(_)) => {}
    }
    let said: HandOver = serde_json::from_slice(&line).map_err(|error| match error.classify() {
        Category::Data => bad(format!("it is not understood: {error}")),
        Category::Syntax | Category::Eof | Category::Io => bad(format!("it is no JSON: {error}")),
    })?;
    let traceparent = said.traceparent.clone();
    let asked = said.into_body()?;
    Ok(Asked {
        event: asked.event,
        left: asked.left_ms.map(Duration::from_millis),
        traceparent,
    })
}
