//! One CheckIdle over stdio beside the bare loop over the same pipes, and one over NATS beside bare
//! request-reply to the same answerer.
//!
//! Prints a table and writes the same to `target/bench/check-idle.json`, one object a row. The compiled
//! plugin is this very program under another name.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures by the real clock, beside bare programs"
)]

use futures_util::future::join_all;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};
use snooze_bus::{Bus, PluginMethod, Subject, User};
use snooze_plugin_runner::{
    Restarts, SEARCH_PATH,
    asking::{NatsPlugin, Plugin, Program, Runtime, Settings, Stage, StdioPlugin},
};
use snooze_schemas::{HostId, PluginName, metrics::Metrics};
use snooze_test_harness::NatsServer;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

const RUNS: usize = 5_000;
const WARM: usize = 200;
/// How often those that are measured beside each other take turns.
const TURNS: usize = 20;
const WITHIN: Duration = Duration::from_secs(5);
/// The name under which this program is a plugin.
const AS_PLUGIN: &str = "compiled-plugin";
const ANSWER: &str = r#"{"is_idle":true,"reason":"no connections","details":{"connection_count":0}}"#;

const PYTHON: &str = r#"#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    result = {"is_idle": True, "reason": "no connections", "details": {"connection_count": 0}}
    print(json.dumps({"result": result, "id": request["id"]}))
    sys.stdout.flush()
"#;

/// Introduces itself and says nothing more.
const SILENT: &str = r#"#!/bin/sh
while read -r line; do
    case $line in
        *CheckIdle*) ;;
        *) echo "{\"error\":\"Unknown method\",\"id\":${line##*:}" ;;
    esac
done
"#;

fn main() {
    let name = std::env::args().next().unwrap_or_default();
    if Path::new(&name).file_name().is_some_and(|name| name == AS_PLUGIN) {
        return be_a_plugin();
    }
    let folder = tempfile::tempdir().expect("a folder");
    let compiled = folder.path().join(AS_PLUGIN);
    symlink(
        std::env::current_exe().expect("this program has a path"),
        &compiled,
    )
    .expect("links");
    let python = folder.path().join("python-plugin");
    fs::write(&python, PYTHON).expect("writes");
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).expect("sets the mode");

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut rows = Vec::new();
    for (what, path) in [("a compiled plugin", &compiled), ("a Python plugin", &python)] {
        let (ours, bare) = runtime.block_on(over_stdio(path, folder.path()));
        rows.push(row(
            &format!("CheckIdle over stdio, {what}"),
            &ours,
            "bare loop",
            &bare,
            2.0,
        ));
    }
    let [all, beside_hung, slowest] = runtime.block_on(fifty(&compiled, folder.path()));
    rows.push(fifty_row("50 plugins asked at once", &all, &slowest));
    rows.push(fifty_row(
        "the same, while another one hangs",
        &beside_hung,
        &slowest,
    ));
    let (ours, theirs, bare) = runtime.block_on(over_nats());
    rows.push(row(
        "CheckIdle over NATS",
        &ours,
        "bare request-reply, same client library",
        &theirs,
        1.3,
    ));
    rows.push(row(
        "CheckIdle over NATS",
        &ours,
        "bare request-reply, blocking socket",
        &bare,
        1.3,
    ));

    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    fs::create_dir_all(&target).expect("target can be written");
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    fs::write(
        target.join("check-idle.json"),
        format!("[\n{}\n]\n", lines.join(",\n")),
    )
    .expect("target can be written");
}

/// Answers every line, whatever it asks, as fast as a program can.
fn be_a_plugin() {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line).is_ok_and(|count| count > 0) {
        let id = line
            .trim_end()
            .trim_end_matches('}')
            .rsplit(':')
            .next()
            .unwrap_or("0");
        writeln!(output, "{{\"result\":{ANSWER},\"id\":{id}}}").expect("the runner reads");
        output.flush().expect("the runner reads");
        line.clear();
    }
}

/// Microseconds of each run, sorted.
struct Times(Vec<f64>);

impl Times {
    fn new(mut times: Vec<f64>) -> Times {
        times.drain(..WARM.min(times.len() / 10));
        times.sort_by(f64::total_cmp);
        Times(times)
    }

    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }
}

fn micros(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e6
}

fn row(name: &str, ours: &Times, beside: &str, theirs: &Times, goal: f64) -> Value {
    let ratio = ours.median() / theirs.median();
    let met = if ratio <= goal { "met" } else { "missed" };
    println!(
        "{name:<42} {:>8.1} µs   {beside}: {:.1} µs   ratio {ratio:.2}, goal {goal}: {met}",
        ours.median(),
        theirs.median()
    );
    json!({
        "row": name, "ours": ours.median(), "unit": "µs", "beside": beside, "beside_value": theirs.median(),
        "ratio": ratio, "goal": format!("<= {goal} x"), "met": ratio <= goal, "runs": ours.0.len(),
        "min": ours.0.first(), "max": ours.0.last(),
    })
}

