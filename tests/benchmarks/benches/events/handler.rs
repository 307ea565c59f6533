//! The plugin that the measured host handles its events with: this very program under another name, which says when
//! it began with each.
//!
//! It does nothing else, so that what is measured is the way to it.

use serde_json::{Value, json};
use snooze_schemas::Timestamp;
use std::{
    env,
    io::{BufRead, Write, stdin, stdout},
    path::Path,
};

/// The name under which this program is a plugin.
pub(crate) const NAME: &str = "bench-handler";

/// Whether it was started as one.
pub(crate) fn is_asked_for() -> bool {
    let program = env::args().next().unwrap_or_default();
    Path::new(&program).file_name().is_some_and(|name| name == NAME)
}

/// Answers line by line until its input ends.
pub(crate) fn run() {
    let (mut input, mut output) = (stdin().lock(), stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line).is_ok_and(|count| count > 0) {
        let began_at = Timestamp::now();
        let request: Value = serde_json::from_str(&line).expect("the runner writes JSON");
        let answer = answer(&request, began_at);
        writeln!(output, "{answer}").expect("the runner reads");
        output.flush().expect("the runner reads");
        line.clear();
    }
}

fn answer(request: &Value, began_at: Timestamp) -> Value {
    let id = &request["id"];
    match request["method"].as_str().unwrap_or_default() {
        "Info" => json!({"result": {"name": NAME, "version": "1.0.0"}, "id": id}),
        "HandleEvent" => {
            let noticed_at = &request["params"]["event"]["noticed_at"];
            let details = json!({"began_at": began_at, "noticed_at": noticed_at});
            json!({"result": {"handled": true, "succeeded": true, "message": "", "details": details}, "id": id})
        }
        other => json!({"error": format!("Unknown method: {other}"), "id": id}),
    }
}
