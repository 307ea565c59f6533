//! Whether an error of AWS says that whoever asked is not allowed to.

/// Whether this is one of the codes by which services deny.
pub(crate) fn is_denied(code: Option<&str>) -> bool {
    // SQS and EventBridge, their older spellings, and what the signature's check says.
    const DENIED: [&str; 6] = [
        "AccessDenied",
        "AccessDeniedException",
        "NotAuthorized",
        "UnauthorizedOperation",
        "AuthorizationError",
        "AuthorizationErrorException",
    ];
    code.is_some_and(|code| DENIED.contains(&code))
}
