//! Which of the lines that a plugin writes answers a question.

use super::{SOON, Stand, python};
use crate::stdio::CallError;
use std::collections::BTreeSet;

#[tokio::test]
async fn s2_what_was_written_before_its_question_was_asked_answers_nothing() {
    // Whoever counts along, as by the ids that came, writes the next answer in advance.
    let early = r#"
say({"is_idle": False}, id)
for later in range(1, 9): say({"is_idle": True}, id + later)"#;
    let stand = Stand::of(&python(early)).await;
    for call in 1..=5 {
        let answer = stand.check(SOON).await.expect("an answer");
        assert_eq!(answer["is_idle"], false, "call {call}: {answer}");
    }
    assert!(stand.plugin.strays() >= 32, "what came too early was dropped");
    assert_eq!(stand.plugin.restarts(), 0);
}

#[tokio::test]
async fn an_id_is_drawn_anew_for_each_question_and_has_14_digits_at_most() {
    let stand = Stand::of(&python(r#"say({"is_idle": True, "seen": id}, id)"#)).await;
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        let answer = stand.check(SOON).await.expect("an answer");
        seen.insert(answer["seen"].as_u64().expect("a whole number"));
    }
    assert_eq!(seen.len(), 50);
    assert!(
        seen.iter().all(|id| (1..100_000_000_000_000).contains(id)),
        "{seen:?}"
    );
    let near = seen.iter().zip(seen.iter().skip(1));
    assert_eq!(
        near.filter(|(one, next)| *next - *one < 1_000).count(),
        0,
        "{seen:?}"
    );
}

#[tokio::test]
async fn s2_an_answer_that_says_is_idle_twice_is_no_answer_and_says_why() {
    let twice = r#"sys.stdout.write('{"result":{"is_idle":false,"is_idle":true},"id":%d}\n' % id); sys.stdout.flush()"#;
    let stand = Stand::of(&python(twice)).await;
    let error = stand.check(SOON).await.expect_err("no answer");
    assert!(matches!(error, CallError::Garbage(_)), "{error:?}");
    assert!(
        error
            .to_string()
            .contains(r#"the key "is_idle" stands there twice"#),
        "{error}"
    );
}
