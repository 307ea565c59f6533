//! Asking for something that is filed, so that asking again files nothing twice.

use crate::{session::Session, unanswered};
use snooze_bus::{RequestError, Subject};
use snooze_schemas::{ErrorCode, EventId, Message};
use snooze_service_runtime::Failure;

/// An id for what the person did not name.
pub(super) fn drawn_id() -> EventId {
    let text = format!("{:016x}", rand::random::<u64>());
    text.parse().expect("hexadecimal digits are an event id")
}

/// Asks, and takes the answer. Where nobody says whether it was filed the person is told how to ask for the very same
/// again: with this option and this id.
pub(super) async fn ask_once<M: Message, R: serde::de::DeserializeOwned>(
    session: &Session,
    subject: &Subject,
    message: &M,
    option: &str,
    id: &EventId,
) -> Result<R, Failure> {
    let answer = session.request(subject, message).await;
    answer.map_err(|error| {
        let failure = unanswered::failure(subject, &error);
        if is_open(&error) {
            return with_way_back(failure, option, id);
        }
        failure
    })
}

/// Whether it may have been filed all the same.
fn is_open(error: &RequestError) -> bool {
    match error {
        RequestError::TimedOut { .. } | RequestError::Undecodable { .. } => true,
        RequestError::Refused { source, .. } => source.code == ErrorCode::Timeout,
        RequestError::NoResponders { .. } | RequestError::Bus(_) => false,
    }
}

fn with_way_back(mut failure: Failure, option: &str, id: &EventId) -> Failure {
    failure.line = format!(
        "{}; it may have been filed all the same: the same again with {option} {id} files nothing twice",
        failure.line
    );
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::Refusal;
    use snooze_service_runtime::Exit;

    #[test]
    fn only_what_may_have_been_filed_is_to_be_asked_for_again_with_its_id() {
        let template = "x";
        let refused = |code| RequestError::Refused {
            template,
            source: Refusal::new(code, "because"),
        };
        assert!(is_open(&RequestError::TimedOut {
            template,
            within_ms: 1
        }));
        assert!(is_open(&refused(ErrorCode::Timeout)));
        assert!(!is_open(&refused(ErrorCode::Forbidden)));
        assert!(!is_open(&RequestError::NoResponders { template }));
        let id = drawn_id();
        let told = with_way_back(Failure::new(Exit::Failed, "no answer"), "--id", &id);
        assert!(told.line.contains(&format!("--id {id} ")), "{}", told.line);
    }
}
