//! A folder of its own for each test, and our programs run in it with an environment of its own.

use rustix::process::Signal;
use snooze_bus::User;
use snooze_test_harness::{NatsServer, Process, nats_server, wait_for, wait_until};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// A whole cycle takes some ten seconds; the rest is for a machine that compiles beside the tests.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Everything that a test writes. Removed on drop.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    runs: AtomicUsize,
    extra: BTreeMap<String, OsString>,
}

/// A program that was started in a place. Killed on drop.
pub(crate) struct Run {
    process: Process,
    name: String,
    errors: PathBuf,
}

/// A program that has ended by itself.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code.
    pub(crate) code: i32,
    /// What it said to stdout.
    pub(crate) out: String,
    /// What it said to stderr.
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Place {
        let folder = tempfile::Builder::new()
            .prefix("snooze-e2e-")
            .tempdir()
            .expect("a temporary folder can be made");
        for name in ["home", "plugins", "runtime", "said"] {
            fs::create_dir(folder.path().join(name)).expect("a folder of our own can be written");
        }
        Place {
            folder,
            runs: AtomicUsize::new(0),
            extra: BTreeMap::new(),
        }
    }

    /// A variable that every program here gets from now on.
    pub(crate) fn set(&mut self, variable: &str, value: impl Into<OsString>) {
        self.extra.insert(variable.to_owned(), value.into());
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path as an argument.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name)
            .into_os_string()
            .into_string()
            .expect("temporary folders have plain names")
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("a folder of our own can be written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file of our own can be read")
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("a file of our own can be removed");
    }

    /// Puts one of the workspace's plugins into the folder `plugins`; a Python one is run by this
    /// interpreter where one is given.
    pub(crate) fn add_plugin(&self, source: &str, interpreter: Option<&Path>) {
        let source = workspace().join("plugins").join(source);
        let text = fs::read_to_string(&source).expect("the plugin is in the workspace");
        let text = match (interpreter, text.split_once('\n')) {
            (Some(interpreter), Some((_, rest))) => format!("#!{}\n{rest}", interpreter.display()),
            _ => text,
        };
        let name = source.file_name().and_then(|name| name.to_str());
        self.write_plugin(name.expect("a file has a name"), &text);
    }

    /// Puts a plugin of the test's own into the folder `plugins`.
    pub(crate) fn write_plugin(&self, name: &str, text: &str) {
        let target = self.path("plugins").join(name);
        fs::write(&target, text).expect("a folder of our own can be written");
        fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).expect("a file of our own");
    }

    /// Starts one of the workspace's programs.
    pub(crate) fn start<S: AsRef<str>>(&self, name: &str, arguments: &[S]) -> Run {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let said = |what: &str| self.path(&format!("said/{name}-{run}.{what}"));
        let errors = said("err");
        let arguments: Vec<String> = arguments.iter().map(|text| text.as_ref().to_owned()).collect();
        let process = Process::start_apart(
            &program(name),
            &arguments,
            &self.environment(),
            &said("out"),
            &errors,
        )
        .unwrap_or_else(|cause| panic!("{name} does not start: {cause}"));
        Run {
            process,
            name: name.to_owned(),
            errors,
        }
    }

    /// Starts one of the services, or a part of one, as this user of a bus, with `snooze.json` as its configuration.
    pub(crate) fn start_on(
        &self,
        (server, user): (&NatsServer, &User),
        service: &str,
        part: &[&str],
        more: &[&str],
    ) -> Run {
        let (url, credentials) = (server.url(), server.credentials(user));
        let credentials = credentials.to_str().expect("temporary folders have plain names");
        let config = self.text("snooze.json");
        let common = [
            "--server",
            &url,
            "--credentials",
            credentials,
            "--config",
            &config,
        ];
        self.start(service, &[part, &common, more].concat())
    }

    /// Runs one of the workspace's programs to its end.
    pub(crate) async fn run<S: AsRef<str>>(&self, name: &str, arguments: &[S]) -> Done {
        self.start(name, arguments).ended().await
    }

    fn environment(&self) -> BTreeMap<String, OsString> {
        let folder = |name: &str| self.path(name).into_os_string();
        let mut environment = self.extra.clone();
        environment.insert("HOME".to_owned(), folder("home"));
        environment.insert("XDG_RUNTIME_DIR".to_owned(), folder("runtime"));
        environment.insert("USER".to_owned(), "ada".into());
        environment.insert("SNOOZE_NATS_SERVER".to_owned(), nats_server().into());
        if let Some(path) = search_path() {
            environment.insert("PATH".to_owned(), path);
        }
        environment
    }
}

impl Run {
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The lines that it has said to stdout so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.process.said_all().lines().map(str::to_owned).collect()
    }

    /// Waits until it has said such a line, and returns the first.
    pub(crate) async fn wait_for_line(&mut self, what: &str, is: impl Fn(&str) -> bool) -> String {
        let what = format!("{} says {what}", self.name);
        wait_for(LONG, &what, async || {
            // Looked at first: what it says while it ends is read below.
            let ended = self.process.ended();
            let found = self.lines().into_iter().find(|line| is(line));
            assert!(
                found.is_some() || ended.is_none(),
                "it ended before {what}: {ended:?}"
            );
            found
        })
        .await
    }

    /// What Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        crate::processes::signal(self.id(), signal);
    }

    /// Whether it has not ended by itself.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(self) -> Done {
        self.ended_within(LONG).await
    }

    /// The same, for what ends only after a while.
    pub(crate) async fn ended_within(mut self, limit: Duration) -> Done {
        let mut code = None;
        wait_until(limit, &format!("{} ends", self.name), async || {
            code = self.process.ended();
            code.is_some()
        })
        .await;
        Done {
            code: code
                .and_then(|status| status.code())
                .unwrap_or_else(|| panic!("{} was killed: {}", self.name, self.errors())),
            out: self.process.said_all(),
            err: self.errors(),
        }
    }

    /// What it has said to stderr so far.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (name, out) = (&self.name, self.lines().join("\n"));
            eprintln!("{name} said:\n{out}\n{name} said to stderr:\n{}", self.errors());
        }
    }
}

/// Where this machine's programs are; a plugin or a shell finds no other ones.
#[expect(
    clippy::disallowed_methods,
    reason = "runs programs in an environment of its own, but for where others are found"
)]
pub(crate) fn search_path() -> Option<OsString> {
    std::env::var_os("PATH")
}

/// The workspace's root.
pub(crate) fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("two folders below it").to_owned()
}

/// A program of the workspace: it lies beside the folder of the test's own.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("tests lie in `deps`, below the programs");
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "{} is missing: run `cargo build --workspace --all-features`",
        program.display()
    );
    program
}
