//! What an administrator wants done about plugins, on its way to the house.
//!
//! It does nothing itself, and keeps nothing: an order that nobody took is none.

use snooze_schemas::{ErrorCode, PluginName, Refusal};
use tokio::sync::{mpsc, oneshot};

/// So many orders wait; people give them one at a time.
const WAITING: usize = 16;

/// What an administrator wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Run it again.
    Load(PluginName),
    /// End it.
    Unload(PluginName),
    /// Look again; start this one anew in any case.
    Reload(Option<PluginName>),
}

impl Order {
    /// Whom it is about, where it is about one.
    pub(super) fn plugin(&self) -> Option<&PluginName> {
        match self {
            Self::Load(name) | Self::Unload(name) => Some(name),
            Self::Reload(name) => name.as_ref(),
        }
    }

    /// What the audit trail says of it.
    pub(super) fn done(&self) -> &'static str {
        match self {
            Self::Load(_) => "it was loaded",
            Self::Unload(_) => "it was unloaded",
            Self::Reload(_) => "it was started anew",
        }
    }
}

/// An order, and where it is said whether it was carried out.
pub(super) type Given = (Order, oneshot::Sender<Result<(), Refusal>>);

/// Where orders are given.
#[derive(Debug, Clone)]
pub(crate) struct Desk(mpsc::Sender<Given>);

impl Desk {
    /// A desk, and where its orders arrive.
    pub(super) fn new() -> (Desk, mpsc::Receiver<Given>) {
        let (given, orders) = mpsc::channel(WAITING);
        (Desk(given), orders)
    }

    /// Gives an order, and waits until it is under way.
    ///
    /// # Errors
    /// There is no such plugin, or the runner ends.
    pub(crate) async fn order(&self, order: Order) -> Result<(), Refusal> {
        let (reply, done) = oneshot::channel();
        let ends = || Refusal::new(ErrorCode::Unavailable, "the runner ends");
        self.0.send((order, reply)).await.map_err(|_| ends())?;
        done.await.map_err(|_| ends())?
    }
}
