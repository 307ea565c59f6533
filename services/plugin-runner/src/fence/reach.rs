//! Which files and TCP ports a plugin reaches, and whom it may signal: Landlock.
//!
//! It never widens what a file's own mode allows. What may be read can also be interpreted: that only granted
//! programs are run keeps a plugin from starting others by accident and with their own rights, not from
//! computing whatever it likes.

use super::{
    enter::failed,
    orders::Orders,
    programs::{By, Programs},
    resolve::{Lost, Places},
    system_calls::Cutting,
    user::Needed,
};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};
use std::path::{Path, PathBuf};

/// The newest version of the fence that is made use of.
const NEWEST: ABI = ABI::V6;

/// What every plugin may read: nothing of it is secret, and ordinary programs of Python, Node.js, Go and the
/// shell were seen to need it or to fail without a word.
const READABLE: [&str; 33] = [
    // Programs and libraries.
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/alternatives",
    // Names, of the network and of people.
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/passwd",
    "/etc/group",
    // Time and language.
    "/etc/localtime",
    "/etc/timezone",
    "/etc/locale.alias",
    // Whom TLS trusts; not the private keys beside it.
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates",
    // How the machine is, which is what plugins vote on.
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
];

/// A process's view of itself: runtimes read their own memory use there.
const ITSELF: &str = "/proc/self";

/// What every plugin may read and write.
const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/full"];
/// What every plugin may read besides.
const SOURCES: [&str; 2] = ["/dev/urandom", "/dev/random"];

/// What is granted to whom, found before any fence is up.
#[derive(Debug)]
pub(super) struct Plan {
    programs: Programs,
    libraries: Vec<(PathBuf, By)>,
    places: Places,
}

impl Plan {
    /// Looks up the programs.
    pub(super) fn make(orders: &Orders) -> Result<Plan, String> {
        let places = Places::of(orders);
        let programs = Programs::of(orders, &places)?;
        let libraries = programs.libraries();
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
        let Programs {
            all: programs,
            mut not_granted,
        } = self.programs;
        let places = &self.places;
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let run = AccessFs::ReadFile | AccessFs::Execute;
        let write = AccessFs::from_all(NEWEST)
            & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
        let commands = read | AccessFs::WriteFile | AccessFs::IoctlDev;
        let ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(NEWEST)))
            .and_then(|ruleset| ruleset.scope(Scope::from_all(NEWEST)))
            .and_then(Ruleset::create)
            .map_err(failed("make the fence of files"))?;
        let mut fence = Some(ruleset);
        let base = READABLE.iter().chain([&ITSELF]).chain(&SOURCES).map(Path::new);
        let base = base
            .chain(self.libraries.iter().map(|(path, _)| path.as_path()))
            .chain(orders.folder.as_deref());
        // Which of these there are differs from system to system.
        for path in base {
            if let Err(led @ Lost::Led { .. }) = allow(&mut fence, places, path, read)? {
                not_granted.push(format!("read {}: {led}", path.display()));
            }
        }
        let both = AccessFs::ReadFile | AccessFs::WriteFile;
        for path in DEVICES {
            drop(allow(&mut fence, places, Path::new(path), both)?);
        }
        for path in programs.keys().chain([&orders.path]) {
            if let Err(led @ Lost::Led { .. }) = allow(&mut fence, places, path, run)? {
                not_granted.push(format!("run {}: {led}", path.display()));
            }
        }
        if let Err(lost) = allow(&mut fence, places, &orders.home, write)? {
            not_granted.push(format!("its working folder {}: {lost}", orders.home.display()));
        }
        let permissions = &orders.permissions;
        for (word, paths, access) in [
            ("read", &permissions.read, read),
            ("write", &permissions.write, write),
            ("devices", &permissions.devices, commands),
        ] {
            for path in paths {
                if let Err(lost) = allow(&mut fence, places, path, access)? {
                    not_granted.push(format!("{word} {}: {lost}", path.display()));
                }
            }
        }
        let connect = permissions
            .tcp
            .iter()
            .map(|endpoint| (endpoint.port, AccessNet::ConnectTcp));
        let bind = permissions.listen.iter().map(|port| (*port, AccessNet::BindTcp));
        for (port, access) in connect.chain(bind) {
            let made = fence.take().expect("it is always put back");
            fence = Some(
                made.add_rule(NetPort::new(port, access))
                    .map_err(failed("open a port"))?,
            );
        }
        let made = fence.take().expect("it is always put back");
        let status = made
            .restrict_self()
            .map_err(failed("put up the fence of files"))?;
        not_enforced.extend(lacking(&status.landlock));
        Ok((not_granted, cutting(&status.landlock)))
    }
}

/// Lets it be reached where it is there, or says why it is not.
fn allow(
    fence: &mut Option<RulesetCreated>,
    places: &Places,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<Result<(), Lost>, String> {
    let found = match places.find(path) {
        Ok(found) => found,
        Err(lost) => return Ok(Err(lost)),
    };
    let access = if found.is_folder {
        access
    } else {
        access & AccessFs::from_file(NEWEST)
    };
    let made = fence.take().expect("it is always put back");
    *fence = Some(
        made.add_rule(PathBeneath::new(found.descriptor, access))
            .map_err(failed("open a path"))?,
    );
    Ok(Ok(()))
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
