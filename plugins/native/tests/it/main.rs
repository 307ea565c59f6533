//! Loads real libraries, and what is none.

use snooze_native::{Library, LoadError};
use std::{fs, path::PathBuf};

/// A library that `cargo test` has built.
fn library(name: &str) -> Vec<u8> {
    let this = std::env::current_exe().expect("this program has a path");
    let folder: PathBuf = this.ancestors().nth(2).expect("it lies in deps").join("examples");
    let path = folder.join(format!("lib{name}.so"));
    fs::read(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// The same bytes with every occurrence of some of them replaced by others.
fn patched(mut bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let places: Vec<usize> = (0..=bytes.len() - old.len())
        .filter(|at| &bytes[*at..*at + old.len()] == old)
        .collect();
    assert!(!places.is_empty(), "{old:?} is not there");
    for at in places {
        bytes[at..at + old.len()].copy_from_slice(new);
    }
    bytes
}

fn stamp(interface: u32, unwinds: u32) -> Vec<u8> {
    let mut stamp = b"snooze-native\0\0\0".to_vec();
    stamp.extend(interface.to_ne_bytes());
    stamp.extend(unwinds.to_ne_bytes());
    stamp
}

fn mirror() -> Library {
    Library::open(&library("mirror")).expect("it is a plugin")
}

#[test]
fn a_line_is_answered_however_long_it_is() {
    let mut mirror = mirror();
    assert_eq!(mirror.answer(b"abc"), b"cba");
    assert_eq!(mirror.answer(b""), b"");
    assert_eq!(mirror.answer(b"none"), b"");
    let long = vec![b'x'; 5 * 1024 * 1024];
    assert_eq!(mirror.answer(&long), long);
}

#[test]
fn a_panic_is_no_answer_and_the_next_line_is_answered() {
    let mut mirror = mirror();
    assert_eq!(mirror.answer(b"panic"), b"");
    assert_eq!(mirror.answer(b"panic with what panics"), b"");
    assert_eq!(mirror.answer(b"count"), b"3");
}

#[test]
fn a_panic_at_its_end_ends_nothing_else() {
    let mut ending = mirror();
    assert_eq!(ending.answer(b"panic at the end"), b"dne eht ta cinap");
    assert_eq!(ending.answer(b"held"), b"true");
    drop(ending);
    assert_eq!(mirror().answer(b"ab"), b"ba");
}

#[test]
fn one_that_panics_while_it_is_opened_is_refused_with_its_reason() {
    match Library::open(&library("stillborn")) {
        Err(LoadError::Open(why)) => assert_eq!(why, "not today"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_opening_is_a_library_of_its_own() {
    let (mut one, mut other) = (mirror(), mirror());
    for _ in 0..3 {
        assert_eq!(one.answer(b"x"), b"x");
    }
    assert_eq!(one.answer(b"count"), b"4");
    assert_eq!(other.answer(b"count"), b"1");
    drop(one);
    assert_eq!(other.answer(b"count"), b"2");
}

#[test]
fn it_answers_in_whatever_thread_it_is_asked() {
    let mut mirror = mirror();
    let answered = std::thread::spawn(move || mirror.answer(b"abc"));
    assert_eq!(answered.join().expect("it ends"), b"cba");
}

#[test]
fn a_library_of_another_interface_is_refused_with_both_numbers() {
    let later = patched(library("mirror"), &stamp(1, 1), &stamp(7, 1));
    let refused = Library::open(&later).expect_err("it is another").to_string();
    assert!(
        refused.contains("interface 7") && refused.contains("interface 1"),
        "{refused}"
    );
}

#[test]
fn a_library_that_does_not_unwind_is_refused() {
    let aborting = patched(library("mirror"), &stamp(1, 1), &stamp(1, 0));
    let refused = Library::open(&aborting).expect_err("it would end the runner");
    assert!(matches!(refused, LoadError::Aborts), "{refused:?}");
}

#[test]
fn a_stamp_that_is_not_ours_is_refused() {
    let other = patched(library("mirror"), b"snooze-native\0\0\0", b"snoozy-native\0\0\0");
    let refused = Library::open(&other).expect_err("it is another");
    assert!(matches!(refused, LoadError::Stamp), "{refused:?}");
}

#[test]
fn a_library_whose_types_differ_is_refused() {
    // As another version of the trait would have it: its description is part of the library.
    let other = patched(
        library("mirror"),
        b"snooze_native::interface",
        b"snooze_native::interfacf",
    );
    let refused = Library::open(&other).expect_err("it is another");
    assert!(matches!(refused, LoadError::Layout { .. }), "{refused:?}");
}

#[test]
fn what_is_no_whole_library_is_refused_before_it_is_mapped() {
    let whole = library("mirror");
    for (bytes, what) in [
        (&b""[..], "nothing"),
        (b"#!/bin/sh\n", "a script"),
        (&whole[..64], "a header"),
        (&whole[..100_000], "the beginning of a library"),
    ] {
        let refused = Library::open(bytes).expect_err(what);
        assert!(matches!(refused, LoadError::NotWhole(_)), "{what}: {refused:?}");
    }
}

#[test]
fn a_program_is_no_plugin() {
    let program = fs::read("/proc/self/exe").expect("this program is there");
    let refused = Library::open(&program).expect_err("it is a program");
    assert!(matches!(refused, LoadError::NoPlugin), "{refused:?}");
}

#[test]
fn nothing_of_a_library_runs_before_its_stamp_is_known() {
    // Its constructor would end this program.
    let library = library("trap");
    let refused = Library::open(&library).expect_err("it is none of ours");
    assert!(matches!(refused, LoadError::NoPlugin), "{refused:?}");
}
