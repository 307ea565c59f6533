//! Hostile children: each costs its own answer, and leaves nothing behind.

use super::*;
use crate::pipes::PipeError;
use std::path::Path;

fn id_in(file: &Path) -> Option<i32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[tokio::test]
async fn a_hanging_plugin_costs_its_own_time_out_and_is_started_again() {
    let stand = Stand::of(&python("linger(3600)")).await;
    stand
        .costs_the_process(BRIEF, |error| matches!(error, CallError::TimedOut(_)))
        .await;
}

#[tokio::test]
async fn a_crash_is_no_answer() {
    let stand = Stand::of(&python("os._exit(3)")).await;
    stand
        .costs_the_process(SOON, |error| {
            matches!(error, CallError::Pipe(PipeError::StdoutClosed))
        })
        .await;
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let stand = Stand::of(&python(r#"print("Traceback: idle = True", flush=True)"#)).await;
    stand
        .costs_the_process(SOON, |error| matches!(error, CallError::Garbage(_)))
        .await;
}

#[tokio::test]
async fn a_flood_of_answers_to_nothing_is_cut_off() {
    let flood = "while True: say({'is_idle': True}, 0)";
    let stand = Stand::of(&python(flood)).await;
    stand
        .costs_the_process(SOON, |error| matches!(error, CallError::Flood))
        .await;
}

#[tokio::test]
async fn half_a_line_is_no_answer() {
    let half = r#"sys.stdout.write('{"result": {"is_idle": true}, "id": %d' % id); sys.stdout.flush(); linger(3600)"#;
    let stand = Stand::of(&python(half)).await;
    stand
        .costs_the_process(BRIEF, |error| matches!(error, CallError::TimedOut(_)))
        .await;
}

#[tokio::test]
async fn half_a_line_and_an_end_is_no_answer() {
    let half = r#"sys.stdout.write('{"result": {"is_idle": true}, "id": %d}' % id); sys.stdout.flush(); os._exit(0)"#;
    let stand = Stand::of(&python(half)).await;
    stand
        .costs_the_process(SOON, |error| {
            matches!(error, CallError::Pipe(PipeError::StdoutClosed))
        })
        .await;
}

#[tokio::test]
async fn a_line_of_a_hundred_megabytes_is_not_taken_in() {
    let endless = r#"
chunk = "x" * (1 << 20)
for n in range(100): sys.stdout.write(chunk)
sys.stdout.write("\n")"#;
    let stand = Stand::of(&python(endless)).await;
    stand
        .costs_the_process(SOON, |error| {
            matches!(error, CallError::Pipe(PipeError::LineTooLong))
        })
        .await;
}

#[tokio::test]
async fn the_second_of_two_answers_does_not_count_for_the_next_question() {
    let twice = r#"
say({"is_idle": True, "call": calls}, id)
say({"is_idle": True, "call": -calls}, id)"#;
    let stand = Stand::of(&python(twice)).await;
    for call in 1..=5 {
        assert_eq!(stand.check(SOON).await.expect("an answer")["call"], call);
    }
    assert_eq!(
        stand.plugin.strays(),
        4,
        "the last second answer has not been read yet"
    );
    assert!(stand.plugin.stray_age().is_some(), "it is said when");
}

#[tokio::test]
async fn an_answer_to_another_question_is_no_answer() {
    let stand = Stand::of(&python(r#"say({"is_idle": True}, id + 1)"#)).await;
    stand
        .costs_the_process(BRIEF, |error| {
            let told = error.to_string();
            matches!(error, CallError::AnsweredElse { strays: 1, .. })
                && told.starts_with("it did not answer within")
                && told.contains("another id than the question")
        })
        .await;
    assert!(stand.plugin.strays() >= 1);
}

#[tokio::test]
async fn a_plugin_that_reads_nothing_blocks_nobody() {
    let deaf = "#!/usr/bin/env python3\nimport json, signal, sys\nfor _ in ('Info', 'Initialize'):\n    r = json.loads(sys.stdin.readline())\n    print(json.dumps({'result': {}, 'id': r['id']}), flush=True)\nsignal.pause()\n";
    let stand = Stand::of(deaf).await;
    let much = json!({"metrics": "x".repeat(1 << 20)});
    let error = stand
        .plugin
        .call(Method::CheckIdle, &much, BRIEF)
        .await
        .expect_err("no answer");
    assert!(matches!(error, CallError::TimedOut(_)), "{error:?}");
}

#[tokio::test]
async fn one_that_ignores_sigterm_is_ended_all_the_same() {
    let stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nlinger(3600)";
    let mut stand = Stand::of(&python(stubborn)).await;
    let process = stand.plugin.process_id().expect("it has a process");
    drop(stand.check(BRIEF).await);
    stand.plugin.stop();
    tokio::time::timeout(SOON, &mut stand.task)
        .await
        .expect("the supervisor ends")
        .expect("well");
    assert!(!is_alive(process));
}

#[tokio::test]
async fn a_grandchild_that_holds_the_pipe_dies_with_its_family() {
    let family = r#"
child = subprocess.Popen(["sleep", "3600"])
open("grandchild", "w").write(str(child.pid))
os._exit(0)"#;
    let stand = Stand::of(&python(family)).await;
    stand
        .costs_the_process(SOON, |error| {
            matches!(error, CallError::Pipe(PipeError::StdoutClosed))
        })
        .await;
    let grandchild = id_in(&stand.folder.path().join("grandchild")).expect("it was started");
    wait_until(SOON, "the grandchild is gone", async || !is_alive(grandchild)).await;
}

#[tokio::test]
async fn a_plugin_is_told_nothing_of_our_environment() {
    let stand = Stand::of(&python(
        r#"say({"is_idle": True, "env": sorted(os.environ)}, id)"#,
    ))
    .await;
    let answer = stand.check(SOON).await.expect("an answer");
    let mut names: Vec<&str> = answer["env"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    // Python's own start sets this one where the locale is C.
    names.retain(|name| *name != "LC_CTYPE");
    assert_eq!(names, ["HOME", "LANG", "PATH", "PYTHONNOUSERSITE"]);
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_tried_again_and_never_answers() {
    let stand = Stand::starting("#!/nonexistent/interpreter\n");
    wait_until(SOON, "it was tried again", async || stand.plugin.restarts() >= 2).await;
    assert!(matches!(
        stand.check(BRIEF).await.expect_err("no answer"),
        CallError::NotRunning(_)
    ));
}

#[tokio::test]
async fn a_flood_of_complaints_blocks_nobody() {
    let noisy = format!("sys.stderr.write('it is hot\\n' * 200_000)\n{HONEST}");
    let stand = Stand::of(&python(&noisy)).await;
    for call in 1..=3 {
        assert_eq!(stand.check(SOON).await.expect("an answer")["call"], call);
    }
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn a_disabled_plugin_has_no_process() {
    let stand = Stand::of(&python(HONEST)).await;
    let process = stand.plugin.process_id().expect("it has a process");
    stand.plugin.want(Wanted::Disabled);
    wait_until(SOON, "it is ended", async || !is_alive(process)).await;
    assert!(stand.check(BRIEF).await.is_err());
    stand.plugin.want(Wanted::Running);
    stand.running().await;
    stand.recovered().await;
}

#[tokio::test]
async fn a_supervisor_that_is_dropped_leaves_no_process() {
    let stand = Stand::of(&python(HONEST)).await;
    let process = stand.plugin.process_id().expect("it has a process");
    drop(stand);
    wait_until(SOON, "the process is gone", async || !is_alive(process)).await;
}
