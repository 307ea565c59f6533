//! How a user shows who it is: the claims in its file, and the server's nonce signed with the seed beside them.

use async_nats::Auth;
use nkeys::KeyPair;
use std::{io, path::Path};

/// What a credentials file holds. Never printed.
pub(crate) struct Login {
    claims: String,
    key: KeyPair,
}

impl Login {
    /// What a file holds now.
    ///
    /// # Errors
    /// When it cannot be read, or holds no claims or no seed.
    pub(crate) async fn read(path: &Path) -> io::Result<Login> {
        Login::parse(&tokio::fs::read_to_string(path).await?)
    }

    /// The form is that of `nats-io/jwt`: claims and seed, each on the line below one that begins their block.
    fn parse(text: &str) -> io::Result<Login> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let mut lines = text.lines().map(str::trim);
        let mut block = |what: &str| {
            lines.by_ref().find(|line| line.starts_with("-----BEGIN"));
            let first = lines.next().filter(|line| !line.is_empty());
            first.ok_or_else(|| invalid(format!("it holds no {what}")))
        };
        let (claims, seed) = (block("claims of a user")?, block("seed of a user's key")?);
        Ok(Login {
            claims: claims.to_owned(),
            key: KeyPair::from_seed(seed).map_err(|cause| invalid(cause.to_string()))?,
        })
    }

    /// What to answer to a server that wants this nonce signed.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub(crate) fn answer(&self, nonce: &[u8]) -> Result<Auth, nkeys::error::Error> {
        let mut auth = Auth::new();
        auth.jwt = Some(self.claims.clone());
        auth.signature = Some(self.key.sign(nonce)?);
        Ok(auth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keys, Role, User};
    use snooze_schemas::Timestamp;

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_no_login_and_no_panic() {
        let user = User::named(Role::SetUp, "set-up").expect("a name");
        let text = Keys::generate().credentials(&user, Timestamp::UNIX_EPOCH);
        let text = text.expect("signs");
        let whole = Login::parse(&text).expect("it is one");
        assert!(text.contains(&whole.claims));
        assert!(Login::parse(&text.replace('\n', "\r\n")).is_ok());
        let seed_ends = text.find("\n------END USER NKEY SEED").expect("it is there");
        for end in 0..seed_ends {
            assert!(Login::parse(&text[..end]).is_err(), "{end}");
        }
    }
}
