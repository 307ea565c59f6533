//! The text of a private nats-server's configuration, and the environment that it runs in. Starts no server.

use crate::credentials::Trust;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

const TEMPLATE: &str = include_str!("../../server/nats-server.conf");

/// What differs from one private server to another.
#[derive(Debug, Clone, Copy)]
pub struct ServerConfig<'a> {
    /// The port on loopback; any free one where absent, to be read from the ports file.
    pub port: Option<u16>,
    /// What the server calls itself; one token.
    pub name: &'a str,
    /// Where JetStream keeps its streams.
    pub store: &'a Path,
    /// Where the server writes `<program>_<pid>.ports`, a JSON object that says where it listens.
    pub ports_folder: &'a Path,
    /// Whom it believes.
    pub trust: &'a Trust,
}

impl ServerConfig<'_> {
    /// The text of the configuration file. It holds no secret.
    #[must_use]
    pub fn render(&self) -> String {
        let port = self.port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
        let accounts: String = self
            .trust
            .accounts
            .iter()
            .map(|(key, claims)| format!("  {key}: \"{claims}\"\n"))
            .collect();
        TEMPLATE
            .replace("${LISTEN}", &format!("{}:{port}", Ipv4Addr::LOCALHOST))
            .replace("${NAME}", &quotable(self.name))
            .replace("${STORE}", &quotable(&self.store.to_string_lossy()))
            .replace("${PORTS_FOLDER}", &quotable(&self.ports_folder.to_string_lossy()))
            .replace("${OPERATOR}", &self.trust.operator)
            .replace("${SYSTEM_ACCOUNT}", &self.trust.system_account)
            .replace("${ACCOUNTS}", &accounts)
    }
}

/// Threads of the server that may run at once, for each processor.
///
/// Go's scheduler looks at its sockets when a thread has nothing to do, else every ten milliseconds. With a thread a
/// processor, as is its default, a flood of routine events keeps all of them at work, and each hop of a critical one
/// waits for that look. Its garbage collector takes a quarter of them while it is at work: with many more than there are
/// processors that is all that there is of the machine.
const THREADS_A_PROCESSOR: usize = 2;

/// How much the heap grows before it is collected, in percent of what lives: while it is, publishers help collecting
/// instead of being served. A flood has it collected many times a second, and nearly all of what it allocates is dead by
/// then.
const GARBAGE_PERCENT: u32 = 400;

/// What the server is started with in its environment, for so many processors.
#[must_use]
pub fn server_environment(processors: usize) -> [(&'static str, String); 2] {
    let threads = processors.max(1).saturating_mul(THREADS_A_PROCESSOR);
    [
        ("GOMAXPROCS", threads.to_string()),
        ("GOGC", GARBAGE_PERCENT.to_string()),
    ]
}

/// Where a server listens, from the text of its ports file; nothing while that is not whole.
#[must_use]
pub fn listening(ports_file: &str) -> Option<SocketAddr> {
    let ports: serde_json::Value = serde_json::from_str(ports_file).ok()?;
    ports["nats"][0].as_str()?.strip_prefix("nats://")?.parse().ok()
}

/// Inside double quotes of the server's configuration language.
fn quotable(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_template_is_filled_in() {
        let trust = Trust {
            operator: "op".to_owned(),
            system_account: "ASYS".to_owned(),
            accounts: vec![("AONE".to_owned(), "claims".to_owned())],
        };
        let config = ServerConfig {
            port: None,
            name: "snooze",
            store: Path::new("/a \"b\"/store"),
            ports_folder: Path::new("/ports"),
            trust: &trust,
        };
        let text = config.render();
        let settings = text
            .split_once("listen:")
            .expect("the template begins with a comment")
            .1;
        assert!(!settings.contains("${"), "{settings}");
        assert!(text.contains("listen: \"127.0.0.1:-1\""));
        assert!(text.contains(r#"store_dir: "/a \"b\"/store""#));
        assert!(text.contains("  AONE: \"claims\"\n"));
    }

    #[test]
    fn a_ports_file_that_is_half_written_says_nothing_yet() {
        assert_eq!(listening(r#"{"nats":["nats://127.0.0.1:42"#), None);
        assert_eq!(
            listening(r#"{"nats":["nats://127.0.0.1:4222"]}"#),
            Some(SocketAddr::from(([127, 0, 0, 1], 4222)))
        );
    }
}
