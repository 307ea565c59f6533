//! What an answer of EC2 means for the claim: done, refused for good, or not known.
//!
//! Only a refusal that EC2 itself spelled out, with a status below 500 and a code from the list here,
//! is definite. Everything else that followed a sent request is unknown (rule P2), throttling
//! with status 503 among it: EC2 answers `RequestLimitExceeded` with a 503, and so does whatever stands
//! in front of it, after who knows what. Holding a host that was in truth refused costs some minutes;
//! freeing one whose stop is still on its way could stop it in somebody's hands.

/// The codes with which EC2 says that it did not, and will not, do what was asked
/// (EC2 API Reference, "Error codes for the Amazon EC2 API").
const DEFINITE: [&str; 22] = [
    "AuthFailure",
    "Blocked",
    "DryRunOperation",
    "ExpiredToken",
    "IncorrectInstanceState",
    "IncorrectState",
    "InvalidClientTokenId",
    "InvalidInstanceID",
    "InvalidInstanceID.Malformed",
    "InvalidInstanceID.NotFound",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "MissingAuthenticationToken",
    "OperationNotPermitted",
    "OptInRequired",
    "PendingVerification",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "Throttling",
    "UnauthorizedOperation",
    "UnsupportedHibernationConfiguration",
    "UnsupportedOperation",
];

/// Whether an answer with this status and code is a refusal for good.
pub(super) fn is_definite_refusal(status: u16, code: Option<&str>) -> bool {
    (400..500).contains(&status) && code.is_some_and(|code| DEFINITE.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p1_only_a_spelled_out_refusal_is_definite() {
        assert!(is_definite_refusal(403, Some("UnauthorizedOperation")));
        assert!(is_definite_refusal(400, Some("IncorrectInstanceState")));
        assert!(is_definite_refusal(400, Some("RequestExpired")));
    }

    #[test]
    fn p1_a_server_error_is_unknown_whatever_it_says() {
        for code in [
            None,
            Some("RequestLimitExceeded"),
            Some("UnauthorizedOperation"),
            Some("InternalError"),
        ] {
            assert!(!is_definite_refusal(503, code), "{code:?}");
            assert!(!is_definite_refusal(500, code), "{code:?}");
        }
    }

    #[test]
    fn p1_a_client_error_without_a_known_code_is_unknown() {
        assert!(!is_definite_refusal(400, None));
        assert!(!is_definite_refusal(408, Some("RequestTimeout")));
        assert!(!is_definite_refusal(400, Some("SomethingNew")));
    }

    #[test]
    fn the_list_is_sorted_and_has_no_doubles() {
        assert!(DEFINITE.is_sorted_by(|a, b| a < b));
    }
}
