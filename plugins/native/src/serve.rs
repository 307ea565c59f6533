//! A native plugin as if it were a child process: to try one by hand, and to ask it what every plugin is asked.
//!
//! It reads no meaning into a line, and adds none.

use crate::Library;
use std::io::{self, BufRead, Read as _, Write};

/// Of a longer line the plugin gets the beginning, which it cannot read, as it says then.
const LINE_LIMIT: u64 = 1024 * 1024 + 1;

/// Answers each line with the library's answer, until the input ends.
///
/// # Errors
/// When a line cannot be read, or an answer not written.
pub fn serve(library: &mut Library, mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        input.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            input.skip_until(b'\n')?;
        }
        output.write_all(&library.answer(&line))?;
        output.flush()?;
    }
}
