//! The suite over real processes and a real bus: what keeps the contract passes, and each case can fail.

mod protocol;
mod sdks;
mod sin_table;
mod sins;
mod stand;
mod tree;
