//! Where the services of one host find one another without a bus.
//!
//! It makes and opens nothing: it only says where.

use std::path::{Path, PathBuf};

/// The folder of this user's services below a folder on tmpfs that others may share, as `/dev/shm`. Whoever makes it
/// makes it for its owner alone.
#[must_use]
pub fn own_runtime_folder(shared: &Path) -> PathBuf {
    shared.join(format!("snooze-{}", rustix::process::geteuid().as_raw()))
}

/// The socket in such a folder on which a host's runner takes events of that host's own gateway.
#[must_use]
pub fn runner_socket(own: &Path, host: &str) -> PathBuf {
    own.join(format!("runner-{host}.sock"))
}
