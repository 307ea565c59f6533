//! Room for the open files of a play: a host has sockets, journals and connections, and a storm has many hosts.
//!
//! It raises the limit of this process as far as its user may, and nobody else's.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use snooze_service_runtime::{Exit, Failure};

/// What one host has open: a metadata service with both ends of a connection, a connection to the broker, the runner's
/// socket, two journals, and for a moment what it reads and writes. Of a thousand 7.2 were seen.
const OF_A_HOST: u64 = 9;
/// The process itself, and its broker's files.
const OF_ALL: u64 = 256;

/// Makes room for so many hosts.
///
/// # Errors
/// When this user may not have so many files open.
pub(super) fn make_room(hosts: u16) -> Result<(), Failure> {
    let wanted = OF_ALL + OF_A_HOST * u64::from(hosts);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if let Some(most) = limit.maximum.filter(|most| *most < wanted) {
        let text = format!(
            "{hosts} hosts have up to {wanted} files open, and this user may have {most}: choose fewer with --hosts, or \
             raise the limit (ulimit -Hn {wanted})"
        );
        return Err(Failure::new(Exit::Usage, text));
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).map_err(|error| {
        let text = format!("raise the limit of open files to {wanted}: {error}");
        Failure::new(Exit::Failed, text)
    })
}
