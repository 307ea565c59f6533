//! Which files and TCP ports a plugin reaches, and whom it may signal: Landlock.
//!
//! It never widens what a file's own mode allows. What may be read can also be interpreted: that only granted
//! programs are run keeps a plugin from starting others by accident and with their own rights, not from
//! computing whatever it likes.

use super::{
    enter::failed,
    orders::Orders,
    programs::{By, Programs},
    resolve::Places,
    system_calls::Cutting,
    user::Needed,
};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, NetPort, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreatedAttr, Scope,
};
use rustix::fs::FileType;
use std::path::PathBuf;

/// The newest version of the fence that is made use of.
pub(super) const NEWEST: ABI = ABI::V6;

/// What is granted to whom, found before any fence is up.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) programs: Programs,
    pub(super) libraries: Vec<(PathBuf, By)>,
    pub(super) places: Places,
}

impl Plan {
    /// Looks up the programs.
    pub(super) fn make(orders: &Orders) -> Result<Plan, String> {
        let places = Places::of(orders);
        let programs = Programs::of(orders, &places)?;
        let libraries = programs.libraries(&places);
        Ok(Plan {
            programs,
            libraries,
            places,
        })
    }

    /// Where plugins write.
    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    /// What a user of its own has to reach.
    pub(super) fn needed(&self, orders: &Orders) -> Vec<Needed> {
        let needed = |path: &PathBuf, bits: u32, by| Needed {
            path: path.clone(),
            bits,
            by,
        };
        let in_folder = |path: &PathBuf, bits: u32, by| {
            let bits = if path.is_dir() { bits | 0o1 } else { bits };
            needed(path, bits, by)
        };
        let by = By::Operator;
        let permissions = &orders.permissions;
        let own = [needed(&orders.path, 0o5, by)].into_iter();
        let own = own.chain(orders.folder.iter().map(|path| in_folder(path, 0o4, by)));
        let run = self.programs.all.iter().map(|(path, by)| needed(path, 0o5, *by));
        let libraries = self.libraries.iter().map(|(path, by)| in_folder(path, 0o4, *by));
        let read = permissions.read.iter().map(|path| in_folder(path, 0o4, by));
        let write = permissions.write.iter().map(|path| in_folder(path, 0o6, by));
        let unix = permissions.unix.iter().map(|path| needed(path, 0o2, by));
        let devices = permissions.devices.iter().map(|path| in_folder(path, 0o6, by));
        let granted = read.chain(write).chain(unix).chain(devices);
        own.chain(run).chain(libraries).chain(granted).collect()
    }

    /// Puts the fence up. Returns what was granted and has no effect, and what it does not see.
    pub(super) fn enforce(
        self,
        orders: &Orders,
        not_enforced: &mut Vec<String>,
    ) -> Result<(Vec<String>, Cutting), String> {
        let ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(NEWEST)))
            .and_then(|ruleset| ruleset.scope(Scope::from_all(NEWEST)))
            .and_then(Ruleset::create)
            .map_err(failed("make the fence of files"))?;
        let mut fence = Some(ruleset);
        let not_granted = self.openings(orders, &mut |found, access| {
            let access = match found.kind() {
                FileType::Directory => access,
                _ => access & AccessFs::from_file(NEWEST),
            };
            let made = fence.take().expect("it is always put back");
            let made = made.add_rule(PathBeneath::new(found.descriptor, access));
            fence = Some(made.map_err(failed("open a path"))?);
            Ok(())
        })?;
        let mut made = fence.expect("it is always put back");
        let permissions = &orders.permissions;
        let connect = permissions
            .tcp
            .iter()
            .map(|endpoint| (endpoint.port, AccessNet::ConnectTcp));
        let bind = permissions.listen.iter().map(|port| (*port, AccessNet::BindTcp));
        for (port, access) in connect.chain(bind) {
            made = made
                .add_rule(NetPort::new(port, access))
                .map_err(failed("open a port"))?;
        }
        let status = made
            .restrict_self()
            .map_err(failed("put up the fence of files"))?;
        not_enforced.extend(lacking(&status.landlock));
        Ok((not_granted, cutting(&status.landlock)))
    }
}

/// Whether cutting files off is left to the filter of system calls.
fn cutting(status: &LandlockStatus) -> Cutting {
    match status {
        LandlockStatus::Available { effective_abi, .. } if *effective_abi >= ABI::V3 => Cutting::Fenced,
        _ => Cutting::Unseen,
    }
}

/// What an older kernel leaves open.
fn lacking(status: &LandlockStatus) -> Vec<String> {
    let known = match status {
        LandlockStatus::NotEnabled => {
            return vec!["files, TCP ports and signals: Landlock is switched off in this kernel".to_owned()];
        }
        LandlockStatus::NotImplemented => {
            return vec!["files, TCP ports and signals: this kernel has no Landlock".to_owned()];
        }
        LandlockStatus::Available { effective_abi, .. } => *effective_abi,
    };
    let pieces = [
        (ABI::V4, "TCP ports"),
        (ABI::V5, "commands to devices"),
        (ABI::V6, "signals and abstract sockets"),
    ];
    let missing = pieces.iter().filter(|(since, _)| known < *since);
    let text = |(since, what): &(ABI, &str)| {
        format!(
            "{what}: Landlock of this kernel is version {}, it takes {}",
            known as i32, *since as i32
        )
    };
    missing.map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_kernel_says_what_it_leaves_open() {
        let of = |effective_abi| {
            lacking(&LandlockStatus::Available {
                effective_abi,
                kernel_abi: None,
            })
        };
        assert_eq!(of(ABI::V6), Vec::<String>::new());
        assert_eq!(of(ABI::V5).len(), 1);
        assert_eq!(of(ABI::V2).len(), 3);
        assert!(of(ABI::V3)[0].starts_with("TCP ports: "), "{:?}", of(ABI::V3));
        assert_eq!(lacking(&LandlockStatus::NotImplemented).len(), 1);
        for (version, left) in [(ABI::V3, Cutting::Fenced), (ABI::V2, Cutting::Unseen)] {
            let status = LandlockStatus::Available {
                effective_abi: version,
                kernel_abi: None,
            };
            assert_eq!(cutting(&status), left);
        }
    }
}
