//! The plugin as a child process: a request a line on standard input, an answer a line on standard output. One
//! at a time, in the thread of `main`.

mod conversation;
mod input;
mod streams;

use crate::{
    dispatch::Session,
    failure::{Failure, NO_JSON},
    plugin::{Plugin, Result},
};
pub(crate) use conversation::Conversation;
use input::{Line, Lines};
use std::io::Write as _;

/// Longer is no line: neither read nor written.
pub(crate) const MAX_LINE: usize = 1024 * 1024;

/// Answers until the input ends or a signal asks for the end, and shuts the plugin down.
///
/// # Errors
/// When the streams cannot be had, read or written, or the plugin cannot be shut down.
pub(crate) fn serve<P: Plugin>(plugin: P) -> Result<()> {
    let (input, mut output) =
        streams::take().map_err(|error| format!("take over the standard streams: {error}"))?;
    let mut lines = Lines::new(input).map_err(|error| format!("listen to signals: {error}"))?;
    let mut session = Session::new(plugin);
    let mut conversation = Conversation::default();
    let ended: Result<()> = loop {
        let answer = match lines.next() {
            Ok(Line::Whole(line)) => conversation.answer(&mut session, &line),
            Ok(Line::TooLong) => {
                let text = format!("a line has {MAX_LINE} bytes at most");
                Some(conversation.refuse(&Failure::new(NO_JSON, &text)))
            }
            Ok(Line::End) => break Ok(()),
            Err(error) => break Err(format!("read standard input: {error}").into()),
        };
        // All at once: half an answer would be no answer to whoever reads.
        if let Some(Err(error)) = answer.map(|answer| output.write_all(&answer)) {
            break Err(format!("write standard output: {error}").into());
        }
    };
    let shut_down = session.end();
    ended?;
    shut_down.map_err(|failure| format!("shut down: {}", failure.text).into())
}
