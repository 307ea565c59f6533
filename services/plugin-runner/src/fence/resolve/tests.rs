//! Which links are followed, and how what lies where plugins write is told.

use super::{walk::is_strange, *};
use rustix::{fs::FileType, process::geteuid};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, lchown, symlink},
    path::Path,
};

/// A folder with places in it.
struct Stand {
    _folder: tempfile::TempDir,
    root: PathBuf,
    places: Places,
}

impl Stand {
    fn new() -> Stand {
        let folder = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(folder.path()).expect("it is there");
        for made in ["homes/me", "homes/other", "data/in", "spool", "closed/in"] {
            fs::create_dir_all(root.join(made)).expect("makes");
        }
        fs::write(root.join("closed/secret"), "text").expect("writes");
        let named = |path: &str| Spot::named(&root.join(path));
        let mut places = Places {
            own: vec![named("data"), named("spool/mine")],
            others: vec![named("spool")],
            homes: vec![named("homes")],
            home: vec![named("homes/me")],
            user: None,
        };
        places.find_ends();
        Stand {
            _folder: folder,
            root,
            places,
        }
    }

    fn link(&self, at: &str, to: &str) {
        symlink(
            to.replace('@', &self.root.display().to_string()),
            self.root.join(at),
        )
        .expect("links");
    }

    fn find(&self, path: &str) -> Result<Found, Lost> {
        self.places.find(&self.root.join(path))
    }

    /// The folder that a link at the end of this path leads out of.
    fn led_out_of(&self, path: &str) -> PathBuf {
        match self.find(path) {
            Err(Lost::Led { out_of, .. }) => out_of,
            other => panic!("{path} was followed: {other:?}"),
        }
    }
}

#[test]
fn a_link_where_a_plugin_writes_leads_to_nothing_outside() {
    let stand = Stand::new();
    for (link, to, out_of) in [
        ("data/file", "@/closed/secret", "data"),
        ("data/steps", "../closed/secret", "data"),
        ("data/folder", "@/closed", "data"),
        ("data/above", "@", "data"),
        ("data/all", "/", "data"),
        ("data/in/deep", "../../closed/secret", "data"),
        // What is not there could come, and its folder could be closed.
        ("data/missing", "@/closed/missing/file", "data"),
        // There and back: what is closed on the way would count.
        ("data/around", "@/closed/../data/in", "data"),
        ("spool/file", "@/closed/secret", "spool"),
        ("homes/me/cache", "@/closed", "homes/me"),
        ("homes/other/cache", "@/homes/me", "homes/other"),
    ] {
        stand.link(link, to);
        assert_eq!(stand.led_out_of(link), stand.root.join(out_of), "{link}");
    }
    // Through the link, and by a link of the system's that leads to it.
    assert_eq!(stand.led_out_of("data/folder/secret"), stand.root.join("data"));
    stand.link("outside", "data/file");
    assert_eq!(stand.led_out_of("outside"), stand.root.join("data"));
    let told = stand
        .find("data/file")
        .expect_err("it is not followed")
        .to_string();
    let (link, data) = (stand.root.join("data/file"), stand.root.join("data"));
    assert_eq!(
        told,
        format!(
            "a link that a plugin may have made, {}, leads out of {}; it is not followed",
            link.display(),
            data.display()
        )
    );
}

#[test]
fn a_link_within_its_place_and_one_of_nobodys_place_are_followed() {
    let stand = Stand::new();
    fs::write(stand.root.join("data/in/file"), "text").expect("writes");
    for (link, to, end) in [
        ("data/current", "in", "data/in"),
        ("data/latest", "@/data/in/file", "data/in/file"),
        ("plain", "closed/in/../secret", "closed/secret"),
        ("closed/up", "../plain", "closed/secret"),
        ("to-data", "@/data", "data"),
    ] {
        stand.link(link, to);
        let found = stand.find(link).expect(link);
        assert_eq!(found.spot.path, stand.root.join(end), "{link}");
        let is_folder = found.kind() == FileType::Directory;
        assert_eq!(is_folder, found.spot.path.is_dir(), "{link}");
    }
    // What this system has, wherever it leads.
    for path in ["/bin/sh", "/var/run", "/proc/self", "/etc/localtime"] {
        let real = fs::canonicalize(path).ok();
        assert_eq!(
            stand
                .places
                .find(Path::new(path))
                .ok()
                .map(|found| found.spot.path),
            real,
            "{path}"
        );
    }
}

#[test]
fn a_link_of_a_plugins_user_is_not_followed_even_where_nobody_writes_any_more() {
    let stand = Stand::new();
    stand.link("closed/left", "../data/in");
    assert!(stand.find("closed/left").is_ok());
    if !geteuid().is_root() {
        return;
    }
    let link = stand.root.join("closed/left");
    lchown(&link, Some(1_900_000_007), None).expect("the superuser can");
    assert_eq!(stand.led_out_of("closed/left"), stand.root.join("closed"));
}

