//! The workspace's Rust files, line by line, with comments told apart from code.
//!
//! It reads lines and not syntax: a rule that needs more than that belongs to a lint.

use crate::{members, root};
use std::{fs, path::Path};

/// One Rust file.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Below the root, with `/`.
    pub path: String,
    /// The folder of its member.
    pub member: String,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// Lines of code with their numbers: without whole-line comments and what follows `//` after a blank.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self
            .text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line));
        lines
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(number, line)| {
                let code = line.find(" // ").map_or(line, |comment| &line[..comment]);
                (number, code)
            })
    }

    /// Code outside of tests: nothing for a file below `tests/`, else what stands before the first
    /// `#[cfg(test)]`, which in this house is the end of a file.
    pub fn code_outside_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = if self.is_test_file() {
            0
        } else {
            self.first_test_line()
        };
        self.code().take_while(move |(number, _)| *number < end)
    }

    /// Code of tests: what [`code_outside_tests`](SourceFile::code_outside_tests) leaves out.
    pub fn code_of_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let start = if self.is_test_file() {
            0
        } else {
            self.first_test_line()
        };
        self.code().filter(move |(number, _)| *number >= start)
    }

    /// Whether all of it is a test.
    #[must_use]
    pub fn is_test_file(&self) -> bool {
        self.path
            .strip_prefix(&self.member)
            .is_some_and(|rest| rest.starts_with("/tests/"))
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/src/tests/")
    }

    fn first_test_line(&self) -> usize {
        self.text
            .lines()
            .position(|line| line.trim() == "#[cfg(test)]")
            // A module that is only declared (`mod tests;`) has its text in its own file.
            .map_or(usize::MAX, |index| index + 1)
    }
}

/// All Rust files of all members.
///
/// # Panics
/// When a folder or file cannot be read.
#[must_use]
pub fn sources() -> Vec<SourceFile> {
    let root = root();
    let mut files = Vec::new();
    for member in members() {
        walk(&root, &root.join(&member.folder), &member.folder, &mut files);
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

fn walk(root: &Path, folder: &Path, member: &str, files: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|cause| panic!("{}: {cause}", folder.display())) {
        let path = entry.expect("an entry of a folder that was opened").path();
        if path.is_dir() {
            walk(root, &path, member, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root).expect("it was found below the root");
            files.push(SourceFile {
                path: below.to_string_lossy().replace('\\', "/"),
                member: member.to_owned(),
                text: fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display())),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile {
            path: path.to_owned(),
            member: "services/x".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn comments_are_no_code() {
        let file = file(
            "services/x/src/a.rs",
            "//! doc\nlet a = 1; // why\n  // note\nlet url = \"http://x\";",
        );
        let code: Vec<_> = file.code().collect();
        assert_eq!(code, [(2, "let a = 1;"), (4, "let url = \"http://x\";")]);
    }

    #[test]
    fn tests_are_what_follows_their_mark_or_lies_in_their_folder() {
        let inner = file("services/x/src/a.rs", "one\n#[cfg(test)]\nmod tests {}\n");
        assert_eq!(inner.code_outside_tests().collect::<Vec<_>>(), [(1, "one")]);
        assert_eq!(inner.code_of_tests().count(), 2);
        let outer = file("services/x/tests/it/a.rs", "one\n");
        assert_eq!(
            (outer.code_outside_tests().count(), outer.code_of_tests().count()),
            (0, 1)
        );
    }

    #[test]
    fn the_workspace_has_sources() {
        assert!(
            sources()
                .iter()
                .any(|file| file.path == "tests/workspace-rules/src/source.rs")
        );
    }
}
