//! What a call's arguments may be compared with. It knows no calls.

use seccompiler::{
    BackendError, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition, SeccompRule,
};

type Condition = Result<SeccompCondition, BackendError>;

pub(super) fn is(argument: u8, value: i32) -> Condition {
    SeccompCondition::new(argument, Length::Dword, Is::Eq, value.cast_unsigned().into())
}

pub(super) fn not(argument: u8, value: i32) -> Condition {
    SeccompCondition::new(argument, Length::Dword, Is::Ne, value.cast_unsigned().into())
}

pub(super) fn masked(argument: u8, mask: u64, value: u64) -> Condition {
    SeccompCondition::new(argument, Length::Dword, Is::MaskedEq(mask), value)
}

/// A rule of one condition.
pub(super) fn alone(condition: Condition) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![condition?])
}

/// A rule that takes all these bits.
pub(super) fn flag(argument: u8, flag: i32) -> Result<SeccompRule, BackendError> {
    let flag = u64::from(flag.cast_unsigned());
    alone(masked(argument, flag, flag))
}

/// A rule that takes this whole value.
pub(super) fn equal(argument: u8, value: u64) -> Result<SeccompRule, BackendError> {
    alone(SeccompCondition::new(argument, Length::Dword, Is::Eq, value))
}
