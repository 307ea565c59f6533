//! The keys of an installation and the credentials that they sign: one operator, its accounts with one
//! scoped signing key for each role, users named after what they are (rule I5). Never logs a seed, and
//! never writes one that others could read.

mod files;
mod holder;
mod jwt;
mod login;

pub use holder::holder_of;
pub(crate) use login::Login;

use crate::roles::{Account, Role, User};
use nkeys::{KeyPair, KeyPairType};
use snooze_schemas::Timestamp;
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// Why keys or credentials could not be read, made or kept.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A folder for keys or credentials could not be made.
    #[error("could not make the folder {path}")]
    MakeFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of keys or credentials could not be read.
    #[error("could not read {path}")]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of keys or credentials could not be written.
    #[error("could not write {path}")]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Somebody else could read a secret.
    #[error(
        "{path} can be read by others (mode {mode:o}); `chmod 600` it, or remove it to have a new one made"
    )]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file does not hold a key of the kind that belongs there.
    #[error("{path} holds no {kind} key")]
    ParseKey {
        /// The file.
        path: PathBuf,
        /// What belongs there.
        kind: &'static str,
        /// Why, where the text is no key at all.
        source: Option<nkeys::error::Error>,
    },
    /// Claims could not be signed.
    #[error("could not sign the credentials of {whom}")]
    Sign {
        /// Whose.
        whom: String,
        /// Why.
        source: nkeys::error::Error,
    },
}

/// All keys of an installation. Whoever has them can make any credentials.
#[derive(Clone)]
pub struct Keys {
    operator: KeyPair,
    system: KeyPair,
    accounts: BTreeMap<Account, KeyPair>,
    roles: BTreeMap<Role, KeyPair>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Public keys only.
        out.debug_struct("Keys")
            .field("operator", &self.operator.public_key())
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// New keys, kept nowhere.
    #[must_use]
    pub fn generate() -> Keys {
        Keys {
            operator: KeyPair::new_operator(),
            system: KeyPair::new_account(),
            accounts: Account::ALL
                .into_iter()
                .map(|account| (account, KeyPair::new_account()))
                .collect(),
            roles: Role::ALL
                .into_iter()
                .map(|role| (role, KeyPair::new_account()))
                .collect(),
        }
    }

    /// The keys kept in a folder; what is missing there is made and kept (mode 0600, the folder 0700).
    ///
    /// # Errors
    /// When a file cannot be read or written, is readable by others, or holds something else.
    pub fn open(folder: &Path) -> Result<Keys, CredentialsError> {
        files::private_folder(folder)?;
        let key = |name: &str, kind| files::key(&folder.join(format!("{name}.nk")), kind);
        let roles = Role::ALL
            .into_iter()
            .map(|role| Ok((role, key(&format!("role-{role}"), KeyPairType::Account)?)))
            .collect::<Result<_, CredentialsError>>()?;
        let accounts = Account::ALL
            .into_iter()
            .map(|account| {
                Ok((
                    account,
                    key(&format!("account-{}", account.as_str()), KeyPairType::Account)?,
                ))
            })
            .collect::<Result<_, CredentialsError>>()?;
        Ok(Keys {
            operator: key("operator", KeyPairType::Operator)?,
            system: key("system", KeyPairType::Account)?,
            accounts,
            roles,
        })
    }

    /// Credentials for a user, as the text of a `.creds` file, which do not run out. Each call makes a new user key.
    ///
    /// # Errors
    /// When the claims cannot be signed.
    pub fn credentials(&self, user: &User, issued_at: Timestamp) -> Result<String, CredentialsError> {
        self.signed(user, issued_at, None)
    }

    /// As [`credentials`](Keys::credentials), which run out then, to the second.
    ///
    /// # Errors
    /// When the claims cannot be signed.
    pub fn credentials_until(
        &self,
        user: &User,
        issued_at: Timestamp,
        ends_at: Timestamp,
    ) -> Result<String, CredentialsError> {
        self.signed(user, issued_at, Some(ends_at))
    }

    fn signed(
        &self,
        user: &User,
        issued_at: Timestamp,
        ends_at: Option<Timestamp>,
    ) -> Result<String, CredentialsError> {
        let key = KeyPair::new_user();
        let sign = |source| CredentialsError::Sign {
            whom: format!("{} {}", user.role(), user.name()),
            source,
        };
        let token = jwt::user(self, user, &key, issued_at, ends_at).map_err(sign)?;
        let seed = key.seed().map_err(sign)?;
        Ok(files::creds_text(&token, &holder::line(user), &seed))
    }

    /// The file `<role>-<name>.creds` of a user in a folder (mode 0600): as it is where these keys signed it
    /// for the same user, else written anew.
    ///
    /// # Errors
    /// When the file cannot be read or written, or the claims cannot be signed.
    pub fn credentials_file(
        &self,
        folder: &Path,
        user: &User,
        issued_at: Timestamp,
    ) -> Result<PathBuf, CredentialsError> {
        files::private_folder(folder)?;
        let path = folder.join(format!("{}-{}.creds", user.role(), user.name()));
        if let Some(text) = files::read_private(&path)?
            && jwt::is_for(&text, self, user)
        {
            return Ok(path);
        }
        files::write_private(&path, &self.credentials(user, issued_at)?)?;
        Ok(path)
    }

