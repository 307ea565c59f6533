//! Why a question has no answer, in the words of whoever asked it: no subject and no template of one. Pure.

use crate::session::of_bus;
use snooze_bus::{RequestError, Subject};
use snooze_schemas::ErrorCode;
use snooze_service_runtime::{Exit, Failure};

/// What a command ends with.
pub(crate) fn failure(subject: &Subject, error: &RequestError) -> Failure {
    match error {
        RequestError::NoResponders { .. } => Failure::new(Exit::Failed, nobody(subject)),
        RequestError::TimedOut { within_ms, .. } => {
            let text = format!("the {} did not answer within {within_ms} ms", who(subject));
            Failure::new(Exit::Failed, text)
        }
        RequestError::Refused { source, .. } => {
            let exit = match source.code {
                ErrorCode::BadRequest | ErrorCode::UnknownVersion => Exit::Usage,
                ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::Internal => Exit::Failed,
                ErrorCode::Forbidden
                | ErrorCode::NotFound
                | ErrorCode::Conflict
                | ErrorCode::TooLate
                | ErrorCode::RateLimited => Exit::Refused,
            };
            Failure::new(exit, source.message.clone())
        }
        RequestError::Bus(error) => of_bus(error),
        error @ RequestError::Undecodable { .. } => Failure::from_error(Exit::Failed, error),
    }
}

fn nobody(subject: &Subject) -> String {
    match subject {
        Subject::Runner { host, .. } => {
            format!("no runner answers for host {host}: is it on? (`snooze hosts`)")
        }
        other => format!("no {} answers: is one running?", who(other)),
    }
}

/// Whoever is asked there, to stand after an article.
fn who(subject: &Subject) -> String {
    match subject {
        Subject::Runner { host, .. } => format!("runner of host {host}"),
        Subject::Ops(_) => "executor".to_owned(),
        Subject::Custom { .. } => "event gateway".to_owned(),
        // Nothing else is asked here.
        other => format!("service behind {}", other.template()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_bus::{OpsVerb, RunnerVerb};
    use snooze_schemas::Refusal;

    fn runner() -> Subject {
        Subject::Runner {
            host: "web".parse().expect("a host id"),
            verb: RunnerVerb::Plugins,
        }
    }

    #[test]
    fn whoever_gets_no_answer_is_told_who_is_silent_and_no_subject() {
        let nobody = |subject: &Subject| {
            let template = subject.template();
            failure(subject, &RequestError::NoResponders { template })
        };
        let executor = Subject::Ops(OpsVerb::Freeze);
        let gateway = Subject::Custom {
            source: "ci".parse().expect("a source"),
            event_type: "build".parse().expect("a type"),
        };
        for (subject, line) in [
            (
                runner(),
                "no runner answers for host web: is it on? (`snooze hosts`)",
            ),
            (executor, "no executor answers: is one running?"),
            (gateway, "no event gateway answers: is one running?"),
        ] {
            assert_eq!(nobody(&subject), Failure::new(Exit::Failed, line));
        }
        let (template, within_ms) = (runner().template(), 15_000);
        let late = failure(&runner(), &RequestError::TimedOut { template, within_ms });
        assert_eq!(late.line, "the runner of host web did not answer within 15000 ms");
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words_and_a_question_that_makes_no_sense_is_usage() {
        for (code, exit) in [
            (ErrorCode::NotFound, Exit::Refused),
            (ErrorCode::TooLate, Exit::Refused),
            (ErrorCode::BadRequest, Exit::Usage),
            (ErrorCode::Unavailable, Exit::Failed),
        ] {
            let (template, source) = (runner().template(), Refusal::new(code, "because"));
            let refused = failure(&runner(), &RequestError::Refused { template, source });
            assert_eq!(refused, Failure::new(exit, "because"), "{code:?}");
        }
    }
}
