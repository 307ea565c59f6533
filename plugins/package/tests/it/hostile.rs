//! Archives that nobody's `pack` made. Each is refused, and nothing is left of it.

use crate::folder::{MANIFEST, names};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use snooze_package::{Package, UnpackError, unpack};
use std::{fs, io::Write};
use tar::{EntryType, Header};

/// A tar that says whatever it is told to.
pub(crate) struct Forged(Vec<u8>);

impl Forged {
    /// A good one so far.
    pub(crate) fn plugin() -> Forged {
        Forged::empty()
            .entry("watcher/", EntryType::Directory, b"")
            .entry("watcher/plugin.json", EntryType::Regular, MANIFEST.as_bytes())
    }

    pub(crate) fn empty() -> Forged {
        Forged(Vec::new())
    }

    pub(crate) fn entry(self, path: &str, kind: EntryType, contents: &[u8]) -> Forged {
        self.claiming(path, kind, contents, contents.len() as u64)
    }

    /// With another length in its header than its contents have.
    pub(crate) fn claiming(mut self, path: &str, kind: EntryType, contents: &[u8], length: u64) -> Forged {
        let mut header = Header::new_ustar();
        // Not with `set_path`, which refuses what these have to say.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(length);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(contents);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn link(mut self, path: &str, kind: EntryType, target: &str) -> Forged {
        self = self.entry(path, kind, b"");
        let at = self.0.len() - 512;
        let mut header = Header::new_ustar();
        header.as_mut_bytes().copy_from_slice(&self.0[at..]);
        header.set_link_name_literal(target).expect("it fits");
        header.set_cksum();
        self.0[at..].copy_from_slice(header.as_bytes());
        self
    }

    pub(crate) fn tar(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    pub(crate) fn gzip(self) -> Vec<u8> {
        gzip(&self.tar())
    }
}

pub(crate) fn gzip(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(tar).expect("memory takes it");
    gzip.finish().expect("memory takes it")
}

/// Why it is refused, by both who look at packages, and that nothing is left of it.
#[track_caller]
pub(crate) fn refused(bytes: &[u8], what: &str) -> UnpackError {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("a/b");
    fs::create_dir_all(&inner).expect("a folder");
    let error = match unpack(bytes, &inner.join("new")) {
        Ok(()) => panic!("{what} was unpacked"),
        Err(error) => error,
    };
    assert_eq!(names(&inner), [""; 0], "{what} left something");
    assert_eq!(names(folder.path()), ["a"], "{what} wrote above");
    match Package::read(bytes.to_vec()) {
        Ok(_) => panic!("{what} was taken for a package"),
        Err(read) => assert_eq!(read.to_string(), error.to_string(), "{what}"),
    }
    error
}

#[test]
fn a_forged_archive_without_a_flaw_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = Forged::plugin()
        .entry("watcher/x", EntryType::Regular, b"x")
        .gzip();
    unpack(&bytes, &folder.path().join("new")).expect("nothing is wrong with it");
}

#[test]
fn a_path_that_leads_elsewhere_is_refused() {
    for path in [
        "watcher/../../x",
        "../x",
        "watcher/..",
        "/x",
        "/watcher/x",
        "watcher//x",
        "watcher/./x",
        "./watcher/x",
        "watcher/x\ny",
        "",
    ] {
        let bytes = Forged::plugin().entry(path, EntryType::Regular, b"x").gzip();
        let error = refused(&bytes, path);
        assert!(matches!(error, UnpackError::Unfit { .. }), "{path}: {error:?}");
    }
}

#[test]
fn a_folder_of_that_kind_is_refused_too() {
    for path in ["watcher/../x/", "/x/", "watcher//", "../"] {
        let bytes = Forged::plugin().entry(path, EntryType::Directory, b"").gzip();
        refused(&bytes, path);
    }
}

#[test]
fn links_and_devices_are_refused() {
    for (kind, target) in [
        (EntryType::Symlink, "/etc/passwd"),
        (EntryType::Link, "watcher/plugin.json"),
    ] {
        let bytes = Forged::plugin().link("watcher/x", kind, target).gzip();
        let error = refused(&bytes, target);
        assert!(
            error.to_string().contains("neither a file nor a folder"),
            "{error}"
        );
    }
    for kind in [
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Continuous,
        EntryType::GNUSparse,
        EntryType::XGlobalHeader,
        EntryType::XHeader,
        EntryType::new(b'?'),
    ] {
        let bytes = Forged::plugin().entry("watcher/x", kind, b"").gzip();
        let error = refused(&bytes, &format!("{kind:?}"));
        assert!(
            error.to_string().contains("neither a file nor a folder"),
            "{kind:?}: {error}"
        );
    }
}

/// A writer that trusts the first name and another that trusts the second see two packages.
#[test]
fn a_name_that_is_told_apart_from_its_entry_is_refused() {
    let long = format!("watcher/{}", "x".repeat(5000));
    for kind in [EntryType::GNULongName, EntryType::GNULongLink] {
        let bytes = Forged::plugin()
            .entry("././@LongLink", kind, long.as_bytes())
            .entry("watcher/x", EntryType::Regular, b"x")
            .gzip();
        refused(&bytes, "a long name");
    }
}

