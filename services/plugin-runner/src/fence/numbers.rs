//! The numbers of plugins' users: made of their names, the same on each host and after each start.
//!
//! Two names may come to one number. Those two plugins would be one user, so only the first of them runs.

use snooze_schemas::PluginName;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The first number: behind those that are handed out for containers, and before those that systemd has for
/// foreign images ("Users, Groups, UIDs and GIDs on systemd Systems").
const FIRST: u32 = 1_900_000_000;
/// So many, that two of 256 plugins share one in one of five hundred hosts.
const COUNT: u32 = 1 << 24;

/// The number of the user and group of a plugin, where plugins have users of their own.
#[must_use]
pub(crate) fn user_of(plugin: &str) -> u32 {
    let offset = u32::try_from(hash_of(plugin.as_bytes()) % u64::from(COUNT)).expect("less than 2^24");
    FIRST + offset
}

/// Whether a user is a plugin's, of this runner or of one before it.
pub(super) fn is_plugins(user: u32) -> bool {
    (FIRST..FIRST + COUNT).contains(&user)
}

/// FNV-1a: the standard library's hasher may change from release to release, and files outlive releases.
pub(super) fn hash_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Which plugin has which number, for as long as the runner runs: files of one that was removed may be there still.
#[derive(Debug, Clone, Default)]
pub struct Users(Arc<Mutex<BTreeMap<u32, PluginName>>>);

impl Users {
    /// The number of a plugin, which is its own from then on.
    ///
    /// # Errors
    /// Whose it is already.
    pub(super) fn claim(&self, plugin: &PluginName) -> Result<u32, String> {
        let number = user_of(plugin.as_str());
        // Where plugins cannot be other users, they are all the runner's, whatever the number.
        if !rustix::process::geteuid().is_root() {
            return Ok(number);
        }
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = held.entry(number).or_insert_with(|| plugin.clone());
        if holder == plugin {
            Ok(number)
        } else {
            Err(format!(
                "its name comes to the same user, {number}, as that of {holder}: give one of them another name"
            ))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_plugins_user_is_its_own_and_stays_the_same() {
        // Files of plugins belong to these numbers; they must not change from release to release.
        assert_eq!(user_of("redis-monitor"), 1_905_225_563);
        let users: BTreeSet<u32> = (0..256)
            .map(|number| user_of(&format!("plugin-{number}")))
            .collect();
        assert_eq!(users.len(), 256);
        assert!(users.iter().all(|user| is_plugins(*user)));
    }

    #[test]
    fn of_two_names_that_come_to_one_user_only_the_first_has_it() {
        let mut names = BTreeMap::new();
        let clash = (0..100_000).find_map(|number| {
            let name = format!("plugin-{number}");
            let earlier = names.insert(user_of(&name), name.clone())?;
            Some((earlier, name))
        });
        let (first, second) = clash.expect("two of a hundred thousand do");
        let name = |text: &str| text.parse::<PluginName>().expect("a name");
        let users = Users::default();
        for _ in 0..2 {
            assert_eq!(users.clone().claim(&name(&first)), Ok(user_of(&first)));
            let claimed = users.claim(&name(&second));
            if rustix::process::geteuid().is_root() {
                let why = claimed.expect_err("it is the first one's");
                assert!(why.contains(&format!("as that of {first}: ")), "{why}");
            } else {
                assert_eq!(claimed, Ok(user_of(&first)));
            }
        }
        assert!(users.claim(&name("another")).is_ok());
    }
}
