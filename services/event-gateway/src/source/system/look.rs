//! One look at everything: each part known or not, and not knowing one never keeps another from being known.
//!
//! All of it is asked on threads that may hang ([`super::lane`]); nothing is judged here.

use super::{
    cpu::{self, Ticks},
    disk::{self, Mount, Space},
    lane::Lane,
    memory::{self, Memory},
    network::{self, Network},
    pressure::{self, Pressure},
    root::Root,
    unreadable::{Said, Unreadable},
};
use std::{fmt, io, path::Path, sync::Arc, time::Duration};

/// The kernel answers within microseconds; where it is a container's LXCFS, or a disk that is gone, it may not.
const LIMIT: Duration = Duration::from_secs(2);

/// Disks beyond these are not looked at, and that is said.
const MOST_MOUNTS: usize = 64;
const TOO_MANY: &str = "only the first 64 disks are watched";

/// What begins the name of a disk where it is said what is unknown.
const DISK: &str = "the disk at ";

/// How a file system is asked what it has.
pub(super) type AskSpace = Arc<dyn Fn(&Path) -> io::Result<Space> + Send + Sync>;

/// What one look found.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) kernel: Kernel,
    /// Which disks there are, and what each has.
    pub(super) disks: Result<Vec<Disk>, Unreadable>,
}

/// A disk, and what it has.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) mount: Mount,
    pub(super) space: Result<Space, Unreadable>,
}

/// What files of the kernel tell.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) cpu: Result<Ticks, Unreadable>,
    pub(super) cpu_pressure: Result<Pressure, Unreadable>,
    pub(super) memory: Result<Memory, Unreadable>,
    pub(super) memory_pressure: Result<Pressure, Unreadable>,
    pub(super) io_pressure: Result<Pressure, Unreadable>,
    pub(super) network: Result<Network, Unreadable>,
    pub(super) mounts: Result<Vec<Mount>, Unreadable>,
}

impl Kernel {
    /// Reads them.
    pub(super) fn read(root: &Root) -> Kernel {
        let pressure = |file| root.text(file).and_then(|text| pressure::parse(file, &text));
        Kernel {
            cpu: root.text(cpu::FILE).and_then(|text| cpu::parse(&text)),
            cpu_pressure: pressure(pressure::CPU),
            memory: root.text(memory::FILE).and_then(|text| memory::parse(&text)),
            memory_pressure: pressure(pressure::MEMORY),
            io_pressure: pressure(pressure::IO),
            network: network::read(root),
            mounts: root.text(disk::FILE).and_then(|text| disk::mounts(&text)),
        }
    }

    fn unknown() -> Kernel {
        fn late<T>() -> Result<T, Unreadable> {
            Err(Unreadable::Hangs {
                what: "the kernel".to_owned(),
                limit: LIMIT,
            })
        }
        Kernel {
            cpu: late(),
            cpu_pressure: late(),
            memory: late(),
            memory_pressure: late(),
            io_pressure: late(),
            network: late(),
            mounts: late(),
        }
    }
}

/// Whoever looks.
pub(super) struct Looker {
    root: Root,
    space: AskSpace,
    kernel: Lane,
    /// Disks have a lane of their own, so that the kernel's files are read however many disks hang.
    disks: Lane,
    said: Said,
}

impl fmt::Debug for Looker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Looker")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Looker {
    pub(super) fn new(root: Root, space: AskSpace) -> Looker {
        Looker {
            root,
            space,
            kernel: Lane::new(LIMIT),
            disks: Lane::new(LIMIT),
            said: Said::default(),
        }
    }

    /// Does something that may hang where files do. Nothing where it hangs.
    pub(super) async fn beside<T: Send + 'static>(
        &mut self,
        what: &str,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let answer = self.kernel.ask(what, job).await;
        self.said.hear(what, &answer);
        answer.ok()
    }

    /// Looks once, and says what became unknown or known again. Each disk that begins to hang takes
    /// [`LIMIT`] once.
    pub(super) async fn look(&mut self) -> Looked {
        let root = self.root.clone();
        let kernel = self.kernel.ask("the kernel", move || Kernel::read(&root)).await;
        self.said.hear("the kernel", &kernel);
        let mut kernel = kernel.unwrap_or_else(|_| Kernel::unknown());
        let said = &mut self.said;
        said.hear("the CPU", &kernel.cpu);
        said.hear("the CPU's pressure", &kernel.cpu_pressure);
        said.hear("the memory", &kernel.memory);
        said.hear("the memory's pressure", &kernel.memory_pressure);
        said.hear("the pressure of IO", &kernel.io_pressure);
        said.hear("the network", &kernel.network);
        said.hear("the list of disks", &kernel.mounts);
        let mounts = std::mem::replace(&mut kernel.mounts, Ok(Vec::new()));
        let disks = match mounts {
            Ok(mounts) => Ok(self.disks_of(mounts).await),
            Err(error) => Err(error),
        };
        Looked { kernel, disks }
    }

    async fn disks_of(&mut self, mounts: Vec<Mount>) -> Vec<Disk> {
        self.said
            .keep(DISK, |point| mounts.iter().any(|mount| mount.point == point));
        let too_many = match mounts.len() {
            0..=MOST_MOUNTS => Ok(()),
            _ => Err(Unreadable::malformed(disk::FILE, TOO_MANY)),
        };
        self.said.hear("the number of disks", &too_many);
        let mut found = Vec::new();
        for (index, mount) in mounts.into_iter().enumerate() {
            if index >= MOST_MOUNTS {
                let space = Err(Unreadable::malformed(disk::FILE, TOO_MANY));
                found.push(Disk { mount, space });
                continue;
            }
            let (path, ask) = (self.root.join(&mount.point), Arc::clone(&self.space));
            let asked = self.disks.ask(&mount.point, move || ask(&path)).await;
            let space = asked
                .and_then(|space| space.map_err(|error| Unreadable::read(&mount.point, error)))
                .and_then(|space| match space.free_percent() {
                    Some(_) => Ok(space),
                    None => Err(Unreadable::malformed(&mount.point, "more is free than there is")),
                });
            self.said.hear(&format!("{DISK}{}", mount.point), &space);
            found.push(Disk { mount, space });
        }
        found
    }

    #[cfg(test)]
    pub(super) fn unknown(&self) -> Vec<&str> {
        self.said.unknown()
    }
}
