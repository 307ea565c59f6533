//! Who is found on a machine that is written down (rule S10), and when somebody last touched it.

use crate::machine::{Machine, known, unknown};
use snooze_schemas::sample::name;
use snooze_service_runtime::Clocks;

async fn people(machine: &Machine) -> f64 {
    known(&machine.series().await.sample().await, name::PEOPLE_PRESENT)
}

#[tokio::test]
async fn s10_somebody_who_types_over_ssh_is_present_until_the_threshold() {
    let machine = Machine::new();
    machine.process(50, "bash", &["-bash"], Some(0));
    machine.typed("pts/0", 600);
    let mut series = machine.series().await;
    let sample = series.sample().await;
    assert_eq!(known(&sample, name::PEOPLE_PRESENT), 1.0);
    assert_eq!(known(&sample, name::INPUT_IDLE_SECS), 600.0);
    machine.seconds_pass(301);
    let sample = series.sample().await;
    assert_eq!(known(&sample, name::PEOPLE_PRESENT), 0.0);
    assert_eq!(known(&sample, name::INPUT_IDLE_SECS), 901.0);
}

#[tokio::test]
async fn s10_the_panes_of_tmux_are_not_more_people() {
    let machine = Machine::new();
    machine.process(50, "bash", &["-bash"], Some(0));
    machine.process(60, "tmux: server", &["tmux"], None);
    machine.child(61, "bash", &["-bash"], Some(1), 60);
    machine.child(62, "bash", &["-bash"], Some(2), 60);
    for terminal in ["pts/0", "pts/1", "pts/2"] {
        machine.typed(terminal, 5);
    }
    assert_eq!(people(&machine).await, 1.0);
    // A client that is not seen here types in a pane: somebody is there all the same.
    machine.typed("pts/0", 100_000);
    assert_eq!(people(&machine).await, 1.0);
}

#[tokio::test]
async fn s10_a_shell_of_root_without_a_terminal_is_nobody() {
    let machine = Machine::new();
    machine.process(70, "sh", &["/bin/sh", "-e", "build.sh"], None);
    machine.process(71, "bash", &["bash", "-c", "make"], None);
    assert_eq!(people(&machine).await, 0.0);
}

#[tokio::test]
async fn s10_a_login_prompt_is_nobody() {
    let machine = Machine::new();
    machine.process(80, "agetty", &["/sbin/agetty", "pts/0"], Some(0));
    machine.typed("pts/0", 5);
    assert_eq!(people(&machine).await, 0.0);
}

/// A server that listens on port 0x1F90 with socket 11, and its client with socket 12.
const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
    0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1\n\
    1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 12 1\n";

fn listens(machine: &Machine, pid: u32) {
    machine.link(&format!("proc/{pid}/fd/3"), "socket:[11]");
    machine.write(
        &format!("proc/{pid}/net/tcp"),
        TCP.lines().take(2).collect::<Vec<_>>().join("\n"),
    );
}

const VS_CODE: [&str; 2] = ["/home/u/.vscode-server/bin/1/node", "out/server-main.js"];

fn is_connected(machine: &Machine, pid: u32) {
    machine.link(&format!("proc/{pid}/fd/4"), "socket:[12]");
    machine.write(&format!("proc/{pid}/net/tcp"), TCP);
}

#[tokio::test]
async fn s10_a_remote_ide_is_somebody_while_a_client_is_connected() {
    let machine = Machine::new();
    machine.process(90, "node", &VS_CODE, None);
    listens(&machine, 90);
    assert_eq!(people(&machine).await, 0.0);
    is_connected(&machine, 90);
    assert_eq!(people(&machine).await, 1.0);
}

#[tokio::test]
async fn s10_a_client_is_found_behind_a_process_that_has_ended() {
    let machine = Machine::new();
    machine.process(90, "node", &VS_CODE, None);
    machine.has_ended(90);
    machine.process(91, "node", &VS_CODE, None);
    listens(&machine, 91);
    is_connected(&machine, 91);
    assert_eq!(people(&machine).await, 1.0);
}

