//! The binary interface between the runner and a plugin that is a dynamic library loaded into it.
//!
//! One function: a line of the plugin protocol goes in, the line that answers it comes out. It knows neither
//! what a line means nor who asks. All unsafe code of the workspace is in this crate: a few lines that each say why
//! they hold.
//!
//! A library is part of the runner once it is loaded: nothing fences it, and what it corrupts is corrupted. It is
//! for code that is trusted as the runner itself is.

mod export;
mod interface;
#[cfg(feature = "load")]
mod load;
#[cfg(feature = "load")]
mod serve;

pub use export::Exported;
#[doc(hidden)]
pub use interface::Entry;
#[cfg(feature = "load")]
pub use load::{Library, LoadError};
#[cfg(feature = "load")]
pub use serve::serve;

#[doc(hidden)]
pub mod exporting {
    //! What the macro [`export`](crate::export) expands to.
    pub use crate::{
        export::open,
        interface::{Opening, Outcome, entry},
    };
}
