//! Asking the metadata service as its version 2 wants it: with a token, which a PUT gives and which ends.
//!
//! Nothing is ever asked without a token, whatever the service would answer. One token is held at a time; it is
//! renewed before it ends, and given up when the service refuses it.

use super::field::Unreadable;
use crate::source::http::{Answer, HttpError, Question, Service};
use http::Method;
use hyper::body::Bytes;
use snooze_service_runtime::{Clocks, Secret, exit::one_line};
use std::time::Duration;

const TOKEN_PATH: &str = "/latest/api/token";
const LIFE_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";

/// Six hours, the longest that the service grants.
const LIFE_SECONDS: u64 = 21_600;
const LIFE_TEXT: &str = "21600";

/// What is left of a token's life when it is renewed, as a part of it: time for many tries.
const RENEWED_AT: u64 = 10;

/// How long a renewal that failed is not tried again, while the old token holds.
const RENEWAL_PAUSE_MS: u64 = 5_000;

/// The longest token that is taken; they have 56 bytes.
const LONGEST_TOKEN: usize = 1024;

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no token, and so nothing else is asked.
    #[error("get a token from the instance metadata service (PUT {TOKEN_PATH}): {advice}")]
    Token {
        /// What can be done.
        advice: &'static str,
        /// Why, where there was no answer.
        source: Option<HttpError>,
    },
    /// There is no answer.
    #[error("ask the instance metadata service for {path}")]
    Http {
        /// What was asked for.
        path: &'static str,
        /// Why.
        source: HttpError,
    },
    /// The answer is a refusal.
    #[error("the instance metadata service answered {status} for {path}")]
    Status {
        /// What was asked for.
        path: &'static str,
        /// The status.
        status: u16,
    },
    /// The answer says nothing.
    #[error("read what the instance metadata service answered for {path}")]
    Unreadable {
        /// What was asked for.
        path: &'static str,
        /// Why.
        source: Unreadable,
    },
}

impl SessionError {
    /// Whether it is not about what was asked for: anything else would fare alike.
    pub(super) fn is_of_all(&self) -> bool {
        let cannot_connect = |source: &HttpError| matches!(source, HttpError::Connect { .. });
        match self {
            SessionError::Token { .. } => true,
            SessionError::Http { source, .. } => cannot_connect(source),
            SessionError::Status { .. } | SessionError::Unreadable { .. } => false,
        }
    }
}

/// The service, the connection to it and the token.
#[derive(Debug)]
pub(super) struct Session {
    service: Service,
    clocks: Clocks,
    token: Option<Token>,
}

#[derive(Debug)]
struct Token {
    text: Secret,
    renew_at_ms: u64,
    ends_at_ms: u64,
}

impl Session {
    pub(super) fn at(endpoint: &str, clocks: Clocks) -> Result<Session, HttpError> {
        Ok(Session {
            service: Service::at(endpoint)?,
            clocks,
            token: None,
        })
    }

    /// Sees to it that there is a token.
    pub(super) async fn authorize(&mut self, within: Duration) -> Result<(), SessionError> {
        // Its life goes on while the machine sleeps.
        let now = self.clocks.boottime_ms();
        self.token = self.token.take().filter(|token| now < token.ends_at_ms);
        if self.token.as_ref().is_some_and(|token| now < token.renew_at_ms) {
            return Ok(());
        }
        match (self.fetch(within).await, &mut self.token) {
            (Ok(token), _) => {
                self.token = Some(token);
                Ok(())
            }
            (Err(trouble), Some(old)) => {
                tracing::debug!(
                    error = one_line(&trouble),
                    "the token of the metadata service was not renewed yet"
                );
                old.renew_at_ms = now + RENEWAL_PAUSE_MS;
                Ok(())
            }
            (Err(trouble), None) => Err(trouble),
        }
    }

