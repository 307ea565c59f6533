//! Reading one answer of Compute Engine's metadata server: from bytes to a value, or why not.

use super::notice::{Notice, Watched};
use crate::source::http::{Answer, HttpError};

/// The longest ETag that is sent back.
const LONGEST_ETAG: usize = 64;

/// Why a value is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// There is no answer.
    #[error("the metadata server did not answer")]
    Unanswered(#[from] HttpError),
    /// It refuses.
    #[error("the metadata server answered {path} with status {status}")]
    Status {
        /// What was asked for.
        path: &'static str,
        /// How.
        status: u16,
    },
    /// It is not Google's.
    #[error(
        "whoever answered {path} is not Google's metadata server: it did not say Metadata-Flavor: Google"
    )]
    Flavor {
        /// What was asked for.
        path: &'static str,
    },
    /// It says what is not documented.
    #[error("the metadata server says of {path} none of the values that are documented")]
    Value {
        /// What was asked for.
        path: &'static str,
    },
}

/// Excuses a 503 that comes alone: so the server looks for less than a second of each maintenance.
#[derive(Debug, Default)]
pub(super) struct Excuse {
    was_unavailable: bool,
}

impl Excuse {
    /// Whether this is no trouble though it failed.
    pub(super) fn holds<T>(&mut self, outcome: &Result<T, Unreadable>) -> bool {
        let is_unavailable = matches!(outcome, Err(Unreadable::Status { status: 503, .. }));
        let was_unavailable = std::mem::replace(&mut self.was_unavailable, is_unavailable);
        is_unavailable && !was_unavailable
    }
}

/// What a value means now, and the ETag under which the next change is waited for.
pub(super) fn read(
    watched: Watched,
    answer: &Answer,
) -> Result<(Option<Notice>, Option<String>), Unreadable> {
    let path = watched.path();
    if answer.status != 200 {
        let status = answer.status;
        return Err(Unreadable::Status { path, status });
    }
    if header(answer, "metadata-flavor") != Some("Google") {
        return Err(Unreadable::Flavor { path });
    }
    let text = std::str::from_utf8(&answer.body).unwrap_or_default();
    let value = watched.meaning(text.trim()).ok_or(Unreadable::Value { path })?;
    let etag = header(answer, "etag").filter(|etag| can_be_sent_back(etag));
    Ok((value, etag.map(str::to_owned)))
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether it can stand in a query as it is.
fn can_be_sent_back(etag: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LONGEST_ETAG).contains(&etag.len()) && etag.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    const BOTH: [Watched; 2] = [Watched::Preempted, Watched::Maintenance];

    fn answer(body: &[u8], headers: &[(&'static str, &str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header's value"));
        }
        Answer {
            status: 200,
            headers: map,
            body: body.to_vec().into(),
        }
    }

    const GOOGLE: (&str, &str) = ("metadata-flavor", "Google");

    #[test]
    fn the_documented_values_are_read() {
        let of = |watched, text: &str| read(watched, &answer(text.as_bytes(), &[GOOGLE])).map(|read| read.0);
        assert!(matches!(of(Watched::Preempted, "FALSE"), Ok(None)));
        assert!(matches!(
            of(Watched::Preempted, "TRUE\n"),
            Ok(Some(Notice::Preemption))
        ));
        assert!(matches!(of(Watched::Maintenance, "NONE"), Ok(None)));
        let migrates = of(Watched::Maintenance, "MIGRATE_ON_HOST_MAINTENANCE");
        assert!(matches!(migrates, Ok(Some(Notice::Migration))));
        let ends = of(Watched::Maintenance, "TERMINATE_ON_HOST_MAINTENANCE");
        assert!(matches!(ends, Ok(Some(Notice::Termination))));
        assert!(matches!(
            of(Watched::Preempted, "NONE"),
            Err(Unreadable::Value { .. })
        ));
    }

    #[test]
    fn an_answer_that_does_not_say_that_it_is_googles_is_nobodys() {
        for headers in [
            &[][..],
            &[("metadata-flavor", "google-like")],
            &[("server", "Google")],
        ] {
            let read = read(Watched::Preempted, &answer(b"TRUE", headers));
            assert!(matches!(read, Err(Unreadable::Flavor { .. })), "{headers:?}");
        }
    }

    #[test]
    fn only_a_503_that_comes_alone_is_excused() {
        let mut excuse = Excuse::default();
        let path = Watched::Preempted.path();
        let mut holds = |status| {
            let failed = Unreadable::Status { path, status };
            excuse.holds(&if status == 200 { Ok(()) } else { Err(failed) })
        };
        let excused = [503, 503, 503, 200, 503, 200, 500, 503, 500].map(&mut holds);
        assert_eq!(
            excused,
            [true, false, false, false, true, false, false, true, false]
        );
    }

    #[test]
    fn an_etag_that_would_change_the_question_is_not_sent_back() {
        let etag = |text: &str| {
            let answer = answer(b"FALSE", &[GOOGLE, ("etag", text)]);
            read(Watched::Preempted, &answer).expect("a value").1
        };
        assert_eq!(etag("411261ca6c9e4181").as_deref(), Some("411261ca6c9e4181"));
        for bad in ["", "a&timeout_sec=9", "a b", "\"a\"", &"a".repeat(65)] {
            assert_eq!(etag(bad), None, "{bad}");
        }
    }

    #[test]
    fn ten_thousand_malformed_answers_mean_nothing() {
        // A value or a piece of one, with bytes exchanged, put in and left out.
        let mut random = crate::source::malformed::Random::new(7);
        let whole: [&[u8]; 3] = [
            b"TRUE",
            b"MIGRATE_ON_HOST_MAINTENANCE",
            b"TERMINATE_ON_HOST_MAINTENANCE",
        ];
        for round in 0..10_000 {
            let body = random.spoil(whole[round % 3]);
            let is_whole = whole.contains(&body.trim_ascii());
            for watched in BOTH {
                let read = read(watched, &answer(&body, &[GOOGLE]));
                let means = matches!(read, Ok((Some(_), _)));
                assert!(!means || is_whole, "{}", body.escape_ascii());
            }
        }
    }
}
