//! Who is here: when anybody last touched a terminal or a display, and how many people are at work.
//!
//! Both readings look at what the kernel, logind and the X server know, and start no process. Where the
//! processes and terminals seen from here are not the host's, both are unknown ([`vantage`]). They run
//! on [lanes](crate::lane) of their own, since a process that is stuck in the kernel can make reading its
//! command line hang, and an X server may not answer.

mod consoles;
mod conversation;
mod desktops;
mod input;
mod logind;
mod notebooks;
mod people;
mod processes;
mod programs;
#[cfg(test)]
mod recorded;
mod sockets;
mod terminals;
mod vantage;
mod x11;

pub(crate) use input::Input;
pub(crate) use people::People;
