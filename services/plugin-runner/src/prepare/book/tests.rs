//! Preparations over claims, cancels, restarts and boots: each rule by its name.

use super::*;
use snooze_schemas::host::Action;

const NOW: u64 = 100_000;

fn prepare(claim: u64) -> Prepare {
    Prepare {
        claim,
        duration_ms: 60_000,
        notice_ms: 0,
        action: Action::Stop,
        reason: "idle".to_owned(),
    }
}

fn cancel(claim: u64) -> Cancel {
    Cancel {
        claim,
        reason: String::new(),
    }
}

fn done(claim: u64) -> Book {
    let mut book = Book::default();
    book.begin("boot");
    book.prepare(&prepare(claim), NOW).expect("begins");
    assert!(book.move_to(claim, PrepareState::Done, String::new(), NOW));
    book
}

fn reread(book: &Book) -> Book {
    serde_json::from_str(&serde_json::to_string(book).expect("writes")).expect("reads")
}

#[test]
fn p7_a_lower_claim_is_refused_also_after_a_restart() {
    let mut book = reread(&done(7));
    for refused in [book.prepare(&prepare(6), NOW).map(drop), book.cancel(&cancel(6))] {
        assert_eq!(refused.expect_err("refused").code, ErrorCode::Conflict);
    }
    assert_eq!(
        book.in_force(7, NOW),
        Ok(()),
        "the newer preparation is untouched"
    );
}

#[test]
fn p7_the_same_claim_again_is_the_poll() {
    let mut book = done(7);
    let poll = book.prepare(&prepare(7), NOW).expect("polls");
    let expected = Prepared {
        claim: 7,
        state: PrepareState::Done,
        message: String::new(),
    };
    assert_eq!(poll, Step::Poll(expected));
}

#[test]
fn p7_a_higher_claim_replaces_a_preparation_and_undoes_it() {
    let mut book = done(7);
    assert!(matches!(book.prepare(&prepare(8), NOW), Ok(Step::Begin(_))));
    assert_eq!(
        book.to_be_told()
            .iter()
            .map(|undo| undo.claim)
            .collect::<Vec<_>>(),
        [7]
    );
    assert!(book.in_force(7, NOW).is_err());
}

#[test]
fn p7_a_preparation_is_undone_when_its_duration_runs_out() {
    let mut book = done(7);
    book.expire(NOW + 59_999);
    assert_eq!(book.to_be_told(), []);
    book.expire(NOW + 60_000);
    assert_eq!(
        book.to_be_told()
            .iter()
            .map(|undo| undo.claim)
            .collect::<Vec<_>>(),
        [7]
    );
    assert!(book.in_force(7, NOW + 60_000).is_err());
    book.told(7);
    book.expire(NOW + 70_000);
    assert_eq!(book.to_be_told(), [], "plugins are told once");
}

#[test]
fn p7_a_preparation_is_undone_under_another_boot_id() {
    let mut book = reread(&done(7));
    book.begin("boot");
    assert_eq!(book.to_be_told(), []);
    assert_eq!(
        book.in_force(7, NOW),
        Ok(()),
        "a restart of the runner alone changes nothing"
    );
    book.begin("another boot");
    assert_eq!(
        book.to_be_told()
            .iter()
            .map(|undo| undo.claim)
            .collect::<Vec<_>>(),
        [7]
    );
    assert!(book.in_force(7, NOW).is_err());
}

#[test]
fn p7_a_cancel_that_overtakes_its_prepare_wins() {
    let mut book = Book::default();
    book.cancel(&cancel(9)).expect("cancels");
    let Ok(Step::Poll(prepared)) = book.prepare(&prepare(9), NOW) else {
        panic!("a late prepare began something");
    };
    assert_eq!(prepared.state, PrepareState::Failed);
    assert!(book.in_force(9, NOW).is_err());
}

#[test]
fn p7_a_cancelled_preparation_is_not_revived_by_a_poll() {
    let mut book = done(7);
    book.cancel(&cancel(7)).expect("cancels");
    book.cancel(&cancel(7)).expect("cancels again");
    let Ok(Step::Poll(prepared)) = book.prepare(&prepare(7), NOW) else {
        panic!("it began again")
    };
    assert_eq!(prepared.state, PrepareState::Failed);
    assert_eq!(book.to_tell.len(), 1);
}

#[test]
fn p7_a_preparation_that_was_under_way_at_a_restart_has_failed() {
    let mut book = Book::default();
    book.begin("boot");
    book.prepare(&prepare(7), NOW).expect("begins");
    let mut book = reread(&book);
    book.begin("boot");
    assert!(book.in_force(7, NOW).is_err());
    let Ok(Step::Poll(prepared)) = book.prepare(&prepare(7), NOW) else {
        panic!("it began again")
    };
    assert_eq!(prepared.state, PrepareState::Failed);
}

#[test]
fn p3_only_a_preparation_in_force_is_prolonged() {
    let mut book = done(7);
    book.prolong(7, NOW, 900_000).expect("prolongs");
    assert_eq!(book.in_force(7, NOW + 899_999), Ok(()));
    assert!(book.in_force(7, NOW + 900_000).is_err());
    book.cancel(&cancel(7)).expect("cancels");
    assert!(book.prolong(7, NOW, 900_000).is_err());
    book.prolong(8, NOW, 1).expect_err("nothing is prepared for it");
}
