//! What the host's own file grants, as it comes to a plugin of a whole runner.

use crate::stage::{Stage, python_plugin};
use serde_json::json;
use snooze_schemas::verdict::VoteState;

#[tokio::test]
async fn a_plugin_whose_permissions_are_a_mistake_is_unknown_and_says_which() {
    let mut stage = Stage::set().await;
    let idle = python_plugin("quiet", r#"{"is_idle": True}"#);
    stage.plugin("quiet.py", &idle);
    let mut config = stage.config();
    let own = json!({"permissions": {"read": ["etc"]}});
    let own = own.as_object().expect("a map").clone();
    config.plugin_configs.insert("quiet".to_owned(), own);
    let runner = stage.runner_with(config).await;
    let vote = stage.vote("quiet", VoteState::Unknown).await;
    let told = "plugins.plugin_configs.quiet.permissions.read: etc is no absolute path";
    assert!(vote.reason.contains(told), "{}", vote.reason);
    runner.stop().await;
}
