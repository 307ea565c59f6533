//! The example: votes idle while the processor is below a threshold, and sees custom events. Every SDK has the
//! same one, and the conformance suite asks all of them the same.

mod example;

snooze_plugin::main!(example::Example::default());
