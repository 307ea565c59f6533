//! Which plugins there are: the executable files of the configured folders, in order.
//!
//! It starts nothing. A file that others than its owner and group may change is not run: whoever can
//! write it would run as the runner does. In a folder where everybody may put files, as `/tmp`, only our own
//! and the superuser's are run.

use snooze_schemas::PluginName;
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// So many plugins are run at most; more are a mistake in the folder's path.
const PLUGIN_LIMIT: usize = 256;

const EXECUTABLE_BY_ANY: u32 = 0o111;
const WRITABLE_BY_OTHERS: u32 = 0o002;
/// A folder such as `/tmp`, where everybody may write but only remove what is theirs.
const STICKY: u32 = 0o1000;
const SUPERUSER: u32 = 0;

/// An executable that is a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its name until it has introduced itself.
    pub name: PluginName,
    /// Where it is.
    pub path: PathBuf,
}

/// Why a file or a folder was passed over, for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassedOver {
    /// The folder or file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// Everybody may write it.
    #[error("{} may be written by everybody; it is not run", .0.display())]
    WritableByOthers(PathBuf),
    /// Everybody may put files where it is, and somebody else did.
    #[error("{} belongs to somebody else, in a folder that everybody may write; it is not run", .0.display())]
    PutByOthers(PathBuf),
    /// No name can be made of the file's.
    #[error("no plugin name can be made of {}", .0.display())]
    Nameless(PathBuf),
    /// An earlier folder has a file of the same name.
    #[error("{} is hidden by another file of that name", .0.display())]
    Hidden(PathBuf),
    /// There are too many.
    #[error("more than {PLUGIN_LIMIT} plugins; the rest is not run")]
    TooMany,
}

impl PassedOver {
    /// The name by which it is missed; nothing where another file has taken its place.
    pub(crate) fn name(&self) -> Option<PluginName> {
        let path = match self {
            Self::Hidden(_) => return None,
            Self::TooMany => return sanitised("more-plugins-than-are-run"),
            Self::Read { path, .. }
            | Self::WritableByOthers(path)
            | Self::PutByOthers(path)
            | Self::Nameless(path) => path,
        };
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy())
            .unwrap_or_default();
        // What has a name that no plugin may have is missed under one that says so.
        sanitised(&stem)
            .or_else(|| sanitised(&format!("plugin-{stem}")))
            .or_else(|| sanitised("nameless-plugin"))
    }
}

/// Looks through the folders. A folder that is not there holds no plugins; that is no fault.
#[must_use]
pub(crate) fn discover(folders: &[PathBuf]) -> (Vec<Found>, Vec<PassedOver>) {
    let mut found: Vec<Found> = Vec::new();
    let mut passed_over = Vec::new();
    for folder in folders {
        let entries = match entries_of(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => {
                passed_over.push(PassedOver::Read {
                    path: folder.clone(),
                    source,
                });
                continue;
            }
        };
        for path in entries {
            match look_at(folder, &path) {
                Ok(Some(name)) if found.iter().any(|other| other.name == name) => {
                    passed_over.push(PassedOver::Hidden(path));
                }
                Ok(Some(_)) if found.len() == PLUGIN_LIMIT => {
                    passed_over.push(PassedOver::TooMany);
                    return (found, passed_over);
                }
                Ok(Some(name)) => found.push(Found { name, path }),
                Ok(None) => {}
                Err(why) => passed_over.push(why),
            }
        }
    }
    (found, passed_over)
}

fn entries_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

fn look_at(folder: &Path, path: &Path) -> Result<Option<PluginName>, PassedOver> {
    let read = |source| PassedOver::Read {
        path: path.to_owned(),
        source,
    };
    // An editor's lock is a hidden link that leads nowhere; it is not even looked at.
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    if hidden {
        return Ok(None);
    }
    let file = fs::metadata(path).map_err(read)?;
    if !file.is_file() || file.permissions().mode() & EXECUTABLE_BY_ANY == 0 {
        return Ok(None);
    }
    let folder_mode = fs::metadata(folder).map_err(read)?.permissions().mode();
    let folder_open = folder_mode & WRITABLE_BY_OTHERS != 0;
    let replaceable = folder_open && folder_mode & STICKY == 0;
    if replaceable || file.permissions().mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(PassedOver::WritableByOthers(path.to_owned()));
    }
    // A link is whose it is, whatever it leads to.
    let put_by = fs::symlink_metadata(path).map_err(read)?.uid();
    if folder_open && !is_trusted(put_by) {
        return Err(PassedOver::PutByOthers(path.to_owned()));
    }
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy())
        .unwrap_or_default();
    match sanitised(&stem) {
        Some(name) => Ok(Some(name)),
        None => Err(PassedOver::Nameless(path.to_owned())),
    }
}

