//! Folders of a person's own, in which all that a play makes lies; plugins that note what they are asked, and a look
//! whether anything is left.

use crate::Done;
use serde_json::json;
use snooze_test_harness::{Process, nats_server, wait_for};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// A play takes some seconds; the rest is for a machine that compiles meanwhile.
pub(crate) const LONG: Duration = Duration::from_secs(240);

/// Folders of a person's own, in which all that a play makes lies.
#[derive(Debug)]
pub(crate) struct Own(tempfile::TempDir);

impl Own {
    pub(crate) fn new() -> Own {
        let own = Own(tempfile::tempdir().expect("a folder"));
        for name in ["home", "runtime", "temporary"] {
            fs::create_dir(own.path(name)).expect("a folder");
        }
        fs::write(own.path("asked"), "").expect("a file");
        own
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a plain name").to_owned()
    }

    fn environment(&self) -> BTreeMap<String, OsString> {
        let of = |name: &str, path: PathBuf| (name.to_owned(), path.into_os_string());
        BTreeMap::from([
            of("HOME", self.path("home")),
            of("XDG_RUNTIME_DIR", self.path("runtime")),
            of("TMPDIR", self.path("temporary")),
            of("SNOOZE_NATS_SERVER", nats_server()),
        ])
    }

    /// A plugin that notes each event that it is given, and answers so.
    pub(crate) fn plugin(&self, name: &str, answer: &str) {
        let folder = self.path("plugins").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let asked = self.text("asked");
        let manifest = json!({
            "name": name, "display_name": name, "version": "1.0.0", "description": "A test's own", "language": "shell",
            "entry_point": "plugin.sh", "events": {"cloud.spot.interrupt": {"priority": 100, "enabled": true}},
            "permissions": {"events": ["cloud.spot.interrupt"], "write": [asked]},
        });
        fs::write(folder.join("plugin.json"), manifest.to_string()).expect("written");
        let program = format!(
            "#!/bin/sh\nanswer() {{ printf '{{\"result\":%s,\"id\":%s}}\\n' \"$1\" \"$id\"; }}\n\
             while IFS= read -r line; do\n    id=${{line##*'\"id\":'}} id=${{id%\\}}}}\n    case $line in\n    \
             '{{\"method\":\"Info\"'*) answer '{{\"name\":\"{name}\",\"version\":\"1.0.0\"}}' ;;\n    \
             '{{\"method\":\"HandleEvent\"'*)\n        echo {name} >>{asked}\n        {answer}\n        ;;\n    \
             *) answer '{{\"error\":\"Unknown method\"}}' ;;\n    esac\ndone\n"
        );
        let path = folder.join("plugin.sh");
        fs::write(&path, program).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    }

    /// Who was asked to handle anything, in this order.
    pub(crate) fn asked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("asked")).expect("it is there");
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) async fn simulate(&self, arguments: &[&str]) -> Done {
        let mut process = self.begin(arguments);
        let ended = wait_for(LONG, "it ends", async || process.ended()).await;
        let read = |name: &str| fs::read_to_string(self.path(name)).expect("both outputs are files");
        Done {
            code: ended.code(),
            out: read("out"),
            err: read("err"),
        }
    }

    pub(crate) fn begin(&self, arguments: &[&str]) -> Process {
        self.start(&[&["event", "simulate"], arguments].concat())
    }

    /// Starts the program, which writes to the files `out` and `err`.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        for output in ["out", "err"] {
            fs::write(self.path(output), "").expect("ours");
        }
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        let program = Path::new(env!("CARGO_BIN_EXE_snooze"));
        let (out, err) = (self.path("out"), self.path("err"));
        Process::start_apart(program, &arguments, &self.environment(), &out, &err).expect("it starts")
    }

    /// Neither a file nor a process of a play is left.
    pub(crate) fn assert_nothing_is_left(&self) {
        let (files, processes) = (self.files(), self.processes());
        assert!(
            files.is_empty() && processes.is_empty(),
            "{files:?} {processes:?}"
        );
    }

    /// What lies where a play puts its files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let folders = ["temporary", "runtime", "home"].map(|name| self.path(name));
        let entries = folders
            .iter()
            .flat_map(|folder| fs::read_dir(folder).expect("it is there"));
        entries
            .map(|entry| entry.expect("it can be read").path())
            .collect()
    }

    /// The processes that name one of its folders: the program, its broker and its plugins.
    pub(crate) fn processes(&self) -> Vec<String> {
        let here = self.0.path().to_str().expect("a plain name");
        let all = fs::read_dir("/proc").expect("tests run on Linux");
        all.filter_map(|entry| {
            let path = entry.ok()?.path();
            let read = |name: &str| fs::read(path.join(name)).unwrap_or_default();
            let told = [read("cmdline"), read("environ")].concat();
            let told = String::from_utf8_lossy(&told).replace('\0', " ");
            told.contains(here).then_some(told)
        })
        .collect()
    }
}
