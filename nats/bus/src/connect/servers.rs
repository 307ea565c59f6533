//! The URLs of the servers: taken apart for the client, and shown without what is secret in them.

/// Several URLs may be given in one text.
pub(super) fn servers(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|server| !server.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The URLs as they may be printed: a user's name, password or token before an `@` shows as `***`.
pub(super) fn masked(text: &str) -> String {
    let masked: Vec<String> = servers(text)
        .iter()
        .map(|server| match server.rsplit_once('@') {
            None => server.clone(),
            Some((before, host)) => {
                let scheme = before.split_once("://").map(|(scheme, _)| format!("{scheme}://"));
                format!("{}***@{host}", scheme.unwrap_or_default())
            }
        })
        .collect();
    masked.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_servers_may_be_named() {
        assert_eq!(servers("nats://a:1, nats://b:2,"), ["nats://a:1", "nats://b:2"]);
    }

    #[test]
    fn no_password_and_no_token_is_ever_shown() {
        for (given, shown) in [
            ("nats://a:1, nats://b:2", "nats://a:1,nats://b:2"),
            ("nats://me:pw@h:4222", "nats://***@h:4222"),
            ("tls://token@h,nats://b", "tls://***@h,nats://b"),
            ("me:p@w@h", "***@h"),
        ] {
            assert_eq!(masked(given), shown);
        }
    }
}
