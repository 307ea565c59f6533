//! A package of which the end is missing, wherever it was cut.

use crate::{
    folder::MANIFEST,
    hostile::{Forged, gzip, refused},
};
use snooze_package::UnpackError;
use tar::EntryType;

#[test]
fn a_package_without_its_end_is_refused_wherever_it_was_cut() {
    let whole = Forged::plugin()
        .entry("watcher/x", EntryType::Regular, &[7; 700])
        .gzip();
    for length in 0..whole.len() {
        let error = refused(&whole[..length], &format!("the first {length} bytes"));
        assert!(matches!(error, UnpackError::Broken(_)), "{length}: {error:?}");
    }
}

/// Cut before it was compressed, so that the compression finds nothing wrong with it.
#[test]
fn a_file_that_is_shorter_than_it_says_is_refused() {
    let mut tar = Forged::plugin()
        .entry("watcher/x", EntryType::Regular, &[7; 700])
        .tar();
    let contents_at = 3 * 512 + MANIFEST.len().next_multiple_of(512);
    for cut in [
        contents_at,
        contents_at + 1,
        contents_at + 700,
        contents_at + 1023,
    ] {
        tar.truncate(tar.len().min(contents_at + 1024));
        let error = refused(&gzip(&tar[..cut]), &format!("cut at {cut}"));
        assert!(matches!(error, UnpackError::Broken(_)), "{cut}: {error:?}");
    }
}
