//! Mounts that every machine has, and one of the test's own where the kernel lets it make one.

use super::*;
use rustix::{
    fs::CWD,
    mount::{MountPropagationFlags, mount_bind, mount_change},
    thread::{CapabilitySet, UnshareFlags, capabilities},
};
use std::thread;

/// Does this with a folder mounted in another one, and says whether that could be: it takes the superuser's power over
/// mounts, and where that is there it has to.
#[must_use]
pub(crate) fn with_mounted(what: &Path, at: &Path, work: impl FnOnce() + Send) -> bool {
    thread::scope(|scope| {
        let of_its_own = scope.spawn(|| {
            let may = capabilities(None).expect("it reads its own");
            if !may.effective.contains(CapabilitySet::SYS_ADMIN) {
                return false;
            }
            #[expect(
                deprecated,
                reason = "its successor is unsafe for descriptors, which stay shared here"
            )]
            rustix::thread::unshare(UnshareFlags::NEWNS).expect("this thread sees mounts of its own");
            let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            mount_change("/", private).expect("nobody else sees them");
            mount_bind(what, at).expect("it is mounted");
            work();
            true
        });
        of_its_own.join().expect("it does not panic")
    })
}

type Way = fn(BorrowedFd<'_>, &CStr) -> Result<OwnedFd, Errno>;

fn both_ways(above: &Path, name: &CStr) -> [Result<(), Errno>; 3] {
    let above = openat(CWD, above, flags(), Mode::empty()).expect("it is there");
    let ways: [Way; 3] = [folder_in, by_the_kernel, by_comparing];
    ways.map(|way| way(above.as_fd(), name).map(drop))
}

#[test]
fn what_is_mounted_in_a_folder_is_not_opened_from_it_whichever_way_is_taken() {
    let root = Path::new("/");
    let mut expected = [Err(Errno::XDEV); 3];
    if both_ways(root, c"proc")[1] == Err(Errno::NOSYS) {
        expected[1] = Err(Errno::NOSYS);
    }
    assert_eq!(both_ways(root, c"proc"), expected);
    assert_eq!(mounted_in(Path::new("/proc")), Some("/proc".into()));
    let above = tempfile::tempdir().expect("a folder");
    fs::create_dir(above.path().join("plain")).expect("makes");
    let plain = both_ways(above.path(), c"plain");
    assert_eq!((plain[0], plain[2]), (Ok(()), Ok(())));
    assert_eq!(mounted_in(above.path()), None);
}

#[test]
fn a_folder_of_the_same_disk_that_is_mounted_is_not_opened_either() {
    let stand = tempfile::tempdir().expect("a folder");
    let above = fs::canonicalize(stand.path()).expect("it is there");
    let (what, at) = (above.join("what"), above.join("at it"));
    for folder in [&what, &at] {
        fs::create_dir(folder).expect("makes");
    }
    let told = with_mounted(&what, &at, || {
        let opened = both_ways(&above, c"at it");
        assert_eq!((opened[0], opened[2]), (Err(Errno::XDEV), Err(Errno::XDEV)));
        assert_eq!(mounted_in(&above).as_ref(), Some(&at));
    });
    let open = openat(CWD, &above, flags(), Mode::empty()).expect("it is there");
    assert!(
        told_by_proc(open.as_fd()).is_some(),
        "what it is compared by is told"
    );
    if !told {
        assert_eq!(mounted_in(&above), None);
    }
}

#[test]
fn a_mount_is_found_by_its_whole_path_whatever_is_in_its_name() {
    let mounts = br"21 1 8:1 / / rw - ext4 /dev/sda rw
36 21 8:1 /x /state/redis/a\040b\134c rw,relatime shared:1 - ext4 /dev/sda rw
37 21 8:1 /x /state/redis-2 rw - ext4 /dev/sda rw
";
    let found = |folder: &str| among(mounts, Path::new(folder));
    assert_eq!(found("/state/redis"), Some(r"/state/redis/a b\c".into()));
    assert_eq!(found("/state/redis-2"), Some("/state/redis-2".into()));
    assert_eq!(found("/state/redi"), None);
    assert_eq!(found("/state/redis/a"), None);
}
