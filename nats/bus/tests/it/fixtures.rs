//! The codec reads the golden messages that every SDK shares, and what it writes reads the same.

use serde::{Serialize, de::DeserializeOwned};
use snooze_bus::{Format, decode, encode};
use snooze_schemas::{audit, event, host, ops, plugin, policy, roster, sample, verdict};
use std::{fmt::Debug, fs, path::Path};

fn fixture(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/fixtures");
    fs::read(folder.join(file)).unwrap_or_else(|cause| panic!("{file}: {cause}"))
}

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str) {
    let from_json: T = decode(&fixture(&format!("{name}.json"))).expect(name);
    let from_packed: T = decode(&fixture(&format!("{name}.msgpack"))).expect(name);
    assert_eq!(from_json, from_packed, "{name}");
    for format in [Format::MessagePack, Format::Json] {
        let written = encode(&from_json, format).expect(name);
        assert_eq!(Format::of(&written).expect(name), format, "{name}");
        assert_eq!(decode::<T>(&written).expect(name), from_json, "{name}");
    }
}

#[test]
fn golden_messages_are_read_in_both_formats() {
    check::<sample::Sample>("sample");
    check::<verdict::Verdict>("verdict");
    check::<host::Hello>("hello");
    check::<host::Prepare>("prepare");
    check::<host::Prepared>("prepared");
    check::<host::Verify>("verify");
    check::<host::Verified>("verified");
    check::<host::Cancel>("cancel");
    check::<plugin::CheckIdle>("check_idle");
    check::<plugin::CheckIdleResult>("check_idle_result");
    check::<plugin::PluginInfo>("plugin_info");
    check::<event::Event>("event");
    check::<event::HandleEvent>("handle_event");
    check::<event::Accepted>("accepted");
    check::<event::HandlerResult>("handler_result");
    check::<event::CustomEvent>("custom");
    check::<event::DeadEvent>("dead");
    check::<audit::AuditRecord>("audit");
    check::<ops::LeaseRequest>("lease");
    check::<ops::FreezeRequest>("freeze");
    check::<ops::WakeRequest>("wake");
    check::<policy::ConfigLayer>("config_layer");
    check::<roster::RosterRecord>("roster");
}
