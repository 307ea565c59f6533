//! Somewhere in the tree of files, by its path and by what the folders on the way are.
//!
//! One folder may be shown by several paths, by a mount of it elsewhere: a path alone does not say that two spots are
//! one. It opens nothing.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What tells a file or folder from all others, by whichever path it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub(in crate::fence) struct Node {
    /// The file system's number.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// There are many of them in what a process is told.
impl From<Node> for (u64, u64) {
    fn from(node: Node) -> Self {
        (node.device, node.inode)
    }
}

impl From<(u64, u64)> for Node {
    fn from((device, inode): (u64, u64)) -> Self {
        Node { device, inode }
    }
}

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::fence) struct Spot {
    /// Its path, without any link where it was walked.
    pub path: PathBuf,
    /// What each folder of the path is, the root first, and what it is itself; none where it was not walked.
    pub nodes: Vec<Node>,
}

impl Spot {
    /// What is known by its path alone, because there is nothing or nobody has looked.
    pub(in crate::fence) fn named(path: &Path) -> Spot {
        Spot {
            path: path.to_owned(),
            nodes: Vec::new(),
        }
    }

    /// Whether this is the other one, or a folder above it.
    pub(super) fn holds(&self, other: &Spot) -> bool {
        other.depth_of(self).is_some()
    }

    /// Whether both are the same file or folder.
    pub(super) fn is(&self, other: &Spot) -> bool {
        let end = self.nodes.last();
        self.path == other.path || end.is_some() && end == other.nodes.last()
    }

    /// How many parts of this one's path lead to that folder, where it lies in it; the most, where it does twice.
    pub(super) fn depth_of(&self, folder: &Spot) -> Option<usize> {
        let by_path = self.path.starts_with(&folder.path);
        let by_path = by_path.then(|| folder.path.components().count());
        let end = folder.nodes.last();
        let by_node = end.and_then(|end| self.nodes.iter().rposition(|node| node == end));
        by_path.max(by_node.map(|index| index + 1))
    }

    /// The folder so many parts deep on the way here, where the way is so long.
    pub(super) fn above(&self, depth: usize) -> Option<PathBuf> {
        let mut parts = self.path.components();
        let above: PathBuf = parts.by_ref().take(depth).collect();
        (above.components().count() == depth).then_some(above)
    }
}
