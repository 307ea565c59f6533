//! Packages that are small and would be large.

use crate::{
    folder::{self, of_plugin},
    hostile::{Forged, gzip, refused},
};
use snooze_package::{ENTRY_LIMIT, PACKED_LIMIT, PackError, UNPACKED_LIMIT, UnpackError, pack};
use std::fs;
use tar::EntryType;

#[test]
fn a_file_that_says_it_is_too_large_is_refused_before_it_is_read() {
    for length in [UNPACKED_LIMIT + 1, 8 * 1024 * 1024 * 1024 - 1] {
        let bytes = Forged::plugin()
            .claiming("watcher/x", EntryType::Regular, b"x", length)
            .gzip();
        let error = refused(&bytes, "a large file");
        assert!(matches!(error, UnpackError::TooLarge), "{error:?}");
    }
}

#[test]
fn many_files_that_are_too_large_together_are_refused() {
    let half = UNPACKED_LIMIT / 2;
    let contents = vec![0; usize::try_from(half).expect("it fits")];
    let bytes = Forged::plugin()
        .entry("watcher/x", EntryType::Regular, &contents)
        .claiming("watcher/y", EntryType::Regular, b"", half)
        .gzip();
    let error = refused(&bytes, "two halves and a manifest");
    assert!(matches!(error, UnpackError::TooLarge), "{error:?}");
}

/// Zeros behind the end are no entry, and compress to nothing.
#[test]
fn an_end_without_an_end_is_refused() {
    let mut tar = Forged::plugin().tar();
    tar.resize(
        tar.len() + usize::try_from(UNPACKED_LIMIT).expect("it fits") + 16 * 1024 * 1024,
        0,
    );
    let error = refused(&gzip(&tar), "zeros");
    assert!(matches!(error, UnpackError::TooLarge), "{error:?}");
}

#[test]
fn too_many_entries_are_refused() {
    let mut forged = Forged::plugin();
    for number in 0..ENTRY_LIMIT {
        forged = forged.entry(&format!("watcher/{number}"), EntryType::Regular, b"");
    }
    let error = refused(&forged.gzip(), "many files");
    assert!(matches!(error, UnpackError::TooLarge), "{error:?}");
}

#[test]
fn bytes_that_are_longer_than_any_package_are_not_looked_at() {
    let bytes = vec![0; usize::try_from(PACKED_LIMIT).expect("it fits") + 1];
    let error = refused(&bytes, "many bytes");
    assert!(matches!(error, UnpackError::TooLarge), "{error:?}");
}

#[test]
fn a_folder_that_would_be_refused_is_not_packed() {
    let folder = tempfile::tempdir().expect("a folder");
    folder::write(folder.path(), &of_plugin(), 0o022).expect("it is ours");
    // A hole in a file takes no room on the disk.
    let large = fs::File::create(folder.path().join("large")).expect("a file");
    large.set_len(UNPACKED_LIMIT).expect("a hole");
    let error = pack(folder.path()).expect_err("it is too large");
    assert!(matches!(error, PackError::TooLarge), "{error:?}");
}
