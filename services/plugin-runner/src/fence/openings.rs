//! Which files and folders a plugin reaches, and how.
//!
//! What is opened is the very file that was judged: each is walked to once, and who asks for it gets what was found
//! there. It puts no fence up.

use super::{
    orders::Orders,
    reach::{NEWEST, Plan},
    resolve::{Found, Lost},
};
use landlock::{Access, AccessFs, BitFlags};
use std::path::Path;

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

/// Opens one of them.
type Open<'a> = dyn FnMut(Found, BitFlags<AccessFs>) -> Result<(), String> + 'a;

impl Plan {
    /// Opens each by `open`, one after the other: a process may hold few descriptors. Returns what was granted and has
    /// no effect.
    pub(super) fn openings(&self, orders: &Orders, open: &mut Open<'_>) -> Result<Vec<String>, String> {
        let mut not_granted = self.programs.not_granted.clone();
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let run = AccessFs::ReadFile | AccessFs::Execute;
        let write = AccessFs::from_all(NEWEST)
            & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
        let commands = read | AccessFs::WriteFile | AccessFs::IoctlDev;
        let base = READABLE.iter().chain([&ITSELF]).chain(&SOURCES).map(Path::new);
        let base = base
            .chain(self.libraries.iter().map(|(path, _)| path.as_path()))
            .chain(orders.folder.as_deref());
        for path in base {
            if let Err(why) = self.open_if_there(path, read, open)? {
                not_granted.push(format!("read {}: {why}", path.display()));
            }
        }
        let both = AccessFs::ReadFile | AccessFs::WriteFile;
        for path in DEVICES {
            drop(self.open_if_there(Path::new(path), both, open)?);
        }
        for (path, by) in &self.programs.all {
            match self.places.find(path) {
                Ok(found) => match by.lets(&found, &self.places) {
                    Ok(()) => open(found, run)?,
                    Err(why) => not_granted.push(format!("run {}: {why}", path.display())),
                },
                Err(Lost::Absent { .. }) => {}
                Err(lost) => not_granted.push(format!("run {}: {lost}", path.display())),
            }
        }
        if let Err(why) = self.open_if_there(&orders.path, run, open)? {
            not_granted.push(format!("run {}: {why}", orders.path.display()));
        }
        if let Err(lost) = self.open(&orders.home, write, open)? {
            not_granted.push(format!("its working folder {}: {lost}", orders.home.display()));
        }
        let permissions = &orders.permissions;
        for (word, paths, access) in [
            ("read", &permissions.read, read),
            ("write", &permissions.write, write),
            ("devices", &permissions.devices, commands),
        ] {
            for path in paths {
                if let Err(lost) = self.open(path, access, open)? {
                    not_granted.push(format!("{word} {}: {lost}", path.display()));
                }
            }
        }
        Ok(not_granted)
    }

    /// Opens what may be there or not: that differs from system to system.
    fn open_if_there(
        &self,
        path: &Path,
        access: BitFlags<AccessFs>,
        open: &mut Open<'_>,
    ) -> Result<Result<(), Lost>, String> {
        let opened = self.open(path, access, open)?;
        Ok(opened.or_else(|lost| match lost {
            Lost::Absent { .. } => Ok(()),
            lost => Err(lost),
        }))
    }

    /// Opens it where it is there, or says why it is not.
    fn open(
        &self,
        path: &Path,
        access: BitFlags<AccessFs>,
        open: &mut Open<'_>,
    ) -> Result<Result<(), Lost>, String> {
        match self.places.find(path) {
            Ok(found) => open(found, access).map(Ok),
            Err(lost) => Ok(Err(lost)),
        }
    }
}
