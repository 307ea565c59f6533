//! What makes a type a message: its kind, which travels in the `Snooze-Kind` header.

use serde::{Serialize, de::DeserializeOwned};

/// The only version of the messages so far; travels in the `Snooze-Version` header.
pub const VERSION: u32 = 1;

/// A type that is sent as a message of its own.
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The value of the `Snooze-Kind` header, as `verdict`.
    const KIND: &'static str;

    /// Whether receiving it changes anything. One that does is refused without its kind-and-version
    /// header, so that no server and no stranger can make a service send it (rule I3).
    const HAS_EFFECT: bool = true;

    /// The host that the body names, where it names one: a request whose subject names another is refused.
    fn host(&self) -> Option<&crate::HostId> {
        None
    }
}
