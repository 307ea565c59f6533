//! The URLs of the servers: taken apart for the client, and shown without what is secret in them.

use crate::error::BusError;
use async_nats::ServerAddr;

/// The servers that a text names. A scheme has to stand there: without one any word would be a server's name, and
/// a slip of the keyboard a server that does not answer.
///
/// # Errors
/// The first of them that cannot be one, or the whole text where it names none.
pub(super) fn addresses(text: &str) -> Result<Vec<ServerAddr>, BusError> {
    let none = |given: &str| BusError::Address { given: masked(given) };
    let named = servers(text);
    if named.is_empty() {
        return Err(none(text));
    }
    let address = |server: &String| {
        let parsed = server.contains("://").then(|| server.parse::<ServerAddr>().ok());
        let parsed = parsed.flatten().filter(|address| !address.host().is_empty());
        parsed.ok_or_else(|| none(server))
    };
    named.iter().map(address).collect()
}

/// Several URLs may be given in one text.
fn servers(text: &str) -> Vec<String> {
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
    use crate::BusErrorKind;

    #[test]
    fn several_servers_may_be_named() {
        assert_eq!(servers("nats://a:1, nats://b:2,"), ["nats://a:1", "nats://b:2"]);
    }

    #[test]
    fn what_cannot_be_a_server_is_told_from_one_that_is_away() {
        let hosts = |text| {
            let addresses = addresses(text).map_err(|error| error.kind())?;
            let hosts = addresses.iter().map(|address| address.host().to_owned());
            Ok(hosts.collect::<Vec<_>>())
        };
        assert_eq!(
            hosts("nats://a:1, tls://b,nats://[::1]:3"),
            Ok(["a", "b", "::1"].map(str::to_owned).to_vec())
        );
        for wrong in [
            "http://a:1",
            "nonsense",
            "a:4222",
            "nats://",
            "nats://a:99999",
            "nats://a:1,b",
            " , ",
        ] {
            assert_eq!(hosts(wrong), Err(BusErrorKind::Credentials), "{wrong:?}");
        }
        let told = addresses("http://me:pw@h")
            .expect_err("no server of NATS")
            .to_string();
        assert!(told.contains("http://***@h") && !told.contains("pw"), "{told}");
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
