//! `snooze plugin uninstall`, against a real broker, its store of packages and real credentials.

use crate::{
    place::Place,
    plugin_install::{fetched, folder, held, packed, text},
};
use serde_json::json;
use snooze_bus::{ArtifactError, Role, keys};

#[tokio::test]
async fn what_is_uninstalled_keeps_its_configuration_and_its_package_until_that_is_asked_for() {
    let place = Place::new().await;
    place.executor(&["web"]).await;
    let parent = tempfile::tempdir().expect("a folder");
    let folder = folder(parent.path(), "1.0.0", &json!({}));
    let sha256 = packed(&folder).await.0.sha256;
    let plugin = async |words: &[&str]| {
        let done = place.plugin(Role::Administrator, words).await;
        (done.code, format!("{}{}", done.out, done.err))
    };
    let install = async |level: &[&str]| {
        let mut words = vec!["install", text(&folder), "--yes", "--wait", "1s"];
        words.extend(level);
        let (code, said) = plugin(&words).await;
        assert_eq!(code, Some(0), "{said}");
    };
    install(&["--fleet"]).await;
    for words in [
        &["configure", "redis", "n=1", "--fleet"][..],
        &["disable", "redis", "--fleet"],
    ] {
        assert_eq!(plugin(words).await.0, Some(0));
    }
    let (code, said) = plugin(&["uninstall", "redis", "--fleet"]).await;
    assert_eq!(code, Some(0), "{said}");
    let left = held(&place).await.expect("its configuration is kept");
    let off = Some(false);
    assert_eq!((left.installed, left.approved, left.enabled), (None, None, off));
    assert!(left.config.is_some());
    assert!(fetched(&place, &sha256).await.is_ok(), "its package is kept");
    let (code, said) = plugin(&["uninstall", "redis", "--fleet"]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("redis is not installed on every host"), "{said}");

    install(&["--fleet"]).await;
    install(&["--host", "web"]).await;
    assert_eq!(plugin(&["enable", "redis", "--fleet"]).await.0, Some(0));
    let (code, said) = plugin(&["uninstall", "redis", "--fleet", "--config", "--package"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("still installed on the host web"), "{said}");
    assert_eq!(held(&place).await, None);
    assert!(fetched(&place, &sha256).await.is_ok(), "its package is kept");
    let (code, said) = plugin(&["uninstall", "redis", "--host", "web", "--package"]).await;
    assert_eq!(code, Some(0), "{said}");
    let got = fetched(&place, &sha256).await;
    assert!(matches!(got, Err(ArtifactError::NotThere { .. })), "{got:?}");

    // What a narrower level is left with would be looked for for ever.
    assert_eq!(plugin(&["enable", "redis", "--host", "web"]).await.0, Some(0));
    let (code, said) = plugin(&["uninstall", "redis", "--host", "web"]).await;
    assert_eq!(code, Some(4), "nothing is installed: {said}");
    let (code, said) = plugin(&["uninstall", "redis", "--host", "web", "--config"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("taken away"), "{said}");
    let host = keys::host_key(&"web".parse().expect("a host id"));
    assert!(!place.layer(&host).await.plugins.contains_key("redis"));
    assert_eq!(
        plugin(&["uninstall", "redis", "--host", "web", "--config"])
            .await
            .0,
        Some(4)
    );
}

#[tokio::test]
async fn a_package_stays_where_nobody_can_say_who_has_it() {
    let place = Place::new().await;
    let parent = tempfile::tempdir().expect("a folder");
    let folder = folder(parent.path(), "1.0.0", &json!({}));
    let sha256 = packed(&folder).await.0.sha256;
    let words = ["install", text(&folder), "--fleet", "--yes"];
    let done = place.plugin(Role::Administrator, &words).await;
    assert_eq!(
        done.code,
        Some(0),
        "without an executor nobody is waited for: {done:?}"
    );
    let words = ["uninstall", "redis", "--fleet", "--package"];
    let done = place.plugin(Role::Administrator, &words).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.out.contains("is taken back") && done.err.contains("package stays"),
        "{done:?}"
    );
    assert!(fetched(&place, &sha256).await.is_ok());
}

#[tokio::test]
async fn i5_who_is_no_administrator_installs_and_uninstalls_nothing() {
    let place = Place::new().await;
    place.executor(&[]).await;
    let parent = tempfile::tempdir().expect("a folder");
    let folder = folder(parent.path(), "1.0.0", &json!({}));
    let words = ["install", text(&folder), "--fleet", "--yes"];
    let done = place.plugin(Role::Operator, &words).await;
    assert_eq!((done.code, done.out.as_str()), (Some(4), ""), "{done:?}");
    assert_eq!(held(&place).await, None);
    let (package, _) = packed(&folder).await;
    let got = fetched(&place, &package.sha256).await;
    assert!(matches!(got, Err(ArtifactError::NotThere { .. })), "{got:?}");
    let done = place.plugin(Role::Administrator, &words).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let done = place
        .plugin(Role::Operator, &["uninstall", "redis", "--fleet"])
        .await;
    assert_eq!(done.code, Some(4), "{done:?}");
    assert!(held(&place).await.is_some());
}