#[tokio::test]
async fn s10_a_client_is_found_in_each_network_namespace() {
    let machine = Machine::new();
    machine.process(90, "node", &VS_CODE, None);
    machine.process(91, "node", &VS_CODE, None);
    machine.link("proc/91/ns/net", "net:[4026532300]");
    listens(&machine, 91);
    is_connected(&machine, 91);
    assert_eq!(people(&machine).await, 1.0);
}

#[tokio::test]
async fn s10_a_program_whose_connections_nothing_tells_is_unknown() {
    let machine = Machine::new();
    machine.process(90, "node", &VS_CODE, None);
    machine.has_ended(90);
    let sample = machine.series().await.sample().await;
    assert!(unknown(&sample, name::PEOPLE_PRESENT).contains("nothing tells who is connected"));
}

#[tokio::test]
async fn s10_a_process_is_found_when_it_starts_and_when_it_becomes_another_program() {
    let machine = Machine::new();
    let mut series = machine.series().await;
    let ide = ["/home/u/.cursor-server/bin/1/node", "server-main.js"];
    for _ in 0..3 {
        machine.seconds_pass(1);
        assert_eq!(known(&series.sample().await, name::PEOPLE_PRESENT), 0.0);
    }
    machine.process(90, "node", &ide, None);
    listens(&machine, 90);
    is_connected(&machine, 90);
    assert_eq!(known(&series.sample().await, name::PEOPLE_PRESENT), 1.0);
    machine.remove("proc/90");
    assert_eq!(known(&series.sample().await, name::PEOPLE_PRESENT), 0.0);

    // A shell that runs for a while and then becomes the server is no new process.
    machine.process(95, "sh", &["/bin/sh"], None);
    listens(&machine, 95);
    is_connected(&machine, 95);
    for _ in 0..3 {
        assert_eq!(known(&series.sample().await, name::PEOPLE_PRESENT), 0.0);
    }
    machine.write("proc/95/cmdline", ide.join("\0"));
    machine.seconds_pass(60);
    assert_eq!(known(&series.sample().await, name::PEOPLE_PRESENT), 1.0);
}

#[tokio::test]
async fn s10_a_notebook_is_somebody_while_connected_and_used() {
    let machine = Machine::new();
    machine.process(91, "jupyter-lab", &["python3", "/usr/bin/jupyter-lab"], None);
    machine.process(92, "python3", &["python3", "-m", "ipykernel_launcher"], None);
    listens(&machine, 91);
    let user = rustix::process::getuid().as_raw();
    machine.write("etc/passwd", format!("u:x:{user}:{user}::/home/u:/bin/sh\n"));
    let history = "home/u/.ipython/profile_default/history.sqlite";
    machine.touch(history, 60);
    assert_eq!(people(&machine).await, 0.0, "nobody is connected");
    is_connected(&machine, 91);
    assert_eq!(people(&machine).await, 1.0);
    machine.touch(history, 3_000);
    assert_eq!(people(&machine).await, 0.0, "a tab that is left open is nobody");
}

#[tokio::test]
async fn s10_a_notebook_with_a_client_whose_home_is_nowhere_is_unknown() {
    let machine = Machine::new();
    machine.process(91, "jupyter-lab", &["python3", "/usr/bin/jupyter-lab"], None);
    machine.process(92, "python3", &["python3", "-m", "ipykernel_launcher"], None);
    listens(&machine, 91);
    let user = rustix::process::getuid().as_raw();
    let nobody = "v:x:4294967294:0::/home/v:/bin/sh\n".to_owned();
    machine.write("etc/passwd", &nobody);
    assert_eq!(
        people(&machine).await,
        0.0,
        "without a client nobody asks for a home"
    );
    is_connected(&machine, 91);
    let sample = machine.series().await.sample().await;
    assert!(unknown(&sample, name::PEOPLE_PRESENT).contains(&format!("the home of user {user}")));
    machine.write("etc/passwd", nobody + &format!("u:x:{user}:0::/home/u:/bin/sh\n"));
    let sample = machine.series().await.sample().await;
    assert!(unknown(&sample, name::PEOPLE_PRESENT).contains(&format!("the home of user {user}")));
    machine.folder_at("home/u");
    assert_eq!(
        people(&machine).await,
        0.0,
        "it is there, and nothing was ever saved"
    );
}

