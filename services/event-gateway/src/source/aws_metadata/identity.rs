//! Which instance this is, from its identity document: what its launch is told by, and what its notices name.
//!
//! It reads the document and checks no signature: the metadata service is reached over a link-local address, and a
//! host's place in the fleet comes from the roster, never from here.

use super::{
    field::{Unreadable, object, text},
    session::{Session, SessionError},
};
use snooze_schemas::Timestamp;
use std::time::Duration;
use tokio::time::sleep;

/// Where the document is.
pub(super) const PATH: &str = "/latest/dynamic/instance-identity/document";

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What lies between the tries to read it: some ten seconds in all, of which a service that answers needs none.
pub(super) const PAUSES: [Duration; 7] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(2),
    Duration::from_secs(2),
    Duration::from_secs(2),
];

/// One instance, in one of its launches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As `i-1234567890abcdef0`.
    pub instance_id: String,
    /// As `m7g.large`.
    pub instance_type: String,
    /// The document's `pendingTime`, as written: new each time that the instance is started.
    pub launch: String,
}

/// Reads the document.
pub(super) fn read(answer: &[u8]) -> Result<Identity, Unreadable> {
    let document = object(answer)?;
    let launch = text(&document, "pendingTime")?;
    if launch.parse::<Timestamp>().is_err() {
        return Err(Unreadable::new("pendingTime is no time"));
    }
    Ok(Identity {
        instance_id: text(&document, "instanceId")?.to_owned(),
        instance_type: text(&document, "instanceType")?.to_owned(),
        launch: launch.to_owned(),
    })
}

/// Asks for the document, and again after each pause.
pub(super) async fn tried(session: &mut Session, pauses: &[Duration]) -> Result<Identity, SessionError> {
    let mut pauses = pauses.iter();
    loop {
        let trouble = match session.get(PATH, PATIENCE).await {
            Ok(Some(answer)) => match read(&answer) {
                Ok(identity) => return Ok(identity),
                Err(source) => SessionError::Unreadable { path: PATH, source },
            },
            Ok(None) => SessionError::Status {
                path: PATH,
                status: 404,
            },
            Err(trouble) => trouble,
        };
        match pauses.next() {
            Some(pause) => sleep(*pause).await,
            None => return Err(trouble),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_service_runtime::Clocks;
    use snooze_test_harness::ImdsServer;

    #[test]
    fn the_document_gives_instance_type_and_launch() {
        let document = br#"{"accountId": "123456789012", "instanceId": "i-0abc", "instanceType": "m7g.large",
            "pendingTime": "2030-01-01T00:00:00Z", "billingProducts": null, "version": "2017-09-30"}"#;
        let identity = read(document).expect("a document");
        assert_eq!(identity.instance_id, "i-0abc");
        assert_eq!(identity.instance_type, "m7g.large");
        assert_eq!(identity.launch, "2030-01-01T00:00:00Z");
    }

    #[test]
    fn a_document_without_a_launch_is_none() {
        for document in [
            r#"{"instanceId": "i-0abc", "instanceType": "m7g.large"}"#,
            r#"{"instanceId": "i-0abc", "instanceType": "m7g.large", "pendingTime": "soon"}"#,
            r#"{"instanceId": "", "instanceType": "m7g.large", "pendingTime": "2030-01-01T00:00:00Z"}"#,
            r#"{"instanceType": "m7g.large", "pendingTime": "2030-01-01T00:00:00Z"}"#,
            "[]",
            "",
        ] {
            assert!(read(document.as_bytes()).is_err(), "{document}");
        }
    }

    #[tokio::test]
    async fn the_document_is_tried_a_bounded_number_of_times() {
        let service = ImdsServer::start().await;
        let mut session = Session::at(&service.url(), Clocks::real()).expect("an address");
        let trouble = tried(&mut session, &[Duration::ZERO; 7])
            .await
            .expect_err("it is not there");
        assert!(
            matches!(trouble, SessionError::Status { status: 404, .. }),
            "{trouble}"
        );
        assert_eq!(service.requests_for(PATH).len(), 8);
        let document = r#"{"instanceId": "i-0", "instanceType": "t", "pendingTime": "2030-01-01T00:00:00Z"}"#;
        service.announce(PATH, document);
        tried(&mut session, &[]).await.expect("it is there now");
    }
}
