//! What is told of configurations with secrets in them.

use super::*;
use serde_json::json;

#[test]
fn a_password_is_a_secret_and_an_address_without_one_is_not() {
    for (text, is_called_so, secret) in [
        ("redis://:hunter2@h", true, true),
        ("redis://:hunter2@h", false, true),
        ("redis://localhost:6379/0", true, false),
        ("redis://alice@h", true, false),
        ("unix:///run/redis.sock", true, false),
        ("nats://token@h:4222", false, true),
        ("http://h:15672", true, false),
        ("https://h/hooks/T0/x1", true, true),
        ("https://h/status", false, false),
        ("https://h/?token=hunter2", false, true),
        ("snooze:hunter2@tcp(h:3306)/db", true, true),
        ("snooze@unix(/run/mysqld.sock)/", true, false),
        ("tcp(h:3306)/db", true, false),
        ("host=/run dbname=a", true, false),
        ("host=h password=hunter2", true, true),
        ("host=h password=hunter2", false, true),
        ("p@ssw0rd", true, true),
        ("hunter2", true, true),
        ("", true, false),
        ("hunter2", false, false),
        ("ops@example.com", false, false),
        ("user:hunter2@h", false, true),
    ] {
        assert_eq!(is_secret(text, is_called_so), secret, "{text:?} {is_called_so}");
    }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

#[test]
fn a_warning_names_the_places_and_the_key_of_a_file_and_no_secret() {
    let secrets = Secrets {
        are_known: true,
        names: BTreeSet::from(["pin".to_owned()]),
        files: BTreeSet::from(["pin_file".to_owned(), "url_file".to_owned()]),
    };
    let plugin = "door".parse().expect("a name");
    let warn = |config: Value, layer: &Layer| secrets.warning(&map(config), layer, &plugin);
    assert_eq!(
        warn(
            json!({"floor": 3, "url": "redis://h", "pin_file": "/a"}),
            &Layer::Fleet
        ),
        None
    );
    let all = json!({"pin": 4711, "queues": [{"url": "redis://h"}, {"url": "redis://:hunter2@h"}]});
    let told = warn(all, &Layer::Fleet).expect("two secrets");
    assert!(told.starts_with("pin, queues[1].url may hold"), "{told}");
    assert!(
        told.contains("that pin_file or url_file names") && told.contains("every host"),
        "{told}"
    );
    assert!(!told.contains("hunter2") && !told.contains("4711"), "{told}");
    let host = Layer::Host("web".parse().expect("a host id"));
    let told = warn(json!({"url": "redis://:hunter2@h"}), &host).expect("a secret");
    assert!(
        told.contains("that url_file names") && told.contains("the host web"),
        "{told}"
    );
}

#[test]
fn a_warning_names_no_key_that_the_plugin_does_not_have() {
    let secrets = |are_known: bool, files: &[&str]| Secrets {
        are_known,
        names: BTreeSet::new(),
        files: files.iter().map(ToString::to_string).collect(),
    };
    let plugin = "door".parse().expect("a name");
    let warn = |secrets: Secrets, config: Value| {
        secrets
            .warning(&map(config), &Layer::Fleet, &plugin)
            .expect("a secret")
    };
    let token = || json!({"api_token": "aHVudGVyMg=="});
    let told = warn(secrets(true, &[]), token());
    assert!(
        told.ends_with("plugin_configs.door; door has no key for a file on the host with it"),
        "{told}"
    );
    // Another secret's file is none for this one.
    let told = warn(secrets(true, &["password_file"]), token());
    assert!(
        !told.contains("password_file") && told.contains("door has no key"),
        "{told}"
    );
    let told = warn(
        secrets(true, &["password_file"]),
        json!({"url": "redis://:hunter2@h"}),
    );
    assert!(told.contains("that password_file names"), "{told}");
    let told = warn(secrets(false, &[]), token());
    assert!(
        told.contains("where the plugin has a key for one, or in the host's own file"),
        "{told}"
    );
}

#[test]
fn i4_a_well_known_credential_is_warned_of_whatever_its_key_is_called() {
    let plugin = "door".parse().expect("a name");
    let token = format!("ghp_{}", "a1".repeat(18));
    let warn = |config: Value| Secrets::default().warning(&map(config), &Layer::Fleet, &plugin);
    for value in [
        token.clone(),
        format!("https://h/{token}/status"),
        format!("use {token} there"),
    ] {
        let told = warn(json!({"note": value, "floor": 3})).expect("a secret");
        assert!(
            told.starts_with("note may hold") && !told.contains(&token),
            "{told}"
        );
    }
    assert_eq!(warn(json!({"note": "ghp_ is how they begin"})), None);
}

#[test]
fn where_nobody_says_what_is_secret_no_value_is_shown() {
    let config = map(json!({"pin": 4711, "on": true, "deep": {"list": ["a", 1]}, "none": null}));
    let hidden = "(not shown)";
    let wanted = json!({"pin": hidden, "on": hidden, "deep": {"list": [hidden, hidden]}, "none": null});
    assert_eq!(Secrets::default().shown(&config), map(wanted));
    let known = Secrets {
        are_known: true,
        ..Secrets::default()
    };
    assert_eq!(known.shown(&config), config);
}