fn fifty_row(name: &str, all: &Times, slowest: &Times) -> Value {
    let beyond = all.median() - slowest.median();
    let met = beyond <= 5_000.0;
    println!(
        "{name:<42} {:>8.1} µs   the slowest of them alone: {:.1} µs   goal 5000 µs more: {}",
        all.median(),
        slowest.median(),
        if met { "met" } else { "missed" }
    );
    json!({
        "row": name, "ours": all.median(), "unit": "µs", "beside": "the slowest of them alone",
        "beside_value": slowest.median(), "ratio": all.median() / slowest.median(), "goal": "<= 5000 µs more",
        "met": met, "runs": all.0.len(), "min": all.0.first(), "max": all.0.last(),
    })
}

/// Writes the same line and reads the answer, and does nothing else.
struct BareLoop {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl BareLoop {
    fn start(plugin: &Path) -> BareLoop {
        let mut child = Command::new(plugin)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the plugin starts");
        let input = child.stdin.take().expect("it was asked for");
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        BareLoop { child, input, output }
    }

    fn timed(&mut self, runs: usize) -> Vec<f64> {
        let question = json!({"method": "CheckIdle", "params": {"metrics": metrics()}, "id": 12_345});
        let question = format!("{question}\n");
        let mut line = String::new();
        let times = (0..runs).map(|_| {
            let begun = Instant::now();
            self.input.write_all(question.as_bytes()).expect("it reads");
            line.clear();
            self.output.read_line(&mut line).expect("it answers");
            micros(begun)
        });
        times.collect()
    }

    fn end(mut self) {
        drop(self.input);
        self.child.wait().expect("it ends");
    }
}

fn metrics() -> Metrics {
    Metrics {
        cpu_usage: Some(1.5),
        memory_usage: Some(25.0),
        network_traffic: Some(0.1),
        disk_io: Some(0.5),
        gpu_usage: None,
        timestamp: Some(1_650_000_000),
    }
}

fn host() -> HostId {
    "bench".parse().expect("a host id")
}

async fn started(path: &Path, home: &Path) -> (Arc<Plugin>, Arc<StdioPlugin>) {
    let settings = Settings {
        program: Program {
            path: path.to_owned(),
            search_path: SEARCH_PATH.to_owned(),
            home: home.to_owned(),
            fence: None,
        },
        manifest: None,
        name: "benched".parse().expect("a name"),
        handshake_limit: WITHIN,
        restarts: Restarts::default(),
    };
    let process = StdioPlugin::new(settings, Arc::default());
    tokio::spawn(process.clone().supervise());
    let mut stage = process.stage();
    drop(
        stage
            .wait_for(|stage| *stage == Stage::Running)
            .await
            .expect("it runs"),
    );
    (Plugin::new(Runtime::Process(process.clone())), process)
}

async fn asked(plugin: &Arc<Plugin>, runs: usize) -> Times {
    Times::new(timed(plugin, runs).await)
}

async fn timed(plugin: &Arc<Plugin>, runs: usize) -> Vec<f64> {
    let (metrics, host) = (metrics(), host());
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let begun = Instant::now();
        let said = plugin
            .check_idle(&metrics, &host, WITHIN)
            .await
            .expect("it answers");
        times.push(micros(begun));
        assert!(said.is_idle);
    }
    times
}

/// Ours and the bare loop. They take turns, so that what else the machine does meanwhile hits both, and all of them are
/// on one core: whether the two ends of a pipe share one is a matter of 5 µs or 40 µs, and the kernel's.
async fn over_stdio(path: &Path, home: &Path) -> (Times, Times) {
    let all = sched_getaffinity(None).expect("it says which cores there are");
    sched_setaffinity(None, &one_of(&all)).expect("it may choose among its own");
    let (plugin, process) = started(path, home).await;
    let mut bare_loop = BareLoop::start(path);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.extend(timed(&plugin, RUNS / TURNS).await);
        // Nothing else is to be done by this thread, so it may be blocked.
        bare.extend(bare_loop.timed(RUNS / TURNS));
    }
    process.stop();
    bare_loop.end();
    sched_setaffinity(None, &all).expect("it may choose among its own");
    (Times::new(ours), Times::new(bare))
}

/// The first core of these.
fn one_of(all: &CpuSet) -> CpuSet {
    let mut one = CpuSet::new();
    let first = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core));
    one.set(first.expect("it runs on one"));
    one
}

/// All fifty at once, the same while another plugin does not answer, and the slowest of them when it is asked alone.
async fn fifty(path: &Path, home: &Path) -> [Times; 3] {
    let plugins = join_all((0..50).map(|_| started(path, home))).await;
    let asking = plugins
        .iter()
        .map(|(plugin, _)| plugin.clone())
        .collect::<Vec<_>>();
    let all = at_once(&asking).await;
    let silent = home.join("silent-plugin");
    fs::write(&silent, SILENT).expect("writes");
    fs::set_permissions(&silent, fs::Permissions::from_mode(0o755)).expect("sets the mode");
    let (hung, process) = started(&silent, home).await;
    let asked_in_vain = tokio::spawn(async move {
        let (metrics, host) = (metrics(), host());
        hung.check_idle(&metrics, &host, Duration::from_secs(600)).await
    });
    let beside_hung = at_once(&asking).await;
    assert!(!asked_in_vain.is_finished(), "it hangs all the while");
    asked_in_vain.abort();
    process.stop();
    let mut alone = Vec::new();
    for plugin in &asking {
        alone.push(asked(plugin, 50).await);
    }
    for (_, process) in &plugins {
        process.stop();
    }
    let slowest = alone
        .into_iter()
        .max_by(|one, other| one.median().total_cmp(&other.median()));
    [all, beside_hung, slowest.expect("there are fifty")]
}

