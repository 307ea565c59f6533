//! A greedy plugin against each fence: what it tries is written in Python and tried inside.
//!
//! A kernel may lack a fence. Each test asks the kernel itself, and wants either the fence or the word that it
//! is not there; nothing is passed over.

use crate::{
    greedy::{FILES, Greedy, config, landlock, open_to_all, place},
    orphans::{DAEMON, is_alive},
    stage::SOON,
};
use serde_json::json;
use snooze_plugin_runner::{
    asking::Method,
    fence::{ControlGroupRoot, Fence, FenceConfig},
};
use snooze_test_harness::wait_until;
use std::{
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::net::UnixListener,
    path::PathBuf,
    time::Duration,
};

/// Whether a plugin may be another user, and where it cannot, that it says so.
fn has_own_user(greedy: &Greedy) -> bool {
    let has = rustix::process::geteuid().is_root();
    assert_eq!(
        greedy.says_not_enforced("a user of its own"),
        !has,
        "{:?}",
        greedy.plugin.fenced()
    );
    has
}

#[tokio::test]
async fn files_outside_of_what_was_granted_are_closed() {
    let outside = place();
    let path = |name: &str| outside.path().join(name);
    for name in ["secret", "readable", "later"] {
        fs::write(path(name), "text").expect("writes");
    }
    fs::create_dir(path("ours")).expect("makes");
    open_to_all(&path("ours"));
    let read = |name: &str| format!("open({:?}).read()", path(name));
    let write = |name: &str| format!("open({:?}, 'w').write('x')", path(name));
    let greedy = Greedy::granted(json!({
        "read": [path("readable"), path("missing")], "write": [path("ours")],
    }))
    .await;
    let has = landlock().await >= 1;
    greedy.fenced(has, FILES, &read("secret")).await;
    greedy.fenced(has, FILES, &write("new")).await;
    greedy
        .fenced(has, FILES, &format!("os.unlink({:?})", path("later")))
        .await;
    greedy
        .fenced(has, FILES, &format!("os.listdir({:?})", outside.path()))
        .await;
    greedy.may_not("open('/etc/shadow').read()").await;
    assert_eq!(greedy.may(&read("readable")).await, "text");
    greedy.may_not(&write("readable")).await;
    greedy.may(&write("ours/new")).await;
    greedy
        .may(&format!(
            "os.rename({:?}, {:?})",
            path("ours/new"),
            path("ours/newer")
        ))
        .await;
    let said = greedy.plugin.fenced().not_granted;
    assert!(said.len() == 1 && said[0].contains("missing"), "{said:?}");
    // Its own: the working folder, and itself to read.
    greedy.may("open('own', 'w').write('x')").await;
    assert!(greedy.home().join("own").exists());
    greedy.may("open('../own/greedy').read()").await;
    greedy.may_not("open('../own/greedy', 'a').write('x')").await;
    greedy.may("os.getloadavg()").await;
}

#[tokio::test]
async fn commands_to_devices_take_a_permission() {
    // RNDGETENTCNT, which everybody may ask of what everybody may read.
    let command =
        "len(__import__('fcntl').ioctl(os.open('/dev/urandom', os.O_RDONLY), 0x80045200, bytes(4)))";
    let write = "os.close(os.open('/dev/urandom', os.O_WRONLY))";
    let none = Greedy::granted(json!({"read": ["/dev/urandom"]})).await;
    none.fenced(landlock().await >= 5, "commands to devices", command)
        .await;
    none.may_not(write).await;
    let writer = Greedy::granted(json!({"write": ["/dev/urandom"]})).await;
    writer.may(write).await;
    writer
        .fenced(landlock().await >= 5, "commands to devices", command)
        .await;
    let granted = Greedy::granted(json!({"devices": ["/dev/urandom", "/dev/nothing"]})).await;
    assert_eq!(granted.may(command).await, 4);
    granted.may(write).await;
    let said = granted.plugin.fenced().not_granted;
    assert!(
        said.len() == 1 && said[0].starts_with("devices /dev/nothing: "),
        "{said:?}"
    );
}

#[tokio::test]
async fn only_granted_programs_run() {
    let greedy = Greedy::granted(json!({"run": ["true"]})).await;
    let has = landlock().await >= 1;
    greedy
        .fenced(has, FILES, "subprocess.run(['/bin/sh', '-c', 'exit']).returncode")
        .await;
    assert_eq!(greedy.may("subprocess.run(['true']).returncode").await, 0);
    let copied = "os.write(os.open('copy', os.O_WRONLY | os.O_CREAT, 0o755), open('/bin/true', 'rb').read())";
    greedy.may(copied).await;
    greedy
        .fenced(has, FILES, "subprocess.run(['./copy']).returncode")
        .await;
    // Nor from memory.
    greedy.may_not("os.memfd_create('program')").await;
}

