//! How many are asked at once and for how long, and how a command ends by what they said.

use super::*;
use std::cell::Cell;

fn hosts(count: usize) -> Vec<HostId> {
    let names = (0..count).map(|n| format!("h{n:04}").parse());
    names.collect::<Result<_, _>>().expect("host ids")
}

#[tokio::test(start_paused = true)]
async fn a_fleet_is_asked_so_many_at_once_and_for_so_long_and_nobody_is_left_untold() {
    let (now, most) = (Cell::new(0), Cell::new(0));
    let slow = async |_: HostId| {
        now.set(now.get() + 1);
        most.set(most.get().max(now.get()));
        let silence = tokio::time::timeout(ANSWER_WITHIN, std::future::pending::<()>());
        silence.await.expect_err("it does not answer");
        now.set(now.get() - 1);
        Said::<()>::Away(String::new())
    };
    let (begun, wanted) = (Instant::now(), hosts(1_000));
    let said = each(wanted.clone(), begun + ASKING_WITHIN, slow).await;
    assert_eq!(most.get(), AT_ONCE);
    assert!(
        begun.elapsed() <= Duration::from_secs(121),
        "{:?}",
        begun.elapsed()
    );
    let told: Vec<HostId> = said.iter().map(|(host, _)| host.clone()).collect();
    assert_eq!(told, wanted);
    let answers = Answers {
        hosts: said,
        are_all: true,
    };
    let asked = answers
        .hosts
        .iter()
        .filter(|(_, said)| said.as_str() == "away")
        .count();
    assert!((1..1_000).contains(&asked), "{asked}");
    let failure = answers.outcome("load", "").expect_err("nobody answered");
    assert_eq!(failure.exit, Exit::Failed);
    assert!(
        failure.line.contains("1000 of 1000") && failure.line.contains("not asked for want of time: h"),
        "{}",
        failure.line
    );
}

#[test]
fn who_has_no_such_plugin_is_no_failure_unless_nobody_has_it() {
    let without = || Said::Without("none".to_owned());
    let outcome = |said: Vec<Said<()>>, are_all| {
        let hosts = hosts(said.len()).into_iter().zip(said).collect();
        Answers { hosts, are_all }.outcome("unload", "")
    };
    assert_eq!(outcome(vec![Said::Answer(()), without()], true), Ok(()));
    let nobody = outcome(vec![without(), without()], true).expect_err("nobody has it");
    assert_eq!(nobody.exit, Exit::Refused);
    let failed = outcome(vec![Said::Answer(()), Said::Failed("no".to_owned())], true);
    let failed = failed.expect_err("one failed");
    assert!(
        failed.line.contains("1 of 2") && failed.line.contains("refused or failed on h0001"),
        "{}",
        failed.line
    );
    let more = outcome(vec![Said::Answer(())], false).expect_err("others were not asked");
    assert_eq!(more.exit, Exit::Failed);
    assert!(
        more.line.contains("more hosts than the executors named"),
        "{}",
        more.line
    );
}
