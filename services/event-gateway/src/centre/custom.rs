//! People's own events as they are sent on the bus: read, checked, filed, answered.
//!
//! The source is the source token of the *subject*; nothing in the body says who sends. How one is checked and
//! filed is the same for every way in. A source that sends more at once than it has places for is told so, and turns
//! nobody else's away.

mod places;

pub(super) use places::Places;

use super::{
    ids::drawn_id,
    taking::{self, NotFiled},
};
use snooze_bus::{Bus, Delivery, Subject};
use snooze_schemas::{
    ErrorCode, Refusal,
    event::{CustomEvent, Filed},
};
use snooze_service_runtime::Clocks;

/// Files one and answers. Sent as a request it is answered once the stream has it (rule E8); published
/// bare, a refusal is only logged.
pub(crate) async fn file(delivery: Delivery, places: Places, bus: Bus, clocks: Clocks) {
    let result = take(&delivery, &places, &bus, &clocks).await;
    if let (Err(refusal), false) = (&result, delivery.wants_reply()) {
        // Whoever sends without end shall not fill the log either.
        if refusal.code == ErrorCode::RateLimited {
            tracing::debug!(%refusal, "a custom event was published bare and not filed");
        } else {
            tracing::warn!(%refusal, "a custom event was published bare and not filed");
        }
    }
    if delivery.wants_reply()
        && let Err(error) = delivery.answer(result).await
    {
        tracing::warn!(%error, "the sender of a custom event was not answered");
    }
}

async fn take(delivery: &Delivery, places: &Places, bus: &Bus, clocks: &Clocks) -> Result<Filed, Refusal> {
    let Subject::Custom { source, event_type } = delivery.subject() else {
        return Err(Refusal::new(
            ErrorCode::BadRequest,
            "this is no subject of a custom event",
        ));
    };
    let _place = places.take(source).ok_or_else(|| {
        let text = format!("too many events of the source {source} are being filed; send it again later");
        Refusal::new(ErrorCode::RateLimited, text)
    })?;
    let sent: CustomEvent = delivery.read()?;
    let record = taking::record_of(bus, source).await?;
    let own_id = sent.id.clone().unwrap_or_else(drawn_id);
    let event = taking::checked((source, &record), event_type, sent, &own_id, clocks.wall())?;
    taking::file(bus, &event).await.map_err(|not_filed| match not_filed {
        NotFiled::TooLarge => Refusal::new(ErrorCode::BadRequest, taking::too_large()),
        NotFiled::Unavailable(why) => Refusal::new(ErrorCode::Unavailable, why),
        NotFiled::Unsaid => {
            let text = format!(
                "the stream did not say whether it has the event; send it again with the id {own_id}, and \
                 nothing is filed twice"
            );
            Refusal::new(ErrorCode::Timeout, text)
        }
    })
}