#[tokio::test]
async fn s10_the_pipes_that_logind_holds_beside_its_sessions_are_not_read() {
    let machine = Machine::new();
    machine.write("run/systemd/sessions/1", "TYPE=tty\nCLASS=user\nSTATE=active\n");
    machine.write("run/systemd/sessions/.#1", "TYPE=wayland\nCLASS=user\n");
    let _held = machine.pipe("run/systemd/sessions/1.ref");
    let sample = machine.series().await.sample().await;
    assert_eq!(known(&sample, name::PEOPLE_PRESENT), 0.0);
    assert_eq!(known(&sample, name::INPUT_IDLE_SECS), 3_600.0);
}

#[tokio::test]
async fn s10_in_a_container_people_and_input_are_unknown_and_the_rest_is_known() {
    let machine = Machine::new();
    machine.link("proc/self/ns/pid", "pid:[4026532198]");
    let sample = machine.series().await.sample().await;
    for name in [name::PEOPLE_PRESENT, name::INPUT_IDLE_SECS] {
        assert!(unknown(&sample, name).contains("container"), "{name}");
    }
    known(&sample, name::MEMORY_PERCENT);
}

#[tokio::test]
async fn s10_a_terminal_that_a_container_numbers_alike_is_judged_by_all_its_leaders() {
    let machine = Machine::new();
    machine.process(50, "bash", &["-bash"], Some(0));
    machine.process(51, "agetty", &["/sbin/agetty", "pts/0"], Some(0));
    machine.process(60, "tmux: server", &["tmux"], None);
    machine.child(61, "bash", &["-bash"], Some(1), 60);
    machine.process(62, "bash", &["-bash"], Some(1));
    machine.typed("pts/0", 5);
    machine.typed("pts/1", 5);
    assert_eq!(people(&machine).await, 2.0);
}

#[tokio::test]
async fn s10_a_console_that_the_kernel_made_and_that_nobody_has_is_nobody() {
    let machine = Machine::new();
    // What is made now has three equal times, by the real time of day.
    let now = Clocks::real().wall().as_millisecond();
    machine
        .hand
        .jump_wall_ms(now - machine.hand.clocks().wall().as_millisecond());
    machine.typed("tty1", 100_000);
    machine.write("dev/ttyS3", "");
    assert_eq!(people(&machine).await, 0.0);
    machine.typed("ttyS3", 5);
    assert_eq!(people(&machine).await, 1.0, "it was read from");
    // A terminal of a session is made when somebody opens it.
    machine.write("dev/pts/4", "");
    assert_eq!(people(&machine).await, 2.0);
}

#[tokio::test]
async fn s10_a_desktop_that_cannot_be_asked_is_unknown() {
    let machine = Machine::new();
    machine.write(
        "run/systemd/sessions/c1",
        "TYPE=wayland\nCLASS=user\nSTATE=active\n",
    );
    let sample = machine.series().await.sample().await;
    assert!(unknown(&sample, name::PEOPLE_PRESENT).contains("wayland session c1"));
    assert!(unknown(&sample, name::INPUT_IDLE_SECS).contains("wayland session c1"));
    known(&sample, name::MEMORY_PERCENT);
}

#[tokio::test]
async fn s10_processes_that_are_hidden_make_people_unknown() {
    let machine = Machine::new();
    machine.remove("proc/1");
    let sample = machine.series().await.sample().await;
    assert!(unknown(&sample, name::PEOPLE_PRESENT).contains("hidepid"));
}

#[tokio::test]
async fn a_socket_that_an_x_server_left_behind_is_no_display() {
    let machine = Machine::new();
    machine.folder_at("tmp/.X11-unix");
    let socket = machine.path().join("tmp/.X11-unix/X0");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("binds"));
    assert_eq!(
        known(&machine.series().await.sample().await, name::INPUT_IDLE_SECS),
        3_600.0
    );
    let _silent = {
        std::fs::remove_file(&socket).expect("removes");
        std::os::unix::net::UnixListener::bind(&socket).expect("binds")
    };
    let sample = machine.series().await.sample().await;
    assert!(
        unknown(&sample, name::INPUT_IDLE_SECS).contains(":0"),
        "a display that does not answer"
    );
    known(&sample, name::MEMORY_PERCENT);
}
