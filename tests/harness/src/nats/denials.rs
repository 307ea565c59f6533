//! A server that changes its mind, while it runs, about whom it lets in and what it allows.

use super::{NatsServer, new_folder, open_settings, settings_of_the_product, write_settings};
use rustix::process::{Pid, Signal, kill_process};
use snooze_bus::{Keys, Role, User};
use snooze_schemas::Timestamp;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

impl NatsServer {
    /// As [`with_roles`](NatsServer::with_roles), with keys that a test can change one by one.
    ///
    /// # Panics
    /// As [`with_roles`](NatsServer::with_roles).
    pub async fn with_kept_keys() -> NatsServer {
        let folder = new_folder();
        let keys = Keys::open(&kept_keys(folder.path())).expect("keys can be kept in the temporary folder");
        let settings = settings_of_kept_keys(folder.path(), &keys);
        NatsServer::start(folder, &settings, Some(keys)).await
    }

    /// Revokes the credentials of a role, all of them, by giving it another key: who is connected is turned away.
    /// [`credentials`](NatsServer::credentials) renews a user's, in the same file.
    ///
    /// # Panics
    /// On a server without [kept keys](NatsServer::with_kept_keys).
    pub fn revoke(&mut self, role: Role) {
        let folder = kept_keys(self.folder());
        fs::remove_file(folder.join(format!("role-{role}.nk"))).expect("the role has a key that is kept");
        let keys = Keys::open(&folder).expect("the others are still there");
        write_settings(self.folder(), &settings_of_kept_keys(self.folder(), &keys));
        self.keys = Some(keys);
        self.reload();
    }

    /// The text of credentials that run out after so long, in whole seconds.
    ///
    /// # Panics
    /// On a server without roles.
    #[must_use]
    pub fn credentials_for(&self, user: &User, lasting: Duration) -> String {
        let keys = self.keys.as_ref().expect("only a server with roles knows users");
        let now = Timestamp::now();
        keys.credentials_until(user, now, now + lasting)
            .expect("the keys can sign")
    }

    /// As [`open`](NatsServer::open), but that nobody may publish or subscribe to these.
    ///
    /// # Panics
    /// As [`open`](NatsServer::open).
    pub async fn denying(publish: &[&str], subscribe: &[&str]) -> NatsServer {
        let folder = new_folder();
        let fence = format!(
            "authorization {{ users: [{{ user: anybody, password: none, permissions: {{ \
             publish: {{ deny: {publish:?} }}, subscribe: {{ deny: {subscribe:?} }} }} }}] }}\n\
             no_auth_user: anybody\n"
        );
        let text = open_settings(folder.path(), "") + &fence;
        NatsServer::start(folder, &text, None).await
    }

    /// Denies nothing any more. Who is connected stays so, and is not told.
    ///
    /// # Panics
    /// On a server that is none of [`denying`](NatsServer::denying).
    pub fn deny_nothing(&self) {
        assert!(self.keys.is_none(), "roles are fenced by their keys");
        let fence = "authorization { users: [{ user: anybody, password: none }] }\nno_auth_user: anybody\n";
        write_settings(self.folder(), &(open_settings(self.folder(), "") + fence));
        self.reload();
    }

    /// Has it read its configuration again, which takes it a moment.
    fn reload(&self) {
        let id = i32::try_from(self.id()).expect("a process id is no larger");
        let id = Pid::from_raw(id).expect("a process id is never 0");
        kill_process(id, Signal::HUP).expect("one's own child can be signalled");
    }
}

/// A running server takes other accounts, but no other operator, whose claims therefore stay those of one time.
fn settings_of_kept_keys(folder: &Path, keys: &Keys) -> String {
    let issued_at = Timestamp::from_second(1_700_000_000).expect("it is in the range");
    settings_of_the_product(folder, keys, issued_at)
}

fn kept_keys(folder: &Path) -> PathBuf {
    folder.join("keys")
}
