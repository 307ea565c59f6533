//! The rules of snoozing one host (P) and of its limits (L), each by its name.

mod asking;
mod calling;
mod competing;
mod limits;
mod next_boot;
mod slots;
mod watching;
