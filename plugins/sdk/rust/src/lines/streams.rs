//! Standard input and output become the protocol's alone: what the plugin, its libraries and its children print
//! goes to standard error, and they read nothing.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::AsFd as _,
};

/// The real input and output. What was printed before and not yet written goes to standard error as well.
///
/// # Errors
/// When the system has no descriptors left.
pub(super) fn take() -> io::Result<(File, File)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    // Whoever reads from now on finds the end. A pipe without a writer needs no file, which a fence may deny.
    let (nothing, writer) = io::pipe()?;
    drop(writer);
    rustix::stdio::dup2_stdin(&nothing)?;
    io::stdout().flush()?;
    Ok((File::from(input), File::from(output)))
}
