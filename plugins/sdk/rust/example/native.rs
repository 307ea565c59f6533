//! The example as a library that the runner loads: the same plugin, another last line.

mod example;

snooze_plugin::native!(example::Example::default());
