//! What it takes of a processor to ask an instance's metadata service every second, beside the same questions
//! written to a socket by hand.
//!
//! Prints a table and writes the same to `target/bench/metadata.json`, one object a row. The service is AWS's own
//! mock, a process of its own that is not counted; nothing is announced. `-- --seconds N` measures for another time
//! than two minutes.

#![expect(clippy::disallowed_methods, reason = "a benchmark waits by the real clock")]

use snooze_benchmarks::{Cost, Figure, Goal, Report};
use snooze_event_gateway::source::{
    Notices,
    aws_metadata::{Settings, watch},
};
use snooze_service_runtime::Clocks;
use snooze_test_harness::Ec2Metadata;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// For how long is measured unless somebody says otherwise.
const MEASURED: Duration = Duration::from_secs(120);
/// The spread is told in so many parts.
const SLICES: u32 = 4;
/// What it is to take of one core.
const GOAL_PERCENT: f64 = 0.02;
const POLL: Duration = Duration::from_secs(1);

const PATHS: [&str; 4] = [
    "/latest/meta-data/spot/instance-action",
    "/latest/meta-data/events/recommendations/rebalance",
    "/latest/meta-data/autoscaling/target-lifecycle-state",
    "/latest/meta-data/events/maintenance/scheduled",
];

fn main() {
    let slice = seconds().unwrap_or(MEASURED) / SLICES;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let service = runtime.block_on(Ec2Metadata::start(&["spot", "--mock-delay-sec", "86400"]));
    let by_hand = {
        let mut line = Line::to(&service.url());
        let mut next = Instant::now();
        slices(slice, |until| {
            while next < until {
                thread::sleep(next.saturating_duration_since(Instant::now()));
                PATHS.iter().for_each(|path| line.ask("GET", path));
                next += POLL;
            }
        })
    };
    let (notices, _told) = Notices::channel();
    let settings = Settings {
        endpoint: service.url(),
        ..Settings::default()
    };
    let watched = watch(settings, Clocks::real(), notices, CancellationToken::new());
    let mut watched = Box::pin(watched);
    // The first round, with the token, the document and the history, is behind it.
    let mut run = |until: Instant| {
        runtime.block_on(async {
            let done = tokio::time::timeout_at(until.into(), &mut watched).await;
            assert!(done.is_err(), "a source never ends by itself");
        });
    };
    run(Instant::now() + 2 * POLL);
    let ours = slices(slice, run);

    let mut report = Report::default();
    report.add(Figure {
        row: "asking the AWS metadata service every second".to_owned(),
        unit: "% of a core",
        ours: mean(&ours),
        values: ours,
        beside: Some(("by hand".to_owned(), mean(&by_hand))),
        goal: Some(Goal::AtMost(GOAL_PERCENT)),
    });
    print!("{}", report.table());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    report.write(&folder, "metadata").expect("target can be written");
}

/// What this process takes in each slice, in percent of a core.
fn slices(slice: Duration, mut run: impl FnMut(Instant)) -> Vec<f64> {
    let cost = || Cost::of(std::process::id()).expect("one's own process is there");
    let mut values = Vec::new();
    for _ in 0..SLICES {
        let (before, begun) = (cost(), Instant::now());
        run(begun + slice);
        let nanoseconds = u32::try_from(cost().processor_ns_since(&before)).expect("less than four seconds");
        values.push(f64::from(nanoseconds) / 1e7 / begun.elapsed().as_secs_f64());
    }
    values
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / f64::from(SLICES)
}

/// Questions written as bytes, and answers skipped as bytes: the least that it can take.
struct Line {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Line {
    fn to(url: &str) -> Line {
        let address = url.strip_prefix("http://").expect("its own address");
        let stream = TcpStream::connect(address).expect("the service listens");
        stream.set_nodelay(true).expect("a socket");
        let mut line = Line {
            stream: BufReader::new(stream),
            token: String::new(),
        };
        line.ask("PUT", "/latest/api/token");
        line
    }

    fn ask(&mut self, method: &str, path: &str) {
        let header = match method {
            "PUT" => "-ttl-seconds: 21600".to_owned(),
            _ => format!(": {}", self.token),
        };
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: h\r\nX-aws-ec2-metadata-token{header}\r\n\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(request.as_bytes()).expect("the service listens");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("the service answers");
            if let Some(text) = line.strip_prefix("Content-Length: ") {
                length = text.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("the whole answer");
        if method == "PUT" {
            self.token = String::from_utf8(body).expect("a token").trim().to_owned();
        }
    }
}

/// `--seconds N`, where it was given.
fn seconds() -> Option<Duration> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seconds");
    let text = arguments.nth(1)?;
    let seconds = text.parse().expect("--seconds takes a whole number of seconds");
    Some(Duration::from_secs(seconds))
}
