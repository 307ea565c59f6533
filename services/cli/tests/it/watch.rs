//! What is watched live: `snooze status --watch` on a terminal, and how the feed of every view ends.

use snooze_bus::{Role, User};
use snooze_cli::view::feed;
use snooze_schemas::HostId;
use snooze_test_harness::{NatsServer, Process, python, wait_for};
use std::time::Duration;

/// Some twenty starts on a machine that compiles meanwhile.
const LIMIT: Duration = Duration::from_secs(120);

/// Shows the view on a terminal of its own again and again, ends it by a key and by Ctrl-C in turn while the terminal
/// takes nothing, as one does that is held, and lets it take what comes once the view has ended. Says how the
/// program ended and whether the person's own screen was given back last.
const TERMINAL: &str = r"
import os, pty, signal, subprocess, sys, termios
ENTER, LEAVE = b'\x1b[?1049h', b'\x1b[?1049l'
for turn in range(20):
    master, slave = pty.openpty()
    environment = dict(os.environ, TERM='xterm')
    view = subprocess.Popen(sys.argv[1:], stdin=slave, stdout=slave, stderr=slave, env=environment)
    seen = b''
    while ENTER not in seen:
        seen += os.read(master, 4096)
    termios.tcflow(slave, termios.TCOOFF)
    if turn % 2:
        view.send_signal(signal.SIGINT)
    else:
        os.write(master, b'q')
    while not termios.tcgetattr(slave)[3] & termios.ICANON:
        pass
    termios.tcflow(slave, termios.TCOON)
    ended = view.wait()
    os.close(slave)
    try:
        while chunk := os.read(master, 4096):
            seen += chunk
    except OSError:
        pass
    os.close(master)
    print(ended, 'given back' if seen.rfind(LEAVE) > seen.rfind(ENTER) else seen, flush=True)
";

#[tokio::test]
async fn a_view_that_ends_gives_the_terminal_back() {
    let server = NatsServer::with_roles().await;
    let ann = User::named(Role::Operator, "ann").expect("a name");
    let credentials = server.credentials(&ann);
    let credentials = credentials.to_str().expect("a plain name");
    // A host that is named is not asked for, so nobody has to answer.
    let arguments = [
        "-c",
        TERMINAL,
        env!("CARGO_BIN_EXE_snooze"),
        "--server",
        &server.url(),
        "--credentials",
        credentials,
        "status",
        "web",
        "--watch",
    ]
    .map(str::to_owned);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut terminal =
        Process::start(&python(), &arguments, &folder.path().join("out")).expect("python runs");
    wait_for(LIMIT, "all views have ended", async || terminal.ended()).await;
    let said = terminal.said_all();
    assert_eq!(said.lines().count(), 20, "{said}");
    for line in said.lines() {
        assert_eq!(line, "0 given back");
    }
}

#[tokio::test]
async fn a_feed_ends_well_with_its_view_and_as_a_failure_with_its_bus() {
    let mut server = NatsServer::with_kept_keys().await;
    let ada = User::named(Role::Administrator, "ada").expect("a name");
    let bus = server.bus(&ada).await;
    let host: HostId = "web".parse().expect("a host's name");

    let (sender, view) = feed::channel();
    let ended = feed::feed(bus.clone(), host.clone(), sender)
        .await
        .expect("the server takes it");
    drop(view);
    let ended = tokio::time::timeout(LIMIT, ended).await.expect("nobody hears it");
    assert!(ended.is_ok(), "{ended:?}");

    let (sender, view) = feed::channel();
    let ended = feed::feed(bus, host, sender).await.expect("the server takes it");
    server.revoke(Role::Administrator);
    let ended = tokio::time::timeout(LIMIT, ended).await.expect("there is no bus");
    assert!(ended.is_err(), "a view that hears nothing has to be told");
    drop(view);
}
