//! What both sides have to see alike: the library's one symbol, its stamp, and the trait behind it.
//!
//! **Invariant:** the stamp is read before anything else, and lies where it lies for ever. What follows it may
//! change with the interface's number only.

use stabby::{abi::report::TypeReport, slice::Slice, string::String, vec::Vec};

/// Which interface this is. Another layout, or another meaning, is another number.
pub(crate) const INTERFACE: u32 = 1;

/// What every library of ours begins its symbol with.
pub(crate) const MAGIC: [u8; 16] = *b"snooze-native\0\0\0";

/// The symbol's name, as [`export`](crate::export) writes it.
#[cfg(feature = "load")]
pub(crate) const SYMBOL: &str = "SNOOZE_NATIVE_PLUGIN";

/// Answers lines of the plugin protocol.
#[stabby::stabby(checked)]
pub trait Answering {
    /// The line that answers this one, with its end; an empty one where there is no answer. It does not unwind.
    extern "C" fn answer(&mut self, line: Slice<'_, u8>) -> Vec<u8>;
}

/// A plugin that is open.
pub(crate) type Opened = stabby::dynptr!(stabby::boxed::Box<dyn Answering + Send>);

/// What opening comes to: the plugin, or why there is none.
#[doc(hidden)]
pub type Outcome = stabby::result::Result<Opened, String>;

/// Opens a plugin. It does not unwind.
#[doc(hidden)]
pub type Opening = extern "C" fn() -> Outcome;

/// What the symbol is.
#[doc(hidden)]
#[repr(C)]
pub struct Entry {
    /// What it is, and by which rules it was built.
    pub(crate) stamp: Stamp,
    /// How the compiler that built it sees [`Opening`], with all that hangs on it.
    pub(crate) report: &'static TypeReport,
    pub(crate) open: Opening,
}

/// The part of the symbol that no interface changes.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) magic: [u8; 16],
    pub(crate) interface: u32,
    /// 1 where a panic unwinds, and can be caught; else it would end the runner.
    pub(crate) unwinds: u32,
}

/// The symbol of a library, for [`export`](crate::export).
#[must_use]
pub const fn entry(open: Opening, unwinds: bool) -> Entry {
    Entry {
        stamp: Stamp {
            magic: MAGIC,
            interface: INTERFACE,
            unwinds: unwinds as u32,
        },
        report: <Opening as stabby::IStable>::REPORT,
        open,
    }
}