    /// What a path holds; nothing where the service has nothing there. A refused token is replaced once.
    pub(super) async fn get(
        &mut self,
        path: &'static str,
        within: Duration,
    ) -> Result<Option<Bytes>, SessionError> {
        let mut answer = self.get_once(path, within).await?;
        if answer.status == 401 {
            self.token = None;
            answer = self.get_once(path, within).await?;
        }
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            status => Err(SessionError::Status { path, status }),
        }
    }

    async fn get_once(&mut self, path: &'static str, within: Duration) -> Result<Answer, SessionError> {
        self.authorize(within).await?;
        let token = self.token.as_ref().map(|token| token.text.expose());
        let headers = [(TOKEN_HEADER, token.expect("authorize gave one"))];
        let asked = self.service.ask(Question::get(path, &headers), within).await;
        asked.map_err(|source| SessionError::Http { path, source })
    }

    async fn fetch(&mut self, within: Duration) -> Result<Token, SessionError> {
        let asked_at_ms = self.clocks.boottime_ms();
        let question = Question {
            method: &Method::PUT,
            path: TOKEN_PATH,
            headers: &[(LIFE_HEADER, LIFE_TEXT)],
            body: "",
        };
        let answer = self.service.ask(question, within).await.map_err(|source| {
            let advice = match &source {
                HttpError::Late { .. } => {
                    "no answer comes back where it has to pass more hops than the instance allows; in a container, run in the host's network or allow one more: aws ec2 modify-instance-metadata-options --instance-id ID --http-put-response-hop-limit 2"
                }
                HttpError::Connect { .. } => {
                    "nobody listens there; outside of AWS switch event_sources.aws_metadata.enabled off, on an instance see whether its metadata options have the service enabled"
                }
                _ => "it broke off; it is tried again",
            };
            let source = Some(source);
            SessionError::Token { advice, source }
        })?;
        let refused = |advice| SessionError::Token { advice, source: None };
        match answer.status {
            200 => {}
            403 => {
                return Err(refused(
                    "it is switched off for this instance; switch it on: aws ec2 modify-instance-metadata-options --instance-id ID --http-endpoint enabled --http-tokens required",
                ));
            }
            404 | 405 => {
                return Err(refused(
                    "whoever answers there speaks no version 2 of the protocol, and version 1 is not used; see event_sources.aws_metadata.endpoint",
                ));
            }
            _ => return Err(refused("it was refused; it is tried again")),
        }
        let text = str::from_utf8(answer.body.trim_ascii()).unwrap_or_default();
        if text.is_empty() || text.len() > LONGEST_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(refused("what was answered is no token; it is tried again"));
        }
        let life = answer
            .headers
            .get(LIFE_HEADER)
            .and_then(|life| life.to_str().ok());
        // Never longer than was asked for: whatever the header says, it is asked again in six hours.
        let life_ms = life
            .and_then(|life| life.parse().ok())
            .unwrap_or(LIFE_SECONDS)
            .min(LIFE_SECONDS)
            * 1_000;
        Ok(Token {
            text: Secret::new(text),
            renew_at_ms: asked_at_ms + life_ms - life_ms / RENEWED_AT,
            ends_at_ms: asked_at_ms + life_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_test_harness::{ImdsAnswer, ImdsServer};

    /// Far more than an answer takes, on whatever machine.
    const LONG: Duration = Duration::from_secs(60);

    async fn refused(url: &str, within: Duration) -> String {
        let mut session = Session::at(url, Clocks::real()).expect("an address");
        let answer = session.authorize(within).await;
        answer.expect_err("there is no token").to_string()
    }

    #[tokio::test]
    async fn whoever_gets_no_token_is_told_what_to_do() {
        let service = ImdsServer::start().await;
        let soon = Duration::from_millis(1);
        for (answer, within, advice) in [
            (ImdsAnswer::Never, soon, "--http-put-response-hop-limit 2"),
            (ImdsAnswer::Status(403), LONG, "--http-endpoint enabled"),
            (ImdsAnswer::Status(404), LONG, "version 1 is not used"),
            (ImdsAnswer::Body(b"two words".to_vec()), LONG, "is no token"),
        ] {
            service.answer(TOKEN_PATH, answer);
            let said = refused(&service.url(), within).await;
            assert!(said.contains(advice), "{said}");
        }
        // Nothing listens at port 1, which takes a privilege to be given away.
        let said = refused("http://127.0.0.1:1", LONG).await;
        assert!(said.contains("nobody listens there"), "{said}");
    }

    #[tokio::test]
    async fn whatever_lifetime_is_said_a_token_is_asked_for_again_within_six_hours() {
        let service = ImdsServer::start().await;
        let hand = Clocks::manual();
        let mut session = Session::at(&service.url(), hand.clocks()).expect("an address");
        service.say_tokens_live(u64::MAX);
        for tokens in 1..=2 {
            session.authorize(LONG).await.expect("a token");
            session.authorize(LONG).await.expect("the same");
            assert_eq!(service.tokens_asked(), tokens);
            hand.suspend(Duration::from_secs(LIFE_SECONDS));
        }
    }
}