#[test]
fn what_is_not_there_and_what_leads_in_circles_is_absent() {
    let stand = Stand::new();
    stand.link("round", "round");
    for (path, told) in [
        ("missing", "it was not there at the start"),
        ("closed/secret/below", "it was not there at the start"),
        ("round", "it could not be opened at the start: "),
    ] {
        let lost = stand.find(path).expect_err(path);
        assert!(matches!(lost, Lost::Absent { .. }), "{lost:?}");
        assert!(lost.to_string().starts_with(told), "{lost}");
    }
}

#[test]
fn what_another_plugin_may_write_is_told_from_ones_own() {
    let stand = Stand::new();
    let of_another = |path: &str| {
        let spot = Spot::named(&stand.root.join(path));
        stand.places.of_another(&spot).is_some()
    };
    for path in [
        "spool",
        "spool/b.json",
        "spool/mine/x",
        "homes/other/x",
        "homes",
        "",
    ] {
        assert!(of_another(path), "{path}");
    }
    for path in ["data", "data/x", "homes/me/x", "closed/secret"] {
        assert!(!of_another(path), "{path}");
    }
    let made = |path: &str| stand.places.may_be_made_by_a_plugin(&stand.root.join(path));
    assert!(made("data/in") && made("spool/x") && made("homes/me"));
    assert!(!made("data") && !made("closed") && !made("spool"));
}

#[test]
fn i4_a_place_is_known_by_its_folder_whatever_path_leads_there() {
    let mut stand = Stand::new();
    fs::write(stand.root.join("spool/tool"), "text").expect("writes");
    // As by a mount: the places have other paths than those by which their folders are reached here.
    let places = &mut stand.places;
    for place in [
        &mut places.own,
        &mut places.others,
        &mut places.homes,
        &mut places.home,
    ] {
        place.retain(|spot| !spot.nodes.is_empty());
        for spot in place {
            spot.path = Path::new("/mounted").join(spot.path.file_name().expect("it has a name"));
        }
    }
    for (link, to, out_of) in [
        ("data/file", "@/closed/secret", "data"),
        ("data/in/deep", "../../closed/secret", "data"),
        ("spool/file", "@/closed/secret", "spool"),
        ("homes/me/cache", "@/closed", "homes/me"),
        ("homes/other/cache", "@/homes/me", "homes/other"),
    ] {
        stand.link(link, to);
        assert_eq!(stand.led_out_of(link), stand.root.join(out_of), "{link}");
    }
    stand.link("data/current", "in");
    let real = |path: &str| stand.find(path).expect(path).spot;
    assert_eq!(real("data/current").path, stand.root.join("data/in"));
    let places = &stand.places;
    for path in ["spool", "spool/tool", "homes/other", "homes", ""] {
        assert!(places.of_another(&real(path)).is_some(), "{path}");
    }
    for path in ["data", "data/in", "homes/me", "closed/secret"] {
        assert!(places.of_another(&real(path)).is_none(), "{path}");
    }
    assert!(places.is_own(&real("data/in")) && places.is_own(&real("homes/me")));
    assert!(!places.is_own(&real("spool/tool")) && !places.is_own(&real("closed")));
    let made = |path: &str| places.may_be_made_by_a_plugin(&stand.root.join(path));
    assert!(made("data/in") && made("spool/tool") && made("homes/me"));
    assert!(!made("data") && !made("closed") && !made("spool"));
}

#[test]
fn i4_where_everybody_may_write_only_links_of_its_owner_of_ours_and_of_the_superuser_are_followed() {
    let (us, stranger) = (geteuid().as_raw(), 4711);
    for (mode, folder, link, strange) in [
        (0o41777, 0, stranger, true),
        (0o41777, 4712, stranger, true),
        (0o41777, stranger, stranger, false),
        (0o41777, stranger, us, false),
        (0o41777, stranger, 0, false),
        (0o41003, 0, stranger, true),
        (0o40777, 0, stranger, false),
        (0o41775, 0, stranger, false),
        (0o40755, 0, stranger, false),
    ] {
        assert_eq!(
            is_strange(mode, folder, link),
            strange,
            "{mode:o} {folder} {link}"
        );
    }
    let stand = Stand::new();
    let open = fs::Permissions::from_mode(0o1777);
    fs::set_permissions(stand.root.join("closed"), open).expect("sets the mode");
    stand.link("closed/left", "secret");
    stand.link("through", "closed/left");
    for path in ["closed/left", "through"] {
        assert!(stand.find(path).is_ok(), "{path}");
    }
    if !geteuid().is_root() {
        return;
    }
    let link = stand.root.join("closed/left");
    lchown(&link, Some(stranger), None).expect("the superuser can");
    for path in ["closed/left", "through"] {
        let told = stand.find(path).expect_err(path).to_string();
        let strange = "a link of a stranger's in a folder where everybody may write, ";
        assert_eq!(told, format!("{strange}{}; it is not followed", link.display()));
    }
}
