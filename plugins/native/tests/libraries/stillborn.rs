//! Panics while it is opened: for the tests.

use snooze_native::Exported;

fn never() -> Exported {
    panic!("not today")
}

snooze_native::export!(never());
