//! Files that hold secrets: readable by their owner alone, whole or not there at all.

use super::CredentialsError;
use nkeys::{KeyPair, KeyPairType};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Makes a folder that only its owner may enter, where there is none.
pub(super) fn private_folder(path: &Path) -> Result<(), CredentialsError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| CredentialsError::MakeFolder {
            path: path.to_owned(),
            source,
        })
}

/// The key in a file; a new one, kept there, where there is no file.
pub(super) fn key(path: &Path, kind: KeyPairType) -> Result<KeyPair, CredentialsError> {
    let name = match kind {
        KeyPairType::Operator => "operator",
        _ => "account",
    };
    let parse = |source| CredentialsError::ParseKey {
        path: path.to_owned(),
        kind: name,
        source,
    };
    let Some(text) = read_private(path)? else {
        let key = KeyPair::new(kind);
        let seed = key.seed().map_err(|source| parse(Some(source)))?;
        write_private(path, &format!("{seed}\n"))?;
        return Ok(key);
    };
    let key = KeyPair::from_seed(text.trim()).map_err(|source| parse(Some(source)))?;
    if key.key_pair_type() == kind {
        Ok(key)
    } else {
        Err(parse(None))
    }
}

/// The text of a file that nobody else can read; nothing where there is no file.
pub(super) fn read_private(path: &Path) -> Result<Option<String>, CredentialsError> {
    let read = || -> io::Result<(u32, String)> {
        let mode = fs::metadata(path)?.permissions().mode() & 0o777;
        Ok((mode, fs::read_to_string(path)?))
    };
    match read() {
        Ok((mode, _)) if mode & 0o077 != 0 => Err(CredentialsError::ReadableByOthers {
            path: path.to_owned(),
            mode,
        }),
        Ok((_, text)) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CredentialsError::ReadFile {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Replaces a file as a whole, synced, so that a crash leaves the old one or the new one.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), CredentialsError> {
    let write = || -> io::Result<()> {
        let draft = path.with_extension("new");
        match fs::remove_file(&draft) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|source| CredentialsError::WriteFile {
        path: path.to_owned(),
        source,
    })
}

/// A user's claims and seed in the form that every NATS client reads.
pub(super) fn creds_text(token: &str, holder: &str, seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         ************************* IMPORTANT *************************\n\
         Whoever has the seed below can act as this user. Keep it secret.\n\
         {holder}\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n\n\
         *************************************************************\n"
    )
}
