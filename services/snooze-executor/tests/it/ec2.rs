//! EC2, as moto plays it, behind a proxy that makes trouble; executors as processes of their own, so that
//! they can be killed at every step.

mod calls;
mod kills_after;
mod kills_before;
mod looks;
mod pair;
mod support;
