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
    read::elf::{FileHeader as _, ProgramHeader as _},
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
    NoPlugin(#[source] libloading::Error),
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
        look_at(bytes).map_err(LoadError::NotWhole)?;
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

/// Looks whether all that will be mapped is there: the loader maps what is not, and whoever touches it ends.
fn look_at(bytes: &[u8]) -> Result<(), String> {
    let told = |error: object::Error| error.to_string();
    let header = object::elf::FileHeader64::<Endianness>::parse(bytes).map_err(told)?;
    let endian = header.endian().map_err(told)?;
    let mapped = header.program_headers(endian, bytes).map_err(told)?;
    let end = |part: &object::elf::ProgramHeader64<Endianness>| {
        let (start, size) = part.file_range(endian);
        start.checked_add(size)
    };
    let is_there =
        |end: Option<u64>| end.is_some_and(|end| usize::try_from(end).is_ok_and(|end| end <= bytes.len()));
    match mapped.iter().map(end).all(is_there) {
        true => Ok(()),
        false => Err("its end is missing".to_owned()),
    }
}

/// What opens the plugin, once its stamp and its types are known to be ours.
fn checked(handle: &Handle) -> Result<Opening, LoadError> {
    // SAFETY: of the symbol nothing is read but its stamp, whose layout is the same in every interface, and it is
    // read only as far as it is known to be one: a pointer to bytes, and unaligned.
    let symbol = unsafe { handle.get::<*const Stamp>(SYMBOL.as_bytes()) }.map_err(LoadError::NoPlugin)?;
    let symbol = symbol.into_raw().cast_const();
    // SAFETY: whoever exports this name exports a static of at least a stamp's size, or is no plugin that anybody
    // should have trusted; the copy is checked before it is used.
    let stamp = unsafe { symbol.cast::<Stamp>().read_unaligned() };
    if stamp.magic != MAGIC {
        return Err(LoadError::Stamp);
    }
    if stamp.interface != INTERFACE {
        return Err(LoadError::Interface {
            built: stamp.interface,
        });
    }
    if stamp.unwinds != 1 {
        return Err(LoadError::Aborts);
    }
    // SAFETY: the stamp says that it is an `Entry` of this interface, a static that is as old as the library.
    let entry = unsafe { &*symbol.cast::<Entry>() };
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
