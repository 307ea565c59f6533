//! Child processes that end with the test: killed and waited for on drop, and killed by the kernel
//! when the test process itself is killed. Never signals a process that it did not start.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, OnceLock, mpsc},
    thread,
};

/// A started program: a server, or one of our own services as a process of its own.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program with its output appended to a log file.
    ///
    /// # Errors
    /// When it cannot be started or the log not be written.
    pub fn start(program: &Path, arguments: &[String], log: &Path) -> io::Result<Process> {
        Process::start_with(program, arguments, &[], log)
    }

    /// As [`start`](Process::start), with this in its environment besides the test's own.
    ///
    /// # Errors
    /// As [`start`](Process::start).
    pub fn start_with(
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        log: &Path,
    ) -> io::Result<Process> {
        let out = File::options().create(true).append(true).open(log)?;
        let mut command = mortal(program);
        command
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let child = spawn_from_lasting_thread(command)?;
        Ok(Process {
            child,
            log: log.to_owned(),
        })
    }

    /// Starts a program with this environment and no more of the test's own; what it says to stdout and
    /// to stderr is appended to a file each, the former's being its log.
    ///
    /// # Errors
    /// When it cannot be started or a file not be written.
    pub fn start_apart(
        program: &Path,
        arguments: &[String],
        environment: &BTreeMap<String, OsString>,
        log: &Path,
        errors: &Path,
    ) -> io::Result<Process> {
        let open = |path: &Path| File::options().create(true).append(true).open(path);
        let mut command = mortal(program);
        command
            .args(arguments)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(open(log)?)
            .stderr(open(errors)?);
        let child = spawn_from_lasting_thread(command)?;
        Ok(Process {
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, where it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Panics
    /// Never for a process that this started.
    pub fn kill(&mut self) {
        self.child.kill().expect("one's own child can be killed");
        self.child.wait().expect("one's own child can be waited for");
    }

    /// The last 8 KB of what it has said so far.
    #[must_use]
    pub fn said(&self) -> String {
        let all = self.said_all();
        all[all.floor_char_boundary(all.len().saturating_sub(8192))..].to_owned()
    }

    /// All that it has said so far.
    #[must_use]
    pub fn said_all(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill();
        }
    }
}

/// A command that the kernel kills when this process ends, where setpriv is there to ask it to.
fn mortal(program: &Path) -> Command {
    match find_program("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// The kernel's death signal is sent when the *thread* that started the child ends, not its process.
/// So all children are started by one thread that lives as long as the test process.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::SyncSender<io::Result<Child>>);
    static STARTER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();

    let starter = STARTER.get_or_init(|| {
        let (orders, queue) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in queue {
                reply
                    .send(command.spawn())
                    .expect("the asker waits for the answer");
            }
        });
        Mutex::new(orders)
    });
    let (reply, answer) = mpsc::sync_channel(1);
    starter
        .lock()
        .expect("nothing panics while it holds this lock")
        .send((command, reply))
        .expect("the starter's loop never ends");
    answer.recv().expect("the starter answers every order")
}

/// A program on the PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Where programs are found: for what a test starts without the rest of its environment.
#[must_use]
pub fn search_path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

/// The folder of tools that `make test` fills, in the workspace's root.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the harness lies two folders below the workspace's root")
        .join(".tools")
}

/// A program that a test cannot do without: named by an environment variable, else in `.tools`, else
/// on the PATH.
///
/// # Panics
/// Where there is none. A test that skipped itself would be a test that nobody runs.
pub(crate) fn required_program(variable: &str, in_tools: &str, name: &str) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        let named = PathBuf::from(named);
        assert!(
            named.is_file(),
            "{variable} names {}, which is no file",
            named.display()
        );
        return named;
    }
    let installed = tools().join(in_tools);
    if installed.is_file() {
        return installed;
    }
    find_program(name).unwrap_or_else(|| {
        panic!(
            "{name} is needed and was found neither in {} nor on the PATH: `make test` installs it",
            installed.display()
        )
    })
}

/// The nats-server that [`NatsServer`](crate::NatsServer) runs, for a program that runs one itself.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn nats_server() -> PathBuf {
    required_program("SNOOZE_NATS_SERVER", "bin/nats-server", "nats-server")
}

/// The public `nats` tool, in the version that `tests/install.sh` installs.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn nats_cli() -> PathBuf {
    required_program("SNOOZE_NATS_CLI", "bin/nats", "nats")
}

/// The interpreter that has the packages of `tests/requirements.txt`: nats-py and redis for plugins,
/// boto3 to look into moto.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn python() -> PathBuf {
    required_program("SNOOZE_TEST_PYTHON", "python/bin/python", "python3")
}
