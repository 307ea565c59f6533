//! What the gateways are told of a user's own events: a record in the configuration, as the administrator that
//! `snooze up` left.
//!
//! A source, an operator and an administrator of the same name share one record, because they send under the
//! same subject. So one that stands and says something else is never changed without being asked to: it
//! would widen or narrow the rights of credentials that somebody else has.

use crate::{
    arguments::Connection,
    home::Home,
    session::{Session, of_bus},
};
use snooze_bus::{Bucket, User, WriteError, keys};
use snooze_schemas::{
    SourceName,
    roster::{SourceHosts, SourceRecord},
};
use snooze_service_runtime::{Exit, Failure};

/// What becomes of a record that says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It stays, and nothing is done.
    Stays,
    /// It is replaced.
    Replaced,
}

/// A record that may be written.
pub(super) struct Grant {
    session: Session,
    key: String,
    record: SourceRecord,
    /// What the write must name; none where the record is there already.
    revision: Option<u64>,
}

impl Grant {
    /// Looks what there is, and writes nothing.
    ///
    /// # Errors
    /// When another record stands and is to stay, or the bus cannot be asked.
    pub(super) async fn prepare(
        user: &User,
        record: SourceRecord,
        standing: Standing,
        connection: &Connection,
        home: &Home,
    ) -> Result<Grant, Failure> {
        let source: SourceName = user
            .name()
            .parse()
            .map_err(|error| Failure::from_error(Exit::Usage, &error))?;
        let key = keys::source_key(&source);
        let session = Session::open(connection, home).await?;
        let bucket = session.bus.bucket(Bucket::Config);
        // As JSON, so that one that cannot be read as a record can be replaced.
        let look = async {
            bucket
                .look::<serde_json::Value>(&key)
                .await
                .map_err(|error| of_bus(&error))
        };
        let look = session.unless_denied(look).await?;
        let known = look
            .entry
            .map(|entry| serde_json::from_value::<SourceRecord>(entry.value).ok());
        let revision = match known {
            Some(Some(known)) if known == record => None,
            Some(known) if standing == Standing::Stays => return Err(other_rights(&source, known.as_ref())),
            Some(_) | None => Some(look.revision),
        };
        Ok(Grant {
            session,
            key,
            record,
            revision,
        })
    }

    /// Writes the record, unless it was changed since it was looked at.
    pub(super) async fn write(&self) -> Result<(), Failure> {
        let Some(revision) = self.revision else {
            return Ok(());
        };
        let bucket = self.session.bus.bucket(Bucket::Config);
        let written = async {
            let written = bucket.update(&self.key, &self.record, revision).await;
            written.map(drop).map_err(|error| of_write(&error))
        };
        self.session.unless_denied(written).await
    }
}

fn of_write(error: &WriteError) -> Failure {
    match error {
        WriteError::Conflict { .. } => {
            let text = "somebody else has changed the rights of this name just now; look again";
            Failure::new(Exit::Refused, text)
        }
        WriteError::NotSent(error) => of_bus(error),
        error => Failure::from_error(Exit::Failed, error),
    }
}

fn other_rights(source: &SourceName, known: Option<&SourceRecord>) -> Failure {
    let rights = match known {
        None => "rights that cannot be read".to_owned(),
        Some(record) => {
            let hosts = match &record.hosts {
                SourceHosts::All => "any host".to_owned(),
                SourceHosts::Only(hosts) => {
                    let names: Vec<&str> = hosts.iter().map(snooze_schemas::HostId::as_str).collect();
                    format!("the hosts {}", names.join(", "))
                }
            };
            let severity = u8::from(record.max_severity);
            format!("other rights: {hosts}, severity {severity} at most")
        }
    };
    let text = format!(
        "{source} may send events already, with {rights}; a source, an operator and an administrator of one \
         name share them. Take another name, or say --replace"
    );
    Failure::new(Exit::Refused, text)
}
