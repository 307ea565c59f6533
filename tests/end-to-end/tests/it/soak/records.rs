//! What the handlers did, by their own word: each writes a line before and after, and waits until it is on the disk.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The handlers: the first may be asked twice, the second never.
pub(crate) const HANDLERS: [&str; 2] = ["keeper", "once"];

/// A handler that records what it does, and takes some milliseconds.
const HANDLER: &str = r#"#!/usr/bin/env python3
import json, os, select, sys, time
records = os.open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_DSYNC, 0o600)
def note(what, event): os.write(records, f"{what} {event['id']} {time.time_ns()}\n".encode())
for line in sys.stdin:
    request = json.loads(line)
    result = {"error": "Unknown method: " + request["method"]}
    if request["method"] == "Info":
        result = {"name": NAME}
    elif request["method"] == "Configure":
        result = {"success": True}
    elif request["method"] == "HandleEvent":
        event = request["params"]["event"]
        note("begin", event)
        select.select([], [], [], 0.02)
        note("end", event)
        result = {"handled": True, "succeeded": True, "message": "recorded"}
    print(json.dumps({"result": result, "id": request["id"]}), flush=True)
"#;

/// The text of a handler that writes into this folder.
pub(crate) fn handler(name: &str, folder: &Path) -> String {
    let file = format!("{:?}", path(folder, name));
    HANDLER
        .replace("FILE", &file)
        .replace("NAME", &format!("{name:?}"))
}

/// When a handler began and ended with one event, in nanoseconds since 1970.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs {
    pub(crate) begun: Vec<i128>,
    pub(crate) ended: Vec<i128>,
}

/// What one handler recorded.
#[derive(Debug)]
struct Of {
    path: PathBuf,
    read: u64,
    runs: BTreeMap<String, Runs>,
    begun: usize,
    ended: usize,
}

/// What all of them recorded.
#[derive(Debug)]
pub(crate) struct Records(Mutex<Vec<Of>>);

impl Records {
    pub(crate) fn in_folder(folder: &Path) -> Records {
        let of = HANDLERS.map(|name| Of {
            path: path(folder, name),
            read: 0,
            runs: BTreeMap::new(),
            begun: 0,
            ended: 0,
        });
        Records(Mutex::new(of.into()))
    }

    /// How often one began.
    pub(crate) fn begun(&self) -> usize {
        self.look().iter().map(|of| of.begun).sum()
    }

    /// How often one ended.
    pub(crate) fn ended(&self) -> usize {
        self.look().iter().map(|of| of.ended).sum()
    }

    /// What a handler did with an event.
    pub(crate) fn runs(&self, handler: &str, id: &str) -> Runs {
        let of = self.look();
        let of = of.iter().zip(HANDLERS).find(|(_, name)| *name == handler);
        let (of, _) = of.expect("one of the handlers");
        of.runs.get(id).cloned().unwrap_or_default()
    }

    /// Whether the first handler came to an end with an event.
    pub(crate) fn is_kept(&self, id: &str) -> bool {
        let of = self.look();
        of[0].runs.get(id).is_some_and(|runs| !runs.ended.is_empty())
    }

    fn look(&self) -> MutexGuard<'_, Vec<Of>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter_mut().for_each(Of::read_on);
        all
    }
}

impl Of {
    fn read_on(&mut self) {
        let Ok(mut file) = File::open(&self.path) else {
            return;
        };
        let mut text = String::new();
        file.seek(SeekFrom::Start(self.read)).expect("a file of our own");
        file.read_to_string(&mut text).expect("handlers write text");
        // What is written just now is read the next time.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        for line in text[..whole].lines() {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("three words a line");
            let (what, id, at) = (word(), word(), word().parse().expect("a time"));
            let runs = self.runs.entry(id.to_owned()).or_default();
            if what == "begin" {
                self.begun += 1;
                runs.begun.push(at);
            } else {
                self.ended += 1;
                runs.ended.push(at);
            }
        }
    }
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.txt"))
}
