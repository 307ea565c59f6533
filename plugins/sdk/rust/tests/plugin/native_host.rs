//! Asks a native plugin what comes on standard input, as the conformance suite asks a child process.

use std::{fs, io, process::ExitCode};

fn main() -> ExitCode {
    match host() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("native-host: {error}");
            ExitCode::FAILURE
        }
    }
}

fn host() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("which library?")?;
    let mut library = snooze_native::Library::open(&fs::read(path)?)?;
    // The standard output is the protocol's: what the library prints goes where its complaints go.
    let output = rustix::io::dup(rustix::stdio::stdout())?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    snooze_native::serve(&mut library, io::stdin().lock(), fs::File::from(output))?;
    Ok(())
}
