//! Plugins for CloudSnooze: say whether what you watch is in use, and handle events.
//!
//! Write a [`Plugin`] and [`run`] it. As a child process it answers on standard input and output; with
//! `SNOOZE_NATS_URL` in its environment, on its own subjects. The plugin does not change and is asked one thing at
//! a time either way.
//!
//! The crate stands on its own: it knows nothing of the product but the protocol, decides nothing, and sends
//! nothing that it was not asked for.
//!
//! Methods block. A plugin is asked one thing at a time anyway, so an `async` one would wait for itself; and a
//! plugin that is a child process needs no runtime at all. Whoever has an asynchronous client keeps a runtime in
//! the plugin and blocks on it.

mod dispatch;
mod environment;
mod failure;
mod lines;
mod messages;
#[cfg(feature = "native")]
#[doc(hidden)]
pub mod native;
#[cfg(feature = "nats")]
mod nats;
mod plugin;

pub use messages::{Config, Event, Info, Metrics, Opinion, Outcome};
pub use plugin::{Error, Plugin, Result, Unknown};
pub use serde_json;
#[cfg(feature = "native")]
#[doc(hidden)]
pub use snooze_native;

use std::process::ExitCode;

/// The README's examples, which have to compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Answers for a plugin until its standard input ends or it is told to end by SIGTERM or SIGINT; a second signal
/// does not wait for what is under way. To be called once, at the end of `main`.
///
/// Where `SNOOZE_NATS_URL` is set it answers on NATS instead, with the credentials in the file that
/// `SNOOZE_NATS_CREDENTIALS` names, for the host `SNOOZE_HOST`, or for the whole fleet where that is absent.
///
/// The exit code is 0 after an orderly end; else 1, and standard error says why. Where the standard input ends it
/// has nothing to do with the plugin's own `println!`: that goes to standard error from here on.
#[must_use]
pub fn run<P: Plugin>(plugin: P) -> ExitCode {
    match serve(plugin) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("snooze-plugin: {}", failure::text_of(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn serve<P: Plugin>(plugin: P) -> Result<()> {
    match environment::bus()? {
        None => lines::serve(plugin),
        #[cfg(feature = "nats")]
        Some(bus) => nats::serve(plugin, &bus),
        #[cfg(not(feature = "nats"))]
        Some(_) => Err("SNOOZE_NATS_URL is set, and this plugin was built without the feature `nats`".into()),
    }
}

/// The `fn main` of a program that is a plugin and nothing else: `snooze_plugin::main!(MyPlugin::default());`.
#[macro_export]
macro_rules! main {
    ($plugin:expr) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run($plugin)
        }
    };
}

/// Makes a library, whose `crate-type` is `cdylib`, a plugin that the runner loads: it is made of the expression
/// each time that it is opened. What it prints goes to the runner's own output, and what it breaks is broken.
#[cfg(feature = "native")]
#[macro_export]
macro_rules! native {
    ($plugin:expr) => {
        $crate::snooze_native::export!($crate::native::exported($plugin));
    };
}
