//! Where the services of one host find one another without a bus, and keep what is theirs.
//!
//! It makes and opens nothing: it only says where.

use clap::Args;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The folders of a host's services; flatten them into a service's own arguments. All services of a host have the same.
#[derive(Debug, Clone, Args)]
pub struct HostFolders {
    /// Folder for journals that survive a reboot
    #[arg(
        long,
        value_name = "FOLDER",
        env = "SNOOZE_STATE",
        default_value = "/var/lib/snooze",
        value_parser = absolute
    )]
    pub state: PathBuf,
    /// Folder on tmpfs for what must not survive one, and for the runner's socket
    #[arg(
        long,
        value_name = "FOLDER",
        env = "XDG_RUNTIME_DIR",
        default_value = "/dev/shm",
        value_parser = absolute
    )]
    pub runtime: PathBuf,
}

/// A folder by a name that holds wherever a process of ours works: plugins have folders of their own.
fn absolute(folder: &str) -> io::Result<PathBuf> {
    std::path::absolute(folder)
}

impl HostFolders {
    /// This user's own on tmpfs. Two people's services share `/dev/shm`: each has a folder of its own.
    #[must_use]
    pub fn own_runtime(&self) -> PathBuf {
        own_runtime_folder(&self.runtime)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_same_wherever_a_process_of_ours_works() {
        let here = std::env::current_dir().expect("this process works somewhere");
        assert_eq!(absolute("state").ok(), Some(here.join("state")));
        assert_eq!(absolute("/var/lib/snooze").ok(), Some("/var/lib/snooze".into()));
        assert!(absolute("").is_err(), "it is none");
    }
}
