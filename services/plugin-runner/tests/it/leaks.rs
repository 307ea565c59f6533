//! The runner as a process of its own, with plugins that crash, hide and hang: what it leaves behind.

use crate::{
    alone::{ask_to_end, children, command, signal, start, start_below},
    orphans::{is_alive, is_gone},
    stage::{SOON, Stage, of, python_plugin},
};
use serde_json::json;
use snooze_schemas::verdict::VoteState;
use snooze_test_harness::{wait_for, wait_until};
use std::{fs, path::Path};

/// Makes a process in a session of its own whose parent has ended, and writes its number behind the others. One that
/// hides leaves the environment behind that says whose it is.
const DAEMON: &str = r#"
def daemon(file, hides=False):
    middle = os.fork()
    if middle: return os.waitpid(middle, 0)
    os.setsid()
    if os.fork(): os._exit(0)
    open(file, "a").write(f"{os.getpid()}\n")
    for fd in range(3): os.close(fd)
    if hides: os.execve(sys.executable, [sys.executable, "-c", "import signal; signal.pause()"], {})
    threading.Event().wait()
"#;

fn with_daemons(name: &str, begin: &str, answer: &str) -> String {
    python_plugin(name, answer).replace("config = {}", &format!("{DAEMON}{begin}\nconfig = {{}}"))
}

fn numbers_in(file: &Path) -> Vec<i64> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| line.parse().expect("a number"))
        .collect()
}

fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn crashes_leave_no_descriptor_and_no_process() {
    let mut stage = Stage::set().await;
    let count = stage.file("crashes");
    let crash = format!(r#"open({count:?}, "a").write(".") and os._exit(1)"#);
    stage.plugin("fragile.py", &python_plugin("fragile", &crash));
    stage.plugin("quiet.py", &python_plugin("quiet", r#"{"is_idle": True}"#));
    let mut runner = start(&stage, &command(&stage, &["fragile"], &json!({})));
    let id = runner.id();
    stage.vote("quiet", VoteState::Idle).await;
    let crashes = || fs::read(&count).map_or(0, |marks| marks.len());
    // While the crashed one is not there: only the other one's process has pipes.
    let between_crashes = async || {
        wait_for(SOON, "the crashed process is gone and not back", async || {
            let (before, count, after) = (children(id).len(), descriptors(id), children(id).len());
            (before == 1 && after == 1).then_some(count)
        })
        .await
    };
    wait_until(SOON, "it has crashed once", async || crashes() >= 1).await;
    let before = between_crashes().await;
    wait_until(SOON, "it has crashed some more", async || crashes() >= 4).await;
    // A file may be open just now that is written again and again.
    wait_until(SOON, "no descriptor is left of the crashes", async || {
        between_crashes().await <= before
    })
    .await;
    assert!(children(id).len() <= 2, "{:?}", children(id));
    stage
        .verdict("the others go on meanwhile", |verdict| {
            of(verdict, "cpu").is_some_and(|vote| vote.idle_ms >= 600)
        })
        .await;
    let left_behind: Vec<i32> = children(id).into_iter().map(|(child, _)| child).collect();
    ask_to_end(&runner);
    let ended = wait_for(SOON, "it ends", async || runner.ended()).await;
    assert!(ended.success(), "{ended}: {}", runner.said());
    wait_until(SOON, "its plugins are gone", async || {
        left_behind.iter().all(|child| {
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        })
    })
    .await;
}

#[tokio::test]
async fn a_hung_plugin_of_a_killed_runner_and_what_it_left_are_ended_by_the_next_one() {
    let stage = Stage::set().await;
    let (hung, daemons) = (stage.file("hung"), stage.file("daemons"));
    let hang = format!(r#"open({hung:?}, "a").write(str(os.getpid()) + "\n") and linger(3600)"#);
    let begin = format!("daemon({daemons:?})");
    stage.plugin("hung.py", &with_daemons("hung", &begin, &hang));
    stage.policy(json!({"plugin_timeout_seconds": 15})).await;
    let command = command(&stage, &["hung"], &json!({}));
    let above = start_below(&stage, &command);
    let left = wait_for(SOON, "the plugin hangs", async || {
        let left = [numbers_in(&daemons), numbers_in(&hung)].concat();
        (left.len() == 2).then_some(left)
    })
    .await;
    let [(runner, _)] = children(above.id())[..] else {
        panic!("it has one child: {}", above.said());
    };
    signal(runner, rustix::process::Signal::KILL);
    wait_until(SOON, "it is killed", async || is_gone(runner.into())).await;
    assert!(
        left.iter().all(|process| is_alive(*process)),
        "nobody has told them to end"
    );
    let mut next = start(&stage, &command);
    wait_until(SOON, "the next runner has ended them", async || {
        left.iter().all(|process| !is_alive(*process))
    })
    .await;
    ask_to_end(&next);
    wait_for(SOON, "it ends", async || next.ended()).await;
}

#[tokio::test]
async fn what_left_its_session_ends_with_its_plugin_and_with_the_runner() {
    let stage = Stage::set().await;
    let (seen, hidden, crash) = (stage.file("seen"), stage.file("hidden"), stage.file("crash"));
    let begin = format!("daemon({seen:?})\ndaemon({hidden:?}, True)");
    let answer = format!(r#"os._exit(1) if os.path.exists({crash:?}) else {{"is_idle": True}}"#);
    stage.plugin("parent.py", &with_daemons("parent", &begin, &answer));
    let mut runner = start(&stage, &command(&stage, &["parent"], &json!({})));
    let both = async |count| {
        wait_for(SOON, "it has left both behind", async || {
            let (seen, hidden) = (numbers_in(&seen), numbers_in(&hidden));
            (seen.len() >= count && hidden.len() >= count).then(|| [seen[count - 1], hidden[count - 1]])
        })
        .await
    };
    let first = both(1).await;
    assert!(is_alive(first[0]), "its plugin lives: {}", runner.said());
    fs::write(&crash, "").expect("writes");
    wait_until(SOON, "they have ended with their plugin", async || {
        first.into_iter().all(is_gone)
    })
    .await;
    fs::remove_file(&crash).expect("removes");
    let last = numbers_in(&seen).len();
    let last = both(last + 1).await;
    assert!(is_alive(last[0]));
    ask_to_end(&runner);
    let ended = wait_for(SOON, "it ends", async || runner.ended()).await;
    assert!(ended.success(), "{ended}: {}", runner.said());
    assert!(last.into_iter().all(is_gone), "they have ended with the runner");
}

#[tokio::test]
async fn what_ended_by_itself_is_waited_for_while_its_plugin_lives() {
    let mut stage = Stage::set().await;
    let made = stage.file("made");
    let begin = format!(
        "def brief():\n    if not os.fork():\n        os.fork() or open({made:?}, 'a').write('x\\n')\n        os._exit(0)\n\
         for _ in range(30):\n    brief()\n    os.wait()"
    );
    stage.plugin(
        "parent.py",
        &with_daemons("parent", &begin, r#"{"is_idle": True}"#),
    );
    let runner = start(&stage, &command(&stage, &["parent"], &json!({})));
    stage.vote("parent", VoteState::Idle).await;
    let count = || fs::read_to_string(&made).map_or(0, |made| made.lines().count());
    wait_until(SOON, "all have ended", async || count() >= 30).await;
    wait_until(
        SOON,
        "only the plugin is left",
        async || matches!(&children(runner.id())[..], [(_, state)] if state != "Z"),
    )
    .await;
    assert_eq!(count(), 30, "it lives");
}