#[tokio::test]
async fn tcp_is_open_to_granted_ports_alone() {
    let listener = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let (granted, other) = (listener(), listener());
    let port = |listener: &TcpListener| listener.local_addr().expect("it has one").port();
    let connect = |to| format!("socket.create_connection(('127.0.0.1', {to})).close()");
    let bind = |to| format!("socket.socket().bind(('127.0.0.1', {to}))");
    let free = port(&listener());
    let greedy = Greedy::granted(json!({"tcp": [{"port": port(&granted)}]})).await;
    let has = landlock().await >= 4;
    greedy.may(&connect(port(&granted))).await;
    greedy.fenced(has, "TCP ports", &connect(port(&other))).await;
    greedy.fenced(has, "TCP ports", &bind(free)).await;
    // Past the fence of ports: listening where nothing was bound, sending before connecting, several paths.
    greedy.may_not("socket.socket().listen()").await;
    let early = format!(
        "socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', {}))",
        port(&other)
    );
    greedy.may_not(&early).await;
    greedy
        .may_not("socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)")
        .await;
    greedy
        .may_not("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)")
        .await;
    let server = Greedy::granted(json!({"listen": [free]})).await;
    server.may(&bind(free)).await;
    server.fenced(has, "TCP ports", &connect(port(&other))).await;
    let without = Greedy::granted(json!({})).await;
    without.may_not(&connect(port(&granted))).await;
    // Who may make Unix sockets may listen on them, and only where there are no others to listen on.
    let local = "(lambda made: (made.bind('socket'), made.listen()))(socket.socket(socket.AF_UNIX))";
    let unix = Greedy::granted(json!({"unix": ["/run/nobody"]})).await;
    unix.may(local).await;
    let both = Greedy::granted(json!({"unix": ["/run/nobody"], "tcp": [{"port": port(&granted)}]})).await;
    both.may(&connect(port(&granted))).await;
    both.may_not("socket.socket().listen()").await;
    both.may_not(local).await;
}

#[tokio::test]
async fn other_sockets_take_a_permission_each() {
    let outside = place();
    let socket = outside.path().join("socket");
    let _unix = UnixListener::bind(&socket).expect("a socket");
    open_to_all(&socket);
    let peer = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let send = format!(
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {}))",
        peer.local_addr().expect("it has one").port()
    );
    let connect = format!("socket.socket(socket.AF_UNIX).connect({socket:?})");
    let raw = "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()";
    let packet = "socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()";
    let stranger = "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)";
    let audit = "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)";
    let pair = "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].close()";
    // The kernel makes a pair of datagram sockets of it.
    let raw_pair = "socket.socketpair(socket.AF_UNIX, socket.SOCK_RAW)[0].close()";
    let strange_pair = "socket.socketpair(socket.AF_VSOCK, socket.SOCK_STREAM)";
    let none = Greedy::granted(json!({})).await;
    for code in [
        &send,
        &connect,
        raw,
        packet,
        stranger,
        audit,
        pair,
        raw_pair,
        strange_pair,
    ] {
        none.may_not(code).await;
    }
    none.may("socket.socketpair()[0].close()").await;
    let udp = Greedy::granted(json!({"udp": true})).await;
    udp.may(&send).await;
    for code in [&connect, raw, packet, stranger, audit, pair] {
        udp.may_not(code).await;
    }
    let unix = Greedy::granted(json!({"unix": [socket]})).await;
    unix.may(&connect).await;
    unix.may(pair).await;
    unix.may_not(&send).await;
    // A raw socket takes a capability, which the runner must have itself.
    let free = Greedy::free().await;
    let granted = Greedy::granted(json!({"raw": true})).await;
    assert_eq!(granted.tries(raw).await.is_ok(), free.tries(raw).await.is_ok());
    assert_eq!(
        granted.tries(packet).await.is_ok(),
        free.tries(packet).await.is_ok()
    );
    granted.may_not(&send).await;
}

