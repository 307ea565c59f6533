//! The secrets of the sources, read once from a folder on this host.
//!
//! `<source>.token` holds bearer tokens of a source, `<source>.hmac` what it signs with; one a line, so that a new one
//! can be there beside the old. A secret is never shown, and comparing one takes the same time whatever was sent.

use ring::{
    hmac::{self, HMAC_SHA256, Key},
    rand::SystemRandom,
};
use snooze_schemas::{InvalidToken, SourceName};
use std::{
    collections::BTreeMap,
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Fewer characters can be guessed.
const SHORTEST: usize = 16;
/// More is no secret but something else.
const LONGEST: usize = 512;
/// All of them; each is looked at for every request.
const MOST: usize = 512;
/// A file that has more bytes is none with a secret a line.
const LARGEST_FILE: u64 = 16 * 1024;
/// Whoever may write one may be that source.
const OTHERS_MAY_READ_OR_WRITE: u32 = 0o006;
const OTHERS_MAY_WRITE: u32 = 0o002;

/// Why secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The folder or a file in it cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not named after a source.
    #[error("{}: a file here is called <source>.token or <source>.hmac", path.display())]
    Name {
        /// Which.
        path: PathBuf,
        /// Why its name is no source's, where that is what is wrong.
        source: Option<InvalidToken>,
    },
    /// A file is of no use; the text never holds a part of it.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// There is no secret at all.
    #[error("{} holds no secret: write <source>.token or <source>.hmac", folder.display())]
    None {
        /// Where.
        folder: PathBuf,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
}

/// All secrets.
#[derive(Clone)]
pub(super) struct Secrets {
    /// Drawn at the start: tokens are kept and compared only as their authentication codes under it.
    own: Key,
    tokens: Vec<(Vec<u8>, SourceName)>,
    signing: BTreeMap<SourceName, Vec<Key>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl Secrets {
    /// Every secret in a folder. Hidden files are left alone.
    pub(super) fn read(folder: &Path) -> Result<Secrets, SecretsError> {
        let own = Key::generate(HMAC_SHA256, &SystemRandom::new()).map_err(|_| SecretsError::NoRandom)?;
        let mut secrets = Secrets {
            own,
            tokens: Vec::new(),
            signing: BTreeMap::new(),
        };
        let mut owners = BTreeMap::new();
        for path in files(folder)? {
            let (source, kind) = owner(&path)?;
            for secret in lines(&path)? {
                let problem = |problem: String| SecretsError::File {
                    path: path.clone(),
                    problem,
                };
                // One secret of two sources would not say who sends.
                let before = owners.insert(secret.clone(), source.clone());
                if before.is_some_and(|before| before != source) {
                    return Err(problem(
                        "it holds the secret of another source; make one for each".to_owned(),
                    ));
                }
                if owners.len() > MOST {
                    return Err(problem(format!(
                        "there are more than {MOST} secrets in this folder"
                    )));
                }
                match kind {
                    Way::Token => {
                        let code = hmac::sign(&secrets.own, secret.as_bytes());
                        secrets.tokens.push((code.as_ref().to_vec(), source.clone()));
                    }
                    Way::Signature => {
                        let key = Key::new(HMAC_SHA256, secret.as_bytes());
                        secrets.signing.entry(source.clone()).or_default().push(key);
                    }
                }
            }
        }
        if owners.is_empty() {
            let folder = folder.to_owned();
            return Err(SecretsError::None { folder });
        }
        Ok(secrets)
    }

    /// Whose token it is.
    pub(super) fn owner_of(&self, token: &[u8]) -> Option<&SourceName> {
        let mut found = None;
        // All of them, so that the time tells nothing.
        for (code, source) in &self.tokens {
            if hmac::verify(&self.own, token, code).is_ok() {
                found = Some(source);
            }
        }
        found
    }

    /// Whether a source has signed a message, here in its parts. For one that is not known it takes as long.
    pub(super) fn has_signed(&self, source: &SourceName, message: &[&[u8]], signature: &[u8]) -> bool {
        let nobodys = std::slice::from_ref(&self.own);
        let keys = self.signing.get(source);
        let mut fits = false;
        for key in keys.map_or(nobodys, Vec::as_slice) {
            let mut signed = hmac::Context::with_key(key);
            message.iter().for_each(|part| signed.update(part));
            // Compared as their codes under a key that nobody knows, so that the time tells nothing.
            let expected = hmac::sign(&self.own, signed.sign().as_ref());
            fits |= hmac::verify(&self.own, signature, expected.as_ref()).is_ok();
        }
        fits && keys.is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Token,
    Signature,
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, SecretsError> {
    let failed = |source| SecretsError::Read {
        path: folder.to_owned(),
        source,
    };
    if fs::metadata(folder).map_err(failed)?.mode() & OTHERS_MAY_WRITE != 0 {
        return Err(SecretsError::File {
            path: folder.to_owned(),
            problem: "everybody on this host may put secrets there: take that away with `chmod o-w`"
                .to_owned(),
        });
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn owner(path: &Path) -> Result<(SourceName, Way), SecretsError> {
    let part = |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str()).map(str::to_owned);
    let wrong = |source| SecretsError::Name {
        path: path.to_owned(),
        source,
    };
    let way = match part(path.extension()).as_deref() {
        Some("token") => Way::Token,
        Some("hmac") => Way::Signature,
        _ => return Err(wrong(None)),
    };
    let name = part(path.file_stem()).ok_or_else(|| wrong(None))?;
    let source = name.parse().map_err(|error| wrong(Some(error)))?;
    Ok((source, way))
}

/// The secrets in one file.
fn lines(path: &Path) -> Result<Vec<String>, SecretsError> {
    let failed = |source| SecretsError::Read {
        path: path.to_owned(),
        source,
    };
    let problem = |problem: String| SecretsError::File {
        path: path.to_owned(),
        problem,
    };
    let about = fs::metadata(path).map_err(failed)?;
    if !about.is_file() || about.len() > LARGEST_FILE {
        return Err(problem(format!("it is no file of {LARGEST_FILE} bytes at most")));
    }
    if about.mode() & OTHERS_MAY_READ_OR_WRITE != 0 {
        return Err(problem(
            "everybody on this host may read or write it: take that away with `chmod o-rw`".to_owned(),
        ));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let secrets: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    let is_secret = |secret: &String| {
        (SHORTEST..=LONGEST).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if secrets.is_empty() || !secrets.iter().all(is_secret) {
        return Err(problem(format!(
            "it holds {SHORTEST} to {LONGEST} printable characters a line; `openssl rand -hex 32` makes such a secret"
        )));
    }
    Ok(secrets)
}