    /// What a server has to know of these keys.
    ///
    /// # Errors
    /// When the claims cannot be signed.
    pub fn trust(&self, issued_at: Timestamp) -> Result<Trust, CredentialsError> {
        let sign = |whom: &str| {
            let whom = whom.to_owned();
            move |source| CredentialsError::Sign { whom, source }
        };
        let mut accounts = vec![(
            self.system.public_key(),
            jwt::system_account(self, issued_at).map_err(sign("the system account"))?,
        )];
        for account in Account::ALL {
            let claims = jwt::account(self, account, issued_at).map_err(sign(account.as_str()))?;
            accounts.push((self.account(account).public_key(), claims));
        }
        Ok(Trust {
            operator: jwt::operator(self, issued_at).map_err(sign("the operator"))?,
            system_account: self.system.public_key(),
            accounts,
        })
    }

    fn account(&self, account: Account) -> &KeyPair {
        self.accounts
            .get(&account)
            .expect("every account has a key from the start")
    }

    fn role(&self, role: Role) -> &KeyPair {
        self.roles
            .get(&role)
            .expect("every role has a key from the start")
    }
}

/// The public side of [`Keys`]: signed claims, no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The operator's claims.
    pub operator: String,
    /// The public key of the account that the server itself speaks in.
    pub system_account: String,
    /// The accounts' public keys and claims.
    pub accounts: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_schemas::HostId;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn host(name: &str) -> User {
        User::host(&name.parse::<HostId>().expect("a host id"))
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn keys_are_made_once_and_only_for_their_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = folder.path().join("keys");
        let first = Keys::open(&keys).expect("makes them");
        let again = Keys::open(&keys).expect("reads them");
        assert_eq!(
            first.trust(Timestamp::UNIX_EPOCH).ok(),
            again.trust(Timestamp::UNIX_EPOCH).ok()
        );
        assert_eq!(mode(&keys), 0o700);
        for file in fs::read_dir(&keys).expect("a folder") {
            assert_eq!(mode(&file.expect("a file").path()), 0o600);
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        Keys::open(folder.path()).expect("makes them");
        let operator = folder.path().join("operator.nk");
        fs::set_permissions(&operator, fs::Permissions::from_mode(0o640)).expect("chmod");
        let refused = Keys::open(folder.path()).expect_err("is refused");
        assert!(
            matches!(refused, CredentialsError::ReadableByOthers { mode: 0o640, .. }),
            "{refused:?}"
        );
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        Keys::open(folder.path()).expect("makes them");
        fs::copy(
            folder.path().join("account-hosts.nk"),
            folder.path().join("operator.nk"),
        )
        .expect("copies");
        let refused = Keys::open(folder.path()).expect_err("is refused");
        assert!(
            matches!(refused, CredentialsError::ParseKey { kind: "operator", .. }),
            "{refused:?}"
        );
    }

    #[test]
    fn credentials_are_kept_until_the_user_or_the_keys_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::generate();
        let write = |keys: &Keys, user: &User| {
            let path = keys
                .credentials_file(folder.path(), user, Timestamp::UNIX_EPOCH)
                .expect("writes");
            assert_eq!(mode(&path), 0o600);
            assert!(path.ends_with("host-a.creds"));
            fs::read_to_string(path).expect("reads")
        };
        let first = write(&keys, &host("a"));
        assert_eq!(write(&keys, &host("a")), first);
        let granted = write(&keys, &host("a").granting(&"llm".parse().expect("a plugin")));
        assert_ne!(granted, first);
        assert_ne!(write(&Keys::generate(), &host("a")), first);
    }

    #[test]
    fn credentials_say_whose_they_are_whatever_their_file_is_called() {
        let keys = Keys::generate();
        let users = [
            host("a"),
            User::plugin(&"a".parse().expect("a host id"), &"p".parse().expect("a plugin")),
            User::named(Role::SetUp, "set-up").expect("a name"),
        ];
        for user in users {
            let text = keys.credentials(&user, Timestamp::UNIX_EPOCH).expect("signs");
            assert_eq!(holder_of(&text), Some((user.role(), user.name().to_owned())));
            assert!(jwt::is_for(&text, &keys, &user), "{user:?}");
        }
        assert_eq!(holder_of("-----BEGIN NATS USER JWT-----"), None);
        assert_eq!(holder_of("snooze user: emperor ada"), None);
    }

    #[test]
    fn no_seed_is_ever_printed() {
        let keys = Keys::generate();
        let seed = keys.account(Account::Centre).seed().expect("it has one");
        assert!(!format!("{keys:?}").contains(&seed));
        let trust = keys.trust(Timestamp::UNIX_EPOCH).expect("signs");
        assert!(!format!("{trust:?}").contains(&seed));
    }
}
