//! The plugin's side: wraps what answers lines, so that nothing of it unwinds into the runner.

use crate::interface::{Answering, Outcome};
use stabby::{boxed::Box as StableBox, slice::Slice, string::String as StableString, vec::Vec as StableVec};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What answers a line: the answer with its end, or nothing.
type Answer = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send>;

/// What a library hands to the runner.
pub struct Exported {
    answer: Option<Answer>,
}

impl Exported {
    /// Answers with this. It is called one line at a time, and need not stay in one thread.
    #[must_use]
    pub fn new(answer: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> Exported {
        Exported {
            answer: Some(Box::new(answer)),
        }
    }
}

impl std::fmt::Debug for Exported {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Exported").finish_non_exhaustive()
    }
}

impl Answering for Exported {
    extern "C" fn answer(&mut self, line: Slice<'_, u8>) -> StableVec<u8> {
        let line: &[u8] = line.into();
        let answered = catch_unwind(AssertUnwindSafe(|| {
            self.answer.as_mut().and_then(|answer| answer(line))
        }));
        // Whoever panics outside of the plugin's own methods has no answer: an empty line is none to whoever waits.
        let answer = answered.unwrap_or_else(|payload| {
            forget(payload);
            None
        });
        stable(answer.as_deref().unwrap_or_default())
    }
}

impl Drop for Exported {
    /// What the plugin panics with at its end must not unwind into the runner either.
    fn drop(&mut self) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(self.answer.take()))) {
            forget(payload);
        }
    }
}

/// A copy that the other side may free: with room for all of it from the start, so that it never grows.
fn stable(bytes: &[u8]) -> StableVec<u8> {
    let mut copy = StableVec::with_capacity(bytes.len());
    copy.copy_extend(bytes);
    copy
}

/// A payload may panic when it is dropped.
fn forget(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Opens what a library exports, for [`export`](crate::export).
pub fn open(make: impl FnOnce() -> Exported) -> Outcome {
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(exported) => Outcome::Ok(StableBox::new(exported).into()),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            let told = StableString::from(text.unwrap_or("with no text"));
            forget(payload);
            Outcome::Err(told)
        }
    }
}

/// Makes a library a native plugin: the expression is an [`Exported`], made anew each time that the plugin is
/// opened. Once a library, whose `crate-type` is `cdylib`.
#[macro_export]
macro_rules! export {
    ($exported:expr) => {
        const _: () = {
            extern "C" fn open() -> $crate::exporting::Outcome {
                $crate::exporting::open(|| $exported)
            }
            // SAFETY: nothing else of this name is linked into a library that is no runner.
            #[unsafe(no_mangle)]
            static SNOOZE_NATIVE_PLUGIN: $crate::Entry =
                $crate::exporting::entry(open, cfg!(panic = "unwind"));
        };
    };
}
