//! A plugin for the tests. What it does is the type of the event that it handles; `custom.wait` connects to the
//! socket that the event names, and is at it until the other side closes.

use snooze_plugin::{Event, Info, Outcome, Plugin, Result};
use std::{io::Read as _, os::unix::net::UnixStream};

struct TestPlugin;

impl Plugin for TestPlugin {
    fn info(&self) -> Info {
        Info::new("test-plugin", "1.0.0")
    }

    fn handle_event(&mut self, event: &Event) -> Result<Outcome> {
        match event.event_type.as_str() {
            "custom.panic" => panic!("as it was told"),
            "custom.long" => Ok(Outcome::handled("x".repeat(2 * 1024 * 1024))),
            "custom.wait" => {
                let socket = event.data["socket"].as_str().ok_or("no socket")?;
                let mut told = String::new();
                UnixStream::connect(socket)?.read_to_string(&mut told)?;
                Ok(Outcome::handled(told))
            }
            // It finds the end at once: its standard input is not the protocol's.
            "custom.read" => Ok(Outcome::handled(std::io::read_to_string(std::io::stdin())?)),
            _ => Ok(Outcome::not_handled()),
        }
    }

    fn shutdown(&mut self) -> Result<()> {
        eprintln!("shut down");
        Ok(())
    }
}

snooze_plugin::main!(TestPlugin);