#[tokio::test]
async fn the_kernels_dangerous_parts_are_closed() {
    let greedy = Greedy::granted(json!({})).await;
    let calls = [
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_mount,
        libc::SYS_open_by_handle_at,
        libc::SYS_setns,
        libc::SYS_kexec_load,
        libc::SYS_reboot,
        libc::SYS_init_module,
        libc::SYS_swapon,
        libc::SYS_mq_open,
    ];
    for number in calls {
        // EPERM alone is the filter's: without it each of these fails otherwise, or not at all.
        assert_eq!(
            greedy.tries(&format!("call({number}, 0, 0, 0, 0, 0)")).await,
            Err(json!(1)),
            "{number}"
        );
    }
    for namespace in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET] {
        greedy
            .may_not(&format!("call({}, {namespace})", libc::SYS_unshare))
            .await;
        greedy
            .may_not(&format!(
                "call({}, {namespace} | 17, 0, 0, 0, 0)",
                libc::SYS_clone
            ))
            .await;
    }
    assert_eq!(
        greedy.tries(&format!("call({}, 0, 0)", libc::SYS_clone3)).await,
        Err(json!(libc::ENOSYS)),
        "what no filter can see into is as if it were not there"
    );
    // The numbers of the variant with short pointers: without the filter such a call is unknown, or is made.
    for number in [
        libc::SYS_getpid,
        libc::SYS_ptrace,
        libc::SYS_clone3,
        520,
        0x3fff_ffff,
    ] {
        assert_eq!(
            greedy.tries(&format!("call(0x40000000 | {number}, 0, 0)")).await,
            Err(json!(1)),
            "{number}"
        );
    }
    let status = greedy.may("open('/proc/self/status').read()").await;
    let status = status.as_str().expect("a text");
    for line in [
        "NoNewPrivs:\t1",
        "CapEff:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "Seccomp:\t2",
    ] {
        assert!(status.contains(line), "{line} is not in {status}");
    }
}

#[tokio::test]
async fn the_runner_is_out_of_reach() {
    let greedy = Greedy::granted(json!({})).await;
    let me = std::process::id();
    let own_user = has_own_user(&greedy);
    let has_signals = landlock().await >= 6;
    assert_eq!(greedy.says_not_enforced("signals"), !has_signals);
    if has_signals || own_user {
        greedy.may_not(&format!("os.kill({me}, 0)")).await;
    } else {
        greedy.may(&format!("os.kill({me}, 0)")).await;
    }
    greedy.may("os.kill(os.getpid(), 0)").await;
    greedy
        .may_not(&format!("call({}, 16, {me}, 0, 0)", libc::SYS_ptrace))
        .await;
    greedy
        .may_not(&format!(
            "call({}, {me}, 0, 0, 0, 0, 0)",
            libc::SYS_process_vm_readv
        ))
        .await;
    // Whose limits it may change it can have killed. Its own it changes without naming itself.
    greedy
        .may_not(&format!("call({}, os.getpid(), 7, 0, 0)", libc::SYS_prlimit64))
        .await;
    greedy
        .may(&format!("call({}, 0, 7, 0, 0)", libc::SYS_prlimit64))
        .await;
    greedy
        .may_not(&format!("call({}, 0, 4096, 0o600)", libc::SYS_shmget))
        .await;
    greedy
        .may_not(&format!("open('/proc/{me}/environ').read()"))
        .await;
    greedy
        .may_not(&format!("open('/proc/{me}/mem', 'rb').read(1)"))
        .await;
    let user = greedy.may("os.getuid()").await;
    let is_ours = user == json!(rustix::process::getuid().as_raw());
    assert_eq!(is_ours, !own_user, "{user}");
    if own_user {
        assert_eq!(
            greedy.may("[os.getgid(), os.getgroups()]").await,
            json!([user, []])
        );
    }
}

#[tokio::test]
async fn the_environment_is_what_was_granted() {
    let greedy = Greedy::granted(json!({"env": ["GRANTED", "ABSENT"]})).await;
    let seen = greedy.may("dict(os.environ)").await;
    let names: Vec<&String> = seen.as_object().expect("a map").keys().collect();
    // LC_CTYPE is Python's own.
    let names: Vec<_> = names.into_iter().filter(|name| *name != "LC_CTYPE").collect();
    assert_eq!(names, ["GRANTED", "HOME", "LANG", "PATH", "PYTHONNOUSERSITE"]);
    assert_eq!(seen["GRANTED"], "yes");
    let descriptors = greedy.may("sorted(os.listdir('/proc/self/fd'))").await;
    // The fourth one lists them.
    assert_eq!(
        descriptors,
        json!(["0", "1", "2", "3"]),
        "nothing of the runner is left open in it"
    );
}

#[tokio::test]
async fn memory_beyond_the_limit_is_refused() {
    let greedy = Greedy::granted(json!({"memory_mb": 64})).await;
    let (before, starts) = (greedy.plugin.restarts(), greedy.plugin.starts());
    greedy.may("len(bytearray(8 << 20))").await;
    let code = json!({"code": "len(bytearray(256 << 20))"});
    let answer = greedy.plugin.call(Method::CheckIdle, &code, SOON).await;
    if greedy.says_not_enforced("of all its processes together") {
        assert_eq!(
            answer.expect("it answers")["failed"],
            "memory",
            "each process has its own limit"
        );
        assert_eq!(greedy.plugin.restarts(), before);
    } else {
        answer.expect_err("the kernel ends the whole group");
        greedy.runs_again_after(starts).await;
    }
    // Nothing that is left open files, dumps its core or fills the disk.
    assert_eq!(
        greedy.may("__import__('resource').getrlimit(4)").await,
        json!([1, 1])
    );
    let limits = greedy
        .may("[__import__('resource').getrlimit(n)[1] for n in (1, 7)]")
        .await;
    assert_eq!(limits, json!([256 << 20, 256]));
}

