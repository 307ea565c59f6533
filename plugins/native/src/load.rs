//! The runner's side: loads a library from bytes that were looked at, and asks it.
//!
//! A library stays loaded until the runner ends: its threads and thread-local values would outlive its code.

#![expect(
    unsafe_code,
    reason = "loading a library runs it; each block says why it holds"
)]

use crate::interface::{AnsweringDynMut as _, Entry, INTERFACE, MAGIC, Opened, Opening, SYMBOL, Stamp};
use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};
use object::{
    Endianness,
    read::elf::{FileHeader as _, ProgramHeader as _, Sym as _},
};
use rustix::{
    fs::{MemfdFlags, SealFlags},
    io::Errno,
};
use std::{
    fmt,
    fs::File,
    io::{self, Write as _},
    os::fd::AsRawFd as _,
};

/// Why a library is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is no file of the loader's, or not all of one.
    #[error("it is no whole dynamic library: {0}")]
    NotWhole(String),
    /// The copy that is loaded could not be made.
    #[error("copy the library into memory")]
    Copy(#[source] io::Error),
    /// The loader refuses it.
    #[error("load the library")]
    Load(#[source] libloading::Error),
    /// It has not our symbol.
    #[error(
        "it is no native plugin: it exports no {SYMBOL}; build it as a `cdylib` with the macro `native!`"
    )]
    NoPlugin,
    /// Its symbol is not what ours is.
    #[error("it is no native plugin: its {SYMBOL} has another stamp")]
    Stamp,
    /// It was built for another interface.
    #[error(
        "it was built for interface {built}, and this runner has interface {INTERFACE}; build it with the runner's version of the crate"
    )]
    Interface {
        /// Its number.
        built: u32,
    },
    /// A panic in it would end the runner.
    #[error(
        "it was built with `panic = \"abort\"`, so that a panic in it would end the runner; build it to unwind"
    )]
    Aborts,
    /// Its types have another layout.
    #[error("its types have another layout than the runner's: it has {built}, the runner {ours}")]
    Layout {
        /// Its types.
        built: String,
        /// The runner's.
        ours: String,
    },
    /// It was loaded, and cannot begin.
    #[error("it could not be opened: {0}")]
    Open(String),
}

/// A native plugin that is open. Dropping it ends the plugin; its code stays.
pub struct Library {
    opened: Opened,
}

impl fmt::Debug for Library {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Library").finish_non_exhaustive()
    }
}

