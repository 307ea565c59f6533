//! Which cases are asked of whom, and within which limits.

use crate::{
    case::{Case, CasesError, Form, Layer, subjects},
    nats::NatsPlugin,
    process::{Program, Starter},
    report::{Outcome, Report},
    session::Session,
};
use futures_util::{StreamExt, stream};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a plugin may take, and how many are run at once.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For its first answer, its start included.
    pub start: Duration,
    /// For every other answer.
    pub answer: Duration,
    /// To end.
    pub end: Duration,
    /// How many processes run at once.
    pub at_once: usize,
}

impl Default for Limits {
    /// Those of the runner, with one process for each of a small machine's cores.
    fn default() -> Self {
        Limits {
            start: Duration::from_secs(15),
            answer: Duration::from_secs(5),
            end: Duration::from_secs(2),
            at_once: 2,
        }
    }
}

/// Who is asked.
#[derive(Debug, Clone)]
pub enum Target {
    /// A program, started anew for each case.
    Process(Program),
    /// A plugin's process that somebody else starts, anew for each case, as in fences.
    Started(Starter),
    /// A plugin that is on the bus.
    Nats(Box<NatsPlugin>),
}

/// Which cases are asked.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Those of these layers.
    pub layers: BTreeSet<Layer>,
    /// In these forms, as far as the target has them.
    pub forms: BTreeSet<Form>,
    /// Only those whose `subject/case` is here; all where it is empty.
    pub names: BTreeSet<String>,
}

impl Selection {
    /// What every plugin has to do, in these forms.
    #[must_use]
    pub fn contract(forms: impl IntoIterator<Item = Form>) -> Selection {
        Selection {
            layers: [Layer::Contract].into(),
            forms: forms.into_iter().collect(),
            names: BTreeSet::new(),
        }
    }

    /// What the example plugin of an SDK has to do: all there is.
    #[must_use]
    pub fn example(forms: impl IntoIterator<Item = Form>) -> Selection {
        Selection {
            layers: [Layer::Contract, Layer::Example].into(),
            ..Selection::contract(forms)
        }
    }

    fn takes(&self, subject: &str, case: &Case) -> bool {
        let name = format!("{subject}/{}", case.name);
        self.layers.contains(&case.layer) && (self.names.is_empty() || self.names.contains(&name))
    }
}

/// What happens to a case while others are still to come.
#[derive(Debug, Clone, Copy)]
pub enum Moment<'a> {
    /// It is asked from now on.
    Begins {
        /// What it is about.
        subject: &'a str,
        /// Its name.
        case: &'a str,
    },
    /// This came of it.
    Ends(&'a Outcome),
}

/// Asks. Cancelling it kills what was started.
///
/// # Errors
/// When the cases cannot be read.
pub async fn run(target: &Target, selection: &Selection, limits: &Limits) -> Result<Report, CasesError> {
    run_telling(target, selection, limits, |_| {}).await
}

/// As [`run`], and tells of each case when it begins and when it ends, so that whoever cancels it knows what came of
/// those before.
///
/// # Errors
/// As [`run`].
pub async fn run_telling(
    target: &Target,
    selection: &Selection,
    limits: &Limits,
    tell: impl FnMut(Moment<'_>) + Send,
) -> Result<Report, CasesError> {
    let mut chosen = Vec::new();
    for subject in subjects()? {
        for case in subject.cases {
            let fits = !case.on_host || matches!(target, Target::Nats(plugin) if plugin.host.is_some());
            if fits && selection.takes(&subject.subject, &case) {
                let forms = case.over.iter().copied().filter(|form| {
                    selection.forms.contains(form) && form.is_on_nats() == matches!(target, Target::Nats(_))
                });
                chosen.extend(forms.map(|form| (subject.subject.clone(), case.clone(), form)));
            }
        }
    }
    let at_once = match target {
        Target::Process(_) | Target::Started(_) => limits.at_once.max(1),
        // One plugin is asked, whose configuration the cases change.
        Target::Nats(_) => 1,
    };
    let tell = &Mutex::new(tell);
    let asked = chosen.into_iter().map(|(subject, case, form)| {
        Box::pin(async move {
            let tell = |moment: Moment<'_>| tell.lock().unwrap_or_else(PoisonError::into_inner)(moment);
            tell(Moment::Begins {
                subject: &subject,
                case: &case.name,
            });
            let outcome = ask(target, subject, case, form, limits).await;
            tell(Moment::Ends(&outcome));
            outcome
        })
    });
    Ok(Report {
        outcomes: stream::iter(asked).buffered(at_once).collect().await,
    })
}

async fn ask(target: &Target, subject: String, case: Case, form: Form, limits: &Limits) -> Outcome {
    let begun = Instant::now();
    let session = match target {
        Target::Process(program) => Session::with_process(program, form, limits),
        Target::Started(starter) => Session::with_started(starter, form, limits).await,
        Target::Nats(plugin) => Ok(Session::with_nats(plugin, form, limits)),
    };
    let outcome = match session {
        Ok(mut session) => {
            let played = session.play(&case).await;
            session.finish().await;
            played
        }
        Err(failure) => Err(failure),
    };
    Outcome {
        subject,
        case: case.name,
        layer: case.layer,
        form,
        law: case.law,
        took: begun.elapsed(),
        failure: outcome.err(),
    }
}
