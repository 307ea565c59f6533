//! The path of something in a package, below the package's one folder.
//!
//! It is a text of plain names: there is none that leads anywhere else.

/// Why a text is no such path; nothing where it is one.
pub(crate) fn flaw(path: &str) -> Option<&'static str> {
    if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Some("not a path of plain names");
    }
    path.contains(|c: char| c.is_control())
        .then_some("a control character is in its name")
}

/// What is above it; empty for the folder of the package.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_of_plain_names() {
        for path in ["a", "a/b", "a b", "..a/b..", "\u{e9}t\u{e9}/x"] {
            assert_eq!(flaw(path), None, "{path:?}");
        }
        for path in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "./a", "a\0b", "a\nb",
        ] {
            assert!(flaw(path).is_some(), "{path:?}");
        }
    }

    #[test]
    fn what_is_above_the_first_name_is_the_folder_itself() {
        assert_eq!((parent("a/b/c"), parent("a")), ("a/b", ""));
    }
}
