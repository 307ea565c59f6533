//! The laws of packages, on real folders.

mod folder;
mod hostile;
mod installed;
mod limits;
mod reproducible;
mod truncated;
