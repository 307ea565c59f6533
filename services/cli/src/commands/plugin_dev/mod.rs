//! `snooze plugin new`, `test`, `run` and `package`: what an author does with a plugin's folder.
//!
//! None of it speaks to a bus that is not its own. A plugin's own code runs in its fences and with what its manifest
//! asks for, but for one that runs by itself, which no host fences; its `build` runs as the author's program that it is.

mod by_itself;
mod documentation;
mod folder;
mod new;
mod package;
mod run;
mod test;

use crate::{arguments::Development, home::Home};
use folder::Folder;
pub(super) use package::packed;
use snooze_service_runtime::{CancellationToken, Exit, Failure};

/// Does one of them. `run` goes on until the token is cancelled and ends in order then; `test` says what it knows then; of
/// the others what is given up is not done, and says so.
pub(crate) async fn run(
    command: Development,
    home: &Home,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    match command {
        Development::New(arguments) => new::new(&arguments),
        Development::Run(arguments) => Box::pin(run::run(&arguments, home, shutdown)).await,
        Development::Test(arguments) => Box::pin(test::test(&arguments, home, &shutdown)).await,
        Development::Package(arguments) => unless_given_up(package::package(&arguments), &shutdown).await,
    }
}

/// What it started is killed where it is given up.
async fn unless_given_up<T>(
    done: impl Future<Output = Result<T, Failure>>,
    shutdown: &CancellationToken,
) -> Result<T, Failure> {
    let given_up = || Failure::new(Exit::Failed, "interrupted before it was done");
    shutdown
        .run_until_cancelled(done)
        .await
        .unwrap_or_else(|| Err(given_up()))
}
