//! How a plugin is asked, whatever the transport.

use super::*;
use crate::{
    failure::{BROKEN, FAILED, UNKNOWN_METHOD},
    messages::{Info, Opinion},
};

/// Counts what it is asked; fails and panics where it is told to.
#[derive(Default)]
struct Counting {
    initialized: u32,
    shut_down: u32,
    trouble: Option<&'static str>,
}

impl Plugin for Counting {
    fn info(&self) -> Info {
        Info::new("counting", "1.0.0")
    }

    fn configure(&mut self, config: Config) -> Result<()> {
        self.trouble = config.contains_key("panic").then_some("panic");
        Ok(())
    }

    fn initialize(&mut self) -> Result<()> {
        self.initialized += 1;
        match self.initialized {
            1 => Err("not yet".into()),
            _ => Ok(()),
        }
    }

    fn check_idle(&mut self, metrics: &Metrics) -> Result<Opinion> {
        assert!(self.trouble.is_none(), "no idea");
        let host = metrics.host.clone().unwrap_or_default();
        Ok(Opinion::idle(host).with("unknown", f64::NAN))
    }

    fn shutdown(&mut self) -> Result<()> {
        self.shut_down += 1;
        Ok(())
    }
}

#[test]
fn it_is_initialized_before_its_first_question_and_once() {
    let mut session = Session::new(Counting::default());
    session.ask(Method::Info, Value::Null).expect("a name");
    assert_eq!(session.plugin.initialized, 0);
    let failure = session.ask(Method::CheckIdle, json!({})).expect_err("not ready");
    assert_eq!((failure.code, failure.text.as_str()), (FAILED, "not yet"));
    for method in [Method::Initialize, Method::CheckIdle, Method::Initialize] {
        session.ask(method, json!({})).expect("ready");
    }
    assert_eq!(session.plugin.initialized, 2);
}

#[test]
fn it_is_shut_down_once_and_made_ready_again_for_who_asks_after() {
    let mut session = Session::new(Counting {
        initialized: 1,
        ..Counting::default()
    });
    session.ask(Method::Shutdown, Value::Null).expect("shuts down");
    session.ask(Method::Shutdown, Value::Null).expect("is shut down");
    session.end().expect("is shut down");
    assert_eq!(session.plugin.shut_down, 1);
    session.ask(Method::CheckIdle, json!({})).expect("an opinion");
    session.end().expect("shuts down");
    assert_eq!((session.plugin.initialized, session.plugin.shut_down), (2, 2));
}

#[test]
fn a_panic_is_an_error_and_not_the_end() {
    let mut session = Session::new(Counting {
        initialized: 1,
        ..Counting::default()
    });
    session
        .ask(Method::Configure, json!({ "config": { "panic": 1 } }))
        .expect("takes it");
    let failure = session.ask(Method::CheckIdle, json!({})).expect_err("panics");
    assert_eq!(failure, Failure::new(BROKEN, "the plugin panicked: no idea"));
    session
        .ask(Method::Configure, json!({ "config": {} }))
        .expect("takes it");
    let opinion = session
        .ask(Method::CheckIdle, json!({ "host": "h" }))
        .expect("an opinion");
    assert_eq!(
        opinion,
        json!({ "is_idle": true, "reason": "h", "details": { "unknown": null } })
    );
}

#[test]
fn what_is_left_out_is_unknown_by_the_name_that_was_asked() {
    let mut session = Session::new(Counting {
        initialized: 1,
        ..Counting::default()
    });
    let event = json!({ "event": { "id": "a", "type": "custom" } });
    for (method, params) in [(Method::SupportedEvents, json!({})), (Method::HandleEvent, event)] {
        let failure = session.ask(method, params).expect_err("left out");
        assert_eq!(failure, Failure::unknown_method(method.name()));
    }
    assert_eq!(
        Method::named("check_idle").expect_err("a subject's name").code,
        UNKNOWN_METHOD
    );
}

#[test]
fn params_that_do_not_fit_are_no_question() {
    let mut session = Session::new(Counting {
        initialized: 1,
        ..Counting::default()
    });
    for (method, params) in [
        (Method::Info, json!(7)),
        (Method::Configure, json!({ "config": 7 })),
        (Method::CheckIdle, json!({ "metrics": { "cpu_usage": "low" } })),
        (Method::HandleEvent, json!({})),
        (Method::HandleEvent, json!({ "event": { "type": "custom" } })),
    ] {
        let failure = session.ask(method, params.clone()).expect_err("cannot be read");
        assert_eq!(failure.code, WRONG_PARAMS, "{method:?} {params}");
    }
}
