//! A plugin as a child process, asked as a runner asks it: no environment, pipes, and its standard error in a
//! file. Killed and waited for on drop.

use rustix::process::{Pid, Signal, kill_process};
use snooze_plugin::serde_json::{self, Value, json};
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{self, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

/// A plugin answers within milliseconds; the rest is for a machine that compiles meanwhile.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// An example of this crate, which cargo builds before it runs tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a program");
    let folder = test
        .parent()
        .and_then(std::path::Path::parent)
        .expect("it lies in deps");
    let path = folder.join("examples").join(name);
    assert!(
        path.is_file(),
        "{} is missing: `cargo test` builds it where no target is named",
        path.display()
    );
    path
}

/// Asks a process to end.
pub(crate) fn terminate(id: u32) {
    tell(id, Signal::TERM);
}

/// Asks it once more. The same signal twice could arrive as one.
pub(crate) fn interrupt(id: u32) {
    tell(id, Signal::INT);
}

fn tell(id: u32, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(id).expect("ids are small")).expect("no id is 0");
    kill_process(id, signal).expect("one's own child can be told");
}

pub(crate) struct Child {
    process: process::Child,
    input: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    folder: tempfile::TempDir,
    asked: u64,
}

impl Child {
    pub(crate) fn start(name: &str) -> Child {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let errors = File::create(folder.path().join("errors")).expect("a file in it");
        let mut process = Command::new(program(name))
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("the plugin starts");
        let output = process.stdout.take().expect("it is piped");
        let (line, lines) = channel();
        thread::spawn(move || {
            for read in BufReader::new(output).split(b'\n') {
                // The test may be over, and then nobody wants it.
                if line.send(read.expect("a pipe can be read")).is_err() {
                    break;
                }
            }
        });
        Child {
            input: process.stdin.take(),
            process,
            lines,
            folder,
            asked: 0,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("its input is open");
        input.write_all(bytes).expect("it reads");
    }

    /// The next line that it writes.
    pub(crate) fn line(&self) -> Value {
        let line = self
            .lines
            .recv_timeout(LIMIT)
            .expect("it writes a line within the limit");
        serde_json::from_slice(&line)
            .unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(&line)))
    }

    /// Asks, and checks that the answer is this question's.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let mut request = json!({ "method": method, "id": id });
        request["params"] = params;
        self.write(format!("{request}\n").as_bytes());
        let answer = self.line();
        assert_eq!(answer["id"], id, "{method}: {answer}");
        answer
    }

    /// Ends its input.
    pub(crate) fn close(&mut self) {
        self.input = None;
    }

    /// Waits for its end; it must not write anything before.
    pub(crate) fn end(&mut self) -> ExitStatus {
        match self.lines.recv_timeout(LIMIT) {
            Err(RecvTimeoutError::Disconnected) => {}
            Ok(line) => panic!("it writes {}", String::from_utf8_lossy(&line)),
            Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
        }
        self.process.wait().expect("one's own child can be waited for")
    }

    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors")).expect("it has a log")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.process.kill().expect("one's own child can be killed");
            self.process.wait().expect("one's own child can be waited for");
        }
    }
}
