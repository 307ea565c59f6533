//! Whose a credentials file is: a line for our own programs between the two blocks that NATS clients read.
//!
//! A user's claims hold its name and not its role, which is in the key that signed them. Nothing is allowed by this
//! line: it says where answers are waited for, and the server denies that to everybody else.

use crate::roles::{Role, User};

/// What the line begins with.
const HOLDER: &str = "snooze user: ";

/// The line.
pub(super) fn line(user: &User) -> String {
    format!("{HOLDER}{} {}", user.role(), user.name())
}

/// Role and name of the user whose credentials a text holds; none where it does not say, as in what was not made
/// by [`Keys`](super::Keys).
#[must_use]
pub fn holder_of(credentials: &str) -> Option<(Role, String)> {
    let said = credentials.lines().find_map(|line| line.strip_prefix(HOLDER))?;
    let (role, name) = said.split_once(' ')?;
    let role = Role::ALL.into_iter().find(|known| known.as_str() == role)?;
    Some((role, name.to_owned()))
}
