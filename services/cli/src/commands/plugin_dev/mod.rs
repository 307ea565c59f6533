//! `snooze plugin new`, `test` and `package`: what an author does with a plugin's folder.
//!
//! None of it speaks to a bus that is not its own. A plugin's own code runs in its fences and with what its manifest
//! asks for; its `build` runs as the author's program that it is.

mod documentation;
mod folder;
mod new;
mod package;
mod scratch;
mod test;

use crate::arguments::Development;
use folder::Folder;
use snooze_service_runtime::Failure;

/// Does one of them.
pub(crate) async fn run(command: Development) -> Result<(), Failure> {
    match command {
        Development::New(arguments) => new::new(&arguments),
        Development::Test(arguments) => test::test(&arguments).await,
        Development::Package(arguments) => package::package(&arguments).await,
    }
}
