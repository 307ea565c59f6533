//! The program `snooze`.

use std::process::ExitCode;

fn main() -> ExitCode {
    snooze_cli::run()
}
