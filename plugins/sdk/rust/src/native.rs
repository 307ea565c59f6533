//! The plugin as a library that is loaded into the runner: the same lines as on standard input and output, one
//! call each.

use crate::{dispatch::Session, lines::Conversation, plugin::Plugin};
use snooze_native::Exported;

/// Shuts the plugin down at its end, where nobody has asked it to.
struct Ending<P: Plugin>(Session<P>);

impl<P: Plugin> Drop for Ending<P> {
    fn drop(&mut self) {
        if let Err(failure) = self.0.end() {
            eprintln!("snooze-plugin: shut down: {}", failure.text);
        }
    }
}

/// What the macro [`native`](crate::native!) exports.
#[must_use]
pub fn exported<P: Plugin>(plugin: P) -> Exported {
    let (mut session, mut conversation) = (Ending(Session::new(plugin)), Conversation::default());
    Exported::new(move |line| conversation.answer(&mut session.0, line))
}
