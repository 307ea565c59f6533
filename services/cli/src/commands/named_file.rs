//! A file that a person names, read whole and no further than it may be long.
//!
//! It is a regular file, or a pipe, as a shell makes them for `<(…)` and for what is piped in (`/dev/stdin`, or `-`). A
//! pipe is waited for so long, and a signal ends the wait. **Invariant:** nothing that is named so blocks the program:
//! it is opened without waiting for whoever writes, and looked at by its descriptor.

use snooze_service_runtime::{
    Exit, Failure,
    opening::{Opened, open_file_or_pipe},
};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};
use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver, time::timeout};

/// What the shells' tools call standard input.
const STANDARD_INPUT: &str = "-";

/// Where that is. It is opened anew, so that whoever shares it with us goes on as before.
const ITS_PLACE: &str = "/dev/stdin";

/// A program that writes into a pipe has so long: it may have to fetch what it writes.
const PIPE_LIMIT: Duration = Duration::from_secs(30);

/// Reads it. Cancelling it loses what was read of a pipe.
pub(super) async fn read(file: &Path, longest: u64) -> Result<Vec<u8>, Failure> {
    read_within(file, longest, PIPE_LIMIT).await
}

async fn read_within(file: &Path, longest: u64, patience: Duration) -> Result<Vec<u8>, Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", file.display()));
    let failed = |error: io::Error| usage(error.to_string());
    let mut bytes = Vec::new();
    match opened(file).map_err(failed)? {
        Opened::Plain(plain) => drop(plain.take(longest + 1).read_to_end(&mut bytes).map_err(failed)?),
        Opened::Pipe(mut pipe) => {
            if !is_read_out(&mut pipe, longest, &mut bytes).map_err(failed)? {
                let rest = Receiver::from_file(pipe).map_err(failed)?;
                let left = longest + 1 - u64::try_from(bytes.len()).unwrap_or(longest);
                let mut rest = rest.take(left);
                let reading = timeout(patience, rest.read_to_end(&mut bytes)).await;
                let late = |_| usage(format!("nothing more came within {} s", patience.as_secs()));
                reading.map_err(late)?.map_err(failed)?;
            }
            if bytes.is_empty() {
                return Err(usage(
                    "it is a pipe, and nobody wrote anything into it".to_owned(),
                ));
            }
        }
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length > longest) {
        return Err(usage(format!("longer than {} KiB", longest / 1024)));
    }
    Ok(bytes)
}

/// Reads what is in a pipe already, and says whether that was all: it came to its end, or to as much as it may be
/// long. A pipe that nobody has opened to write into is at its end, of which no news would ever come.
fn is_read_out(pipe: &mut File, longest: u64, bytes: &mut Vec<u8>) -> io::Result<bool> {
    match pipe.take(longest + 1).read_to_end(bytes) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

fn opened(file: &Path) -> io::Result<Opened> {
    let path = match file.to_str() {
        Some(STANDARD_INPUT) => Path::new(ITS_PLACE),
        Some(_) | None => file,
    };
    open_file_or_pipe(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::{
        fs::{self, OpenOptions},
        io::Write,
        path::PathBuf,
    };

    const LONGEST: u64 = 1024;
    const BRIEF: Duration = Duration::from_millis(50);

    fn fifo(folder: &Path) -> PathBuf {
        let path = folder.join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a fifo");
        path
    }

    async fn refused(path: &Path) -> String {
        let failure = read_within(path, LONGEST, BRIEF)
            .await
            .expect_err("it is refused");
        assert_eq!(failure.exit, Exit::Usage);
        failure.line
    }

    #[tokio::test]
    async fn what_is_no_file_and_no_pipe_is_refused_and_never_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [Path::new("/dev/zero"), Path::new("/dev/null"), folder.path()] {
            let line = refused(path).await;
            assert!(line.contains("no regular file and no pipe"), "{line}");
        }
        let line = refused(&fifo(folder.path())).await;
        assert!(line.contains("nobody wrote anything"), "{line}");
    }

    #[tokio::test]
    async fn a_pipe_is_read_to_its_end_and_waited_for_no_longer_than_a_while() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = fifo(folder.path());
        // Opened for both, it waits for nobody.
        let both = OpenOptions::new().read(true).write(true).open(&path);
        let mut writer = both.expect("opens");
        writer.write_all(b"half").expect("there is room");
        let line = refused(&path).await;
        assert!(line.contains("nothing more came"), "{line}");

        writer.write_all(b"{}").expect("there is room");
        let reading = read_within(&path, LONGEST, PIPE_LIMIT);
        let (read, ()) = tokio::join!(reading, async { drop(writer) });
        assert_eq!(read.expect("it came to its end"), b"{}");
    }

    #[tokio::test]
    async fn what_is_longer_than_it_may_be_is_refused_whatever_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let long = vec![b' '; 2048];
        let plain = folder.path().join("plain");
        fs::write(&plain, &long).expect("writes");
        let path = fifo(folder.path());
        let both = OpenOptions::new().read(true).write(true).open(&path);
        let mut writer = both.expect("opens");
        writer.write_all(&long).expect("there is room");
        for path in [plain, path] {
            let line = refused(&path).await;
            assert!(line.contains("longer than 1 KiB"), "{line}");
        }
    }
}