impl Library {
    /// Loads and opens a library: these very bytes, whatever becomes of the file that they were read from.
    ///
    /// **What is trusted:** the library's code, from its first constructor on. Nothing here, or anywhere, can keep
    /// it from what the runner itself may do.
    ///
    /// What the loader took stays in memory, and a descriptor stays open for it, whatever comes of it: whoever
    /// loads again the same bytes that were refused leaks.
    ///
    /// # Errors
    /// Why it is not loaded. Of one that the loader took, constructors have run by then.
    pub fn open(bytes: &[u8]) -> Result<Library, LoadError> {
        look_at(bytes)?;
        let copy = copy_of(bytes).map_err(LoadError::Copy)?;
        let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
        // SAFETY: its constructors are run, which is to run code that the operator trusts as the runner's own.
        let handle = unsafe { Handle::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.map_err(LoadError::Load)?;
        // The loader takes a path that it has loaded before for the same library: as long as the copy is open, no
        // other has its number.
        std::mem::forget(copy);
        let opening = checked(&handle)?;
        // Its code is never unmapped, so that everything that it hands out stays valid.
        std::mem::forget(handle);
        let opened: Result<Opened, _> = opening().into();
        match opened {
            Ok(opened) => Ok(Library { opened }),
            Err(why) => Err(LoadError::Open(why.as_str().to_owned())),
        }
    }

    /// The answer to a line; empty where there is none. It blocks for as long as the plugin does.
    #[must_use]
    pub fn answer(&mut self, line: &[u8]) -> Vec<u8> {
        let answer = self.opened.answer(line.into());
        answer.as_slice().to_vec()
    }
}

/// Looks whether all that will be mapped is there, for the loader maps what is not and whoever touches it ends; and
/// at its stamp, because to load a library is to run its constructors.
fn look_at(bytes: &[u8]) -> Result<(), LoadError> {
    let told = |error: object::Error| LoadError::NotWhole(error.to_string());
    let header = object::elf::FileHeader64::<Endianness>::parse(bytes).map_err(told)?;
    let endian = header.endian().map_err(told)?;
    let mapped = header.program_headers(endian, bytes).map_err(told)?;
    let end = |part: &object::elf::ProgramHeader64<Endianness>| {
        let (start, size) = part.file_range(endian);
        start.checked_add(size)
    };
    let is_there =
        |end: Option<u64>| end.is_some_and(|end| usize::try_from(end).is_ok_and(|end| end <= bytes.len()));
    if !mapped.iter().map(end).all(is_there) {
        return Err(LoadError::NotWhole("its end is missing".to_owned()));
    }
    let sections = header.sections(endian, bytes).map_err(told)?;
    let symbols = sections
        .symbols(endian, bytes, object::elf::SHT_DYNSYM)
        .map_err(told)?;
    let ours = symbols.iter().find(|symbol| {
        let is_here = symbol.st_shndx(endian) != object::elf::SHN_UNDEF;
        is_here && symbol.name(endian, symbols.strings()) == Ok(SYMBOL.as_bytes())
    });
    let address = ours.ok_or(LoadError::NoPlugin)?.st_value(endian);
    let stamp = mapped.iter().find_map(|part| {
        let found = part.data_range(endian, bytes, address, Stamp::SIZE);
        found.ok().flatten()
    });
    stamp.and_then(Stamp::read).ok_or(LoadError::Stamp)?.check()
}

impl Stamp {
    const SIZE: u64 = size_of::<Stamp>() as u64;

    /// As its bytes are in a library of this machine.
    fn read(bytes: &[u8]) -> Option<Stamp> {
        let (magic, rest) = bytes.split_first_chunk()?;
        let (interface, rest) = rest.split_first_chunk()?;
        let (unwinds, _) = rest.split_first_chunk()?;
        Some(Stamp {
            magic: *magic,
            interface: u32::from_ne_bytes(*interface),
            unwinds: u32::from_ne_bytes(*unwinds),
        })
    }

    fn check(self) -> Result<(), LoadError> {
        if self.magic != MAGIC {
            return Err(LoadError::Stamp);
        }
        if self.interface != INTERFACE {
            return Err(LoadError::Interface {
                built: self.interface,
            });
        }
        if self.unwinds != 1 {
            return Err(LoadError::Aborts);
        }
        Ok(())
    }
}

/// What opens the plugin, whose stamp is known to be ours, once its types are.
fn checked(handle: &Handle) -> Result<Opening, LoadError> {
    // SAFETY: the library's own table of symbols says that this name is a static whose stamp is that of an `Entry` of
    // this interface. It is as old as the library, which is not unloaded while this is borrowed.
    let symbol = unsafe { handle.get::<*const Entry>(SYMBOL.as_bytes()) }.map_err(LoadError::Load)?;
    let symbol = symbol.into_raw().cast_const().cast::<Entry>();
    // SAFETY: as above; an `Entry` holds no value that another bit pattern could not be but pointers, which the
    // loader has written.
    let entry = unsafe { &*symbol };
    entry.stamp.check()?;
    let ours = <Opening as stabby::IStable>::REPORT;
    if entry.report != ours {
        return Err(LoadError::Layout {
            built: entry.report.to_string(),
            ours: ours.to_string(),
        });
    }
    Ok(entry.open)
}

/// A file in memory that nobody can change, and that is a library of its own to the loader, however often the
/// same bytes are loaded.
fn copy_of(bytes: &[u8]) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Since Linux 6.3 who means to run what is in it says so; before, the flag is not known.
    let made = match rustix::fs::memfd_create("snooze-native", flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => rustix::fs::memfd_create("snooze-native", flags),
        made => made,
    };
    let mut copy = File::from(made?);
    copy.write_all(bytes)?;
    rustix::fs::fcntl_add_seals(
        &copy,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    Ok(copy)
}