async fn at_once(plugins: &[Arc<Plugin>]) -> Times {
    let (metrics, host) = (metrics(), host());
    let mut all = Vec::new();
    for _ in 0..500 {
        let begun = Instant::now();
        join_all(
            plugins
                .iter()
                .map(|plugin| plugin.check_idle(&metrics, &host, WITHIN)),
        )
        .await;
        all.push(micros(begun));
    }
    Times::new(all)
}

/// Ours, the same client library with nothing of ours around the body, and a blocking socket. They take
/// turns, so that what else the machine does meanwhile hits all three.
async fn over_nats() -> (Times, Times, Times) {
    let server = NatsServer::open().await;
    let plugin: PluginName = "benched".parse().expect("a name");
    let subject = Subject::HostPlugin {
        host: host(),
        plugin: plugin.clone(),
        method: PluginMethod::CheckIdle,
    }
    .to_string();
    let mut answerer = Socket::connect(server.address());
    answerer.send(&format!("SUB {subject} 1\r\n"));
    answerer.sync();
    std::thread::spawn(move || answerer.answer_until_the_end());
    let mut asker = Socket::connect(server.address());
    asker.send("SUB _INBOX.bench 1\r\n");
    asker.sync();

    let bus: Bus = server.bus(&User::host(&host())).await;
    let asked_by_us = Plugin::new(Runtime::Nats(NatsPlugin::new(
        bus.clone(),
        host(),
        plugin,
        std::sync::Arc::default(),
    )));
    let question = serde_json::to_vec(&json!({"metrics": metrics(), "host": host()})).expect("JSON");
    let (mut ours, mut theirs, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.extend(timed(&asked_by_us, RUNS / TURNS).await);
        for _ in 0..RUNS / TURNS {
            let begun = Instant::now();
            let answer = bus
                .raw_request(&subject, &[], &question, WITHIN)
                .await
                .expect("an answer");
            theirs.push(micros(begun));
            assert!(!answer.payload.is_empty());
        }
        // Nothing else is to be done by this thread, so it may be blocked.
        for _ in 0..RUNS / TURNS {
            let begun = Instant::now();
            asker.publish(&subject, "_INBOX.bench", &question);
            asker.message();
            bare.push(micros(begun));
        }
    }
    (Times::new(ours), Times::new(theirs), Times::new(bare))
}

/// The NATS client protocol on a blocking socket, as little of it as there can be.
struct Socket {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Socket {
    fn connect(address: std::net::SocketAddr) -> Socket {
        let output = TcpStream::connect(address).expect("the server listens");
        output.set_nodelay(true).expect("a socket");
        let input = BufReader::new(output.try_clone().expect("a socket"));
        let mut socket = Socket { input, output };
        socket.send("CONNECT {\"verbose\":false}\r\n");
        socket.sync();
        socket
    }

    fn send(&mut self, text: &str) {
        self.output.write_all(text.as_bytes()).expect("the server reads");
    }

    fn sync(&mut self) {
        self.send("PING\r\n");
        while !self.line().starts_with("PONG") {}
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.input.read_line(&mut line).expect("the server writes");
        line
    }

    fn publish(&mut self, subject: &str, reply: &str, payload: &[u8]) {
        let mut message = format!("PUB {subject} {reply} {}\r\n", payload.len()).into_bytes();
        message.extend_from_slice(payload);
        message.extend_from_slice(b"\r\n");
        self.output.write_all(&message).expect("the server reads");
    }

    fn message(&mut self) {
        self.next_message().expect("the server is there");
    }

    /// The reply subject of the next message; nothing once the server is gone.
    fn next_message(&mut self) -> Option<String> {
        loop {
            let line = self.line();
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.first().copied() {
                Some("MSG" | "HMSG") => {
                    let length: usize = words
                        .last()
                        .and_then(|length| length.parse().ok())
                        .expect("a length");
                    let mut payload = vec![0; length + 2];
                    std::io::Read::read_exact(&mut self.input, &mut payload).expect("the server writes");
                    return Some(words.get(3).copied().unwrap_or_default().to_owned());
                }
                Some("PING") => self.send("PONG\r\n"),
                Some(_) => {}
                None => return None,
            }
        }
    }

    /// Ends when the server does.
    fn answer_until_the_end(mut self) {
        while let Some(reply) = self.next_message() {
            self.publish(&reply, "", ANSWER.as_bytes());
        }
    }
}
