//! The laws of packages, on real folders.

mod folder;
mod hostile;
mod limits;
mod reproducible;
mod truncated;
