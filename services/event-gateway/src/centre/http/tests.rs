//! What is taken and what is not, without a network.

mod credentials;
mod modes;
mod secrets;

use super::{BODIES_BYTES, Limits, limits_for};
use http::{HeaderMap, HeaderName, HeaderValue};

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().expect("a header's name");
        (name, HeaderValue::from_str(value).expect("a header's value"))
    };
    list.iter().map(header).collect()
}

#[test]
fn all_bodies_together_are_bounded_however_large_one_may_be() {
    for most in [1, 1_024, 1 << 20, 4 << 20] {
        let limits = limits_for(most);
        assert!((1..=Limits::default().connections).contains(&limits.connections));
        assert!(limits.connections * most <= BODIES_BYTES);
    }
}
