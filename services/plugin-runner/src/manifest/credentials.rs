//! What well-known credentials look like, whatever the key is called that one is given for.
//!
//! It knows public forms alone, and takes no word with too little behind its beginning for one: a text may speak of
//! tokens. It asks nobody whether one is good, and shows none.

/// How a word begins, and how much has to follow at least: by what those say who hand them out (GitHub, GitLab, Slack,
/// Stripe, npm, Hugging Face, Google).
const BEGINNINGS: [(&str, usize); 18] = [
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxe-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("npm_", 30),
    ("hf_", 30),
    ("AIza", 30),
];

/// AWS access key ids, of a user and of a session ("IAM identifiers"): so many capitals and digits are behind that.
const AWS: [&str; 2] = ["AKIA", "ASIA"];
const AWS_REST: usize = 16;

/// PEM (RFC 7468) and what NATS writes in the same frame.
const FRAME: &str = "-----BEGIN ";
const FRAMED: [&str; 3] = ["PRIVATE KEY", "USER JWT", "NKEY SEED"];

/// Whether a text is or holds what looks like a credential.
#[must_use]
pub fn holds_credential(text: &str) -> bool {
    let is_framed = |frame: &str| {
        let label = frame.split_once("-----").map_or(frame, |(label, _)| label);
        FRAMED.iter().any(|framed| label.contains(framed))
    };
    if text.split(FRAME).skip(1).any(is_framed) {
        return true;
    }
    let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut words = text.split(|c| !is_inside(c));
    words.any(|word| {
        BEGINNINGS
            .iter()
            .any(|(beginning, rest)| word.strip_prefix(beginning).is_some_and(|end| end.len() >= *rest))
            || AWS
                .iter()
                .any(|beginning| word.strip_prefix(beginning).is_some_and(is_aws))
            || is_jwt(word)
    })
}

fn is_aws(rest: &str) -> bool {
    rest.len() == AWS_REST && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// RFC 7519: three parts in base64url, of which the first two are JSON objects, whose `{"` is `eyJ` there.
fn is_jwt(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let [header, claims, _] = parts.as_slice() else {
        return false;
    };
    [header, claims]
        .iter()
        .all(|part| part.starts_with("eyJ") && part.len() > 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made up here, so that nobody who looks for leaked ones finds any in this file.
    fn made(beginning: &str, rest: usize) -> String {
        format!(
            "{beginning}{}",
            "A1".repeat(rest).get(..rest).expect("it is long enough")
        )
    }

    #[test]
    fn i4_a_well_known_credential_is_seen_alone_and_within_a_text() {
        let jwt = format!("{}.{}.{}", made("eyJ", 20), made("eyJ", 40), made("", 43));
        let pem = |label: &str| format!("-----BEGIN {label}-----\nMIIB\n-----END {label}-----");
        let mut all: Vec<String> = BEGINNINGS
            .iter()
            .map(|(beginning, rest)| made(beginning, *rest))
            .collect();
        all.extend(AWS.map(|beginning| made(beginning, AWS_REST)));
        all.extend([
            jwt,
            pem("RSA PRIVATE KEY"),
            pem("PRIVATE KEY"),
            pem("USER NKEY SEED"),
        ]);
        for text in &all {
            assert!(holds_credential(text), "{text}");
            for around in [
                format!("Bearer {text}"),
                format!("https://h/?q={text}&a=1"),
                format!("\"{text}\","),
            ] {
                assert!(holds_credential(&around), "{around}");
            }
        }
    }

    #[test]
    fn a_text_that_only_speaks_of_one_is_none() {
        for text in [
            "",
            "ghp_ tokens are counted",
            "npm_config_registry",
            "hf_hub",
            "xoxb-",
            "AKIAlower00000000000",
            "the AKIA prefix",
            "eyJ.eyJ.",
            "a.b.c",
            "registry.example.com",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "nats://demo.nats.io:4222",
        ] {
            assert!(!holds_credential(text), "{text}");
        }
        let (short, long) = (made("AKIA", AWS_REST - 1), made("AKIA", AWS_REST + 1));
        assert!(!holds_credential(&short) && !holds_credential(&long));
    }
}
