//! Which boot of which machine this is, and which start of this process (rule I2).
//!
//! It never guesses: an identity that cannot be read is an error.

use std::{fmt, path::Path};

/// Where Linux keeps the boot id.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why the identity is not known.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The kernel's file could not be read.
    #[error("read the boot id from {BOOT_ID}")]
    ReadBootId(#[source] std::io::Error),
    /// It holds something else.
    #[error("the boot id in {BOOT_ID} is {0:?}, not a UUID")]
    ReadBootIdFormat(String),
}

/// The id of this boot: another one after every restart, the same after a hibernation.
///
/// # Errors
/// When the kernel's file cannot be read or holds no UUID.
pub fn boot_id() -> Result<String, IdentityError> {
    boot_id_at(Path::new(BOOT_ID))
}

fn boot_id_at(path: &Path) -> Result<String, IdentityError> {
    let text = std::fs::read_to_string(path).map_err(IdentityError::ReadBootId)?;
    let id = text.trim();
    if id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        Ok(id.to_owned())
    } else {
        Err(IdentityError::ReadBootIdFormat(id.chars().take(40).collect()))
    }
}

/// The machine's own name, as the kernel has it.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// One start of one process: random, so that two agents under one host id can be told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AgentId(String);

impl AgentId {
    /// A new one: 128 random bits as 32 hexadecimal digits.
    #[must_use]
    pub fn fresh() -> AgentId {
        AgentId(format!("{:032x}", rand::random::<u128>()))
    }

    /// As it goes into messages.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i2_every_start_of_an_agent_has_its_own_id() {
        let (one, two) = (AgentId::fresh(), AgentId::fresh());
        assert_ne!(one, two);
        assert_eq!(one.as_str().len(), 32);
    }

    #[test]
    fn i2_the_boot_id_stays_the_same_within_a_boot() {
        assert_eq!(boot_id().expect("reads"), boot_id().expect("reads"));
    }

    #[test]
    fn a_boot_id_that_is_no_uuid_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "not a boot id\n").expect("writes");
        assert!(matches!(
            boot_id_at(file.path()),
            Err(IdentityError::ReadBootIdFormat(_))
        ));
        assert!(matches!(
            boot_id_at(Path::new("/nonexistent")),
            Err(IdentityError::ReadBootId(_))
        ));
    }

    #[test]
    fn the_host_has_a_name() {
        assert!(!host_name().is_empty());
    }
}
