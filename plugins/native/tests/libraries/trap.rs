//! Ends whoever loads it, before it is asked anything: for the tests.

#![expect(unsafe_code, reason = "a constructor is what it is about")]

extern "C" fn spring() {
    std::process::abort();
}

// SAFETY: an array of functions that take and return nothing is what the loader expects there.
#[unsafe(link_section = ".init_array")]
#[used]
static TRAP: extern "C" fn() = spring;
