//! What is taken and what is not, without a network.

mod credentials;
mod modes;
mod secrets;

use http::{HeaderMap, HeaderName, HeaderValue};

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().expect("a header's name");
        (name, HeaderValue::from_str(value).expect("a header's value"))
    };
    list.iter().map(header).collect()
}