/// Whether it is us or the superuser.
fn is_trusted(owner: u32) -> bool {
    owner == SUPERUSER || owner == rustix::process::geteuid().as_raw()
}

/// A plugin name made of what a file or a plugin calls itself: lower case, other characters become `-`.
#[must_use]
pub(crate) fn sanitised(text: &str) -> Option<PluginName> {
    let clean: String = text
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(64)
        .collect();
    clean.trim_matches('-').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, mode: u32) {
        let path = folder.join(name);
        fs::write(&path, "#!/bin/sh\n").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("sets the mode");
    }

    #[test]
    fn executables_are_found_in_order_and_the_first_folder_wins() {
        let (one, two) = (
            tempfile::tempdir().expect("a folder"),
            tempfile::tempdir().expect("a folder"),
        );
        write(one.path(), "b_two.py", 0o755);
        write(one.path(), "a-one", 0o700);
        write(one.path(), "notes.txt", 0o644);
        write(one.path(), ".hidden", 0o755);
        write(two.path(), "a_one.sh", 0o755);
        let absent = PathBuf::from("/nonexistent/plugins");
        let folders = [absent, one.path().to_owned(), two.path().to_owned()];
        let (found, passed_over) = discover(&folders);
        let names: Vec<&str> = found.iter().map(|plugin| plugin.name.as_str()).collect();
        assert_eq!(names, ["a-one", "b-two"]);
        assert!(
            matches!(passed_over[..], [PassedOver::Hidden(_)]),
            "{passed_over:?}"
        );
    }

    #[test]
    fn a_hidden_link_that_leads_nowhere_is_not_missed() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = |name| {
            std::os::unix::fs::symlink("me@here.4711:1650000000", folder.path().join(name)).expect("links");
        };
        link(".#redis.py");
        let (found, passed_over) = discover(&[folder.path().to_owned()]);
        assert!(found.is_empty() && passed_over.is_empty(), "{passed_over:?}");
        link("redis.py");
        let (_, passed_over) = discover(&[folder.path().to_owned()]);
        assert!(matches!(passed_over[..], [PassedOver::Read { .. }]));
    }

    #[test]
    fn what_everybody_may_change_is_not_run() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "open", 0o777);
        let (found, passed_over) = discover(&[folder.path().to_owned()]);
        assert!(found.is_empty());
        assert!(matches!(passed_over[..], [PassedOver::WritableByOthers(_)]));
        write(folder.path(), "open", 0o755);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("sets the mode");
        assert!(
            discover(&[folder.path().to_owned()]).0.is_empty(),
            "another file could take its place"
        );
    }

    #[test]
    fn in_a_folder_for_everybody_only_our_own_files_and_the_superusers_are_run() {
        assert!(is_trusted(rustix::process::geteuid().as_raw()) && is_trusted(SUPERUSER));
        assert!(!is_trusted(u32::MAX - 7), "a stranger");
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "ours", 0o755);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).expect("sets the mode");
        assert_eq!(discover(&[folder.path().to_owned()]).0.len(), 1);
        // The superuser can give a file away; nobody else can put this to the test.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path().join("ours"), Some(4711), None).expect("gives it away");
            let (found, passed_over) = discover(&[folder.path().to_owned()]);
            assert!(found.is_empty());
            assert!(matches!(passed_over[..], [PassedOver::PutByOthers(_)]));
        }
    }

    #[test]
    fn s2_what_is_passed_over_is_missed_by_its_name() {
        let missed = |why: PassedOver| why.name().map(|name| name.as_str().to_owned());
        assert_eq!(
            missed(PassedOver::WritableByOthers("/p/redis_monitor.py".into())).as_deref(),
            Some("redis-monitor")
        );
        assert_eq!(
            missed(PassedOver::Nameless("/p/cpu".into())).as_deref(),
            Some("plugin-cpu")
        );
        assert_eq!(missed(PassedOver::Hidden("/p/other".into())), None);
    }

    #[test]
    fn a_name_is_made_of_whatever_it_is_called() {
        let name = |text| sanitised(text).map(|name| name.as_str().to_owned());
        assert_eq!(name("Redis_Monitor").as_deref(), Some("redis-monitor"));
        assert_eq!(
            name("spot.interrupt handler").as_deref(),
            Some("spot-interrupt-handler")
        );
        assert_eq!(name("cpu"), None, "a built-in voter's name is taken");
        assert_eq!(name("///"), None);
    }
}