#[tokio::test]
async fn a_folder_that_holds_too_much_ends_its_plugin_and_keeps_it_from_starting() {
    let config = FenceConfig {
        disk_look: Duration::from_millis(20),
        ..config()
    };
    let greedy = Greedy::starting(Some((json!({"disk_mb": 3}), config)));
    greedy.running().await;
    greedy
        .may("os.mkdir('a') or open('a/1', 'wb').write(bytes(2 << 20))")
        .await;
    let (starts, code) = (greedy.plugin.starts(), "open('a/2', 'wb').write(bytes(2 << 20))");
    // It may be ended before it has answered.
    drop(
        greedy
            .plugin
            .call(Method::CheckIdle, &json!({"code": code}), SOON)
            .await,
    );
    wait_until(SOON, "it is ended", async || greedy.plugin.starts() > starts).await;
    greedy.does_not_run("holds more than 3 MiB (disk_mb)").await;
    fs::remove_file(greedy.home().join("a/2")).expect("removes");
    greedy.running().await;
    // At the usual interval it is the start that sees it.
    let greedy = Greedy::granted(json!({"disk_mb": 3})).await;
    fs::write(greedy.home().join("full"), vec![1; 4 << 20]).expect("writes");
    greedy.is_killed();
    greedy.does_not_run("holds more than 3 MiB (disk_mb)").await;
}

#[tokio::test]
async fn a_fork_bomb_comes_to_its_limit() {
    // Each child waits for its parent's end, so that none is left whatever the limit does.
    let bomb = "(lambda pipe: [os.fork() or (os.close(pipe[1]), os.read(pipe[0], 1), os._exit(0)) \
                for _ in range(40)] and 40)(os.pipe())";
    let greedy = Greedy::granted(json!({"processes": 12})).await;
    let counted = !greedy.says_not_enforced("the number of processes");
    match greedy.tries(bomb).await {
        Ok(_) => assert!(!counted, "forty processes, and twelve were granted"),
        Err(error) => assert_eq!((counted, error), (true, json!(libc::EAGAIN))),
    }
    assert!(counted || !rustix::process::geteuid().is_root());
}

#[tokio::test]
async fn what_a_killed_runner_left_in_a_control_group_ends_at_the_next_start() {
    let greedy = Greedy::granted(json!({})).await;
    let grandchild = greedy.may(DAEMON).await.as_i64().expect("an id");
    let remains = greedy.says_not_enforced("what leaves its process group");
    // What the next runner does at its start; this one has not ended anything.
    let next = Fence::new(
        "another".parse().expect("a name"),
        serde_json::from_value(json!({})).expect("permissions"),
        config(),
        greedy.folder.path(),
    );
    if remains {
        assert!(is_alive(grandchild), "who ended it?");
        let id = rustix::process::Pid::from_raw(i32::try_from(grandchild).expect("an id")).expect("an id");
        rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it is ours");
    }
    wait_until(SOON, "it is ended", async || !is_alive(grandchild)).await;
    drop(next);
}

#[tokio::test]
async fn who_cannot_be_fenced_in_every_way_is_not_run_where_isolation_is_required() {
    // A folder that is no control group: nobody can join what is made there.
    let nowhere = PathBuf::from("/proc/self");
    let config = FenceConfig {
        require_isolation: true,
        control_groups: ControlGroupRoot::At(nowhere),
        ..config()
    };
    let greedy = Greedy::starting(Some((json!({}), config)));
    wait_until(SOON, "it is not run, and says why", async || {
        let asked = greedy
            .plugin
            .call(Method::CheckIdle, &json!({}), Duration::from_secs(1))
            .await;
        let said = asked.expect_err("nobody answers").to_string();
        said.contains("plugins.require_isolation is set") && said.contains("no control group")
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_run_says_why() {
    let greedy = Greedy::starting(Some((json!({}), config())));
    fs::write(greedy.file(), "#!/nonexistent\n").expect("writes");
    wait_until(SOON, "it says why", async || {
        let asked = greedy
            .plugin
            .call(Method::CheckIdle, &json!({}), Duration::from_secs(1))
            .await;
        let said = asked.err().map(|error| error.to_string()).unwrap_or_default();
        said.ends_with("/greedy takes the interpreter /nonexistent, which is not there: #!/nonexistent")
    })
    .await;
}