#[test]
fn what_is_there_twice_is_refused() {
    let file = |forged: Forged, path| forged.entry(path, EntryType::Regular, b"x");
    let folder = |forged: Forged, path| forged.entry(path, EntryType::Directory, b"");
    for (what, forged) in [
        ("a file", file(file(Forged::plugin(), "watcher/x"), "watcher/x")),
        ("a manifest", file(Forged::plugin(), "watcher/plugin.json")),
        (
            "a folder",
            folder(folder(Forged::plugin(), "watcher/x/"), "watcher/x/"),
        ),
        (
            "a file in place of a folder",
            file(folder(Forged::plugin(), "watcher/x/"), "watcher/x"),
        ),
        ("the folder of all", folder(Forged::plugin(), "watcher/")),
    ] {
        let error = refused(&forged.gzip(), what);
        assert!(error.to_string().contains("twice"), "{what}: {error}");
    }
}

#[test]
fn what_is_not_in_a_folder_that_came_before_it_is_refused() {
    let below_a_file = Forged::plugin()
        .entry("watcher/x", EntryType::Regular, b"x")
        .entry("watcher/x/y", EntryType::Regular, b"y");
    let before = Forged::plugin().entry("watcher/x/y", EntryType::Regular, b"y");
    let without = Forged::empty().entry("watcher/plugin.json", EntryType::Regular, MANIFEST.as_bytes());
    let a_file = Forged::empty().entry("watcher", EntryType::Regular, b"x");
    for (what, forged) in [
        ("below a file", below_a_file),
        ("before its folder", before),
        ("without the folder of all", without),
        ("a file alone", a_file),
    ] {
        let error = refused(&forged.gzip(), what);
        assert!(matches!(error, UnpackError::Unfit { .. }), "{what}: {error:?}");
    }
}

#[test]
fn a_second_folder_is_refused() {
    let bytes = Forged::plugin().entry("other/", EntryType::Directory, b"").gzip();
    let error = refused(&bytes, "two folders");
    assert!(error.to_string().contains("outside"), "{error}");
}

#[test]
fn a_package_without_a_manifest_of_its_own_name_is_refused() {
    let folder = || Forged::empty().entry("watcher/", EntryType::Directory, b"");
    let manifest = |text: &str| folder().entry("watcher/plugin.json", EntryType::Regular, text.as_bytes());
    let other = MANIFEST.replace("watcher", "other");
    let deeper = folder().entry("watcher/x/", EntryType::Directory, b"").entry(
        "watcher/x/plugin.json",
        EntryType::Regular,
        MANIFEST.as_bytes(),
    );
    let as_folder = folder().entry("watcher/plugin.json/", EntryType::Directory, b"");
    for (what, forged, told) in [
        ("nothing", Forged::empty(), "no plugin.json"),
        ("no manifest", folder(), "no plugin.json"),
        ("a manifest further down", deeper, "no plugin.json"),
        ("a folder for a manifest", as_folder, "plugin.json"),
        (
            "another's manifest",
            manifest(&other),
            "not called as the plugin is",
        ),
        ("no name", manifest("{}"), "read plugin.json"),
        ("garbage", manifest("\u{0}"), "read plugin.json"),
        (
            "a manifest like a book",
            manifest(&" ".repeat(300 * 1024)),
            "no manifest is as long",
        ),
    ] {
        let error = refused(&forged.gzip(), what);
        assert!(error.to_string().contains(told), "{what}: {error}");
    }
}

#[test]
fn what_follows_the_end_is_refused() {
    let good = || Forged::plugin().gzip();
    let mut tar = Forged::plugin().tar();
    tar.extend_from_slice(&Forged::plugin().tar());
    for (what, bytes) in [
        ("garbage", [good(), b"more".to_vec()].concat()),
        ("another one", [good(), good()].concat()),
        ("another tar", gzip(&tar)),
    ] {
        let error = refused(&bytes, what);
        assert!(matches!(error, UnpackError::Trailing), "{what}: {error:?}");
    }
}

proptest! {
    #[test]
    fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        refused(&bytes, "garbage");
        refused(&gzip(&bytes), "packed garbage");
    }

    /// One byte of the compressed form, or of what is in it, is another: refused, or the very same contents.
    #[test]
    fn a_byte_that_was_changed_gets_nothing_out_of_the_folder(at in any::<usize>(), by in 1..=255_u8) {
        let mut packed = Forged::plugin().gzip();
        let at_packed = at % packed.len();
        packed[at_packed] ^= by;
        let mut tar = Forged::plugin().tar();
        let at_tar = at % tar.len();
        tar[at_tar] ^= by;
        for bytes in [packed, gzip(&tar)] {
            let folder = tempfile::tempdir()?;
            let inner = folder.path().join("a");
            fs::create_dir(&inner)?;
            let outcome = unpack(&bytes, &inner.join("new"));
            prop_assert_eq!(names(folder.path()), ["a"]);
            let left = names(&inner);
            prop_assert!(if outcome.is_ok() { left == ["new"] } else { left.is_empty() }, "{left:?}");
        }
    }
}
