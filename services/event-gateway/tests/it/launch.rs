//! A host tells the centre in which launch of its instance it is.

use crate::{
    centre::{LIMIT, host},
    noticing::Place,
};
use snooze_bus::{Bus, BusConfig, BusStatus, Role, SubjectFilter, User};
use snooze_event_gateway::source::aws_metadata::Settings;
use snooze_schemas::host::Hello;
use snooze_test_harness::{ImdsServer, NatsServer, TcpProxy, wait_until};
use tokio::time::timeout;

const DOCUMENT: &str = "/latest/dynamic/instance-identity/document";
const LAUNCH: &str = "2030-01-01T00:00:00Z";

#[tokio::test]
async fn e1_a_host_says_its_launch_at_the_start_and_whenever_the_bus_is_back() {
    let server = NatsServer::with_roles().await;
    let metadata = ImdsServer::start().await;
    let document = format!(r#"{{"instanceId": "i-0", "instanceType": "t", "pendingTime": "{LAUNCH}"}}"#);
    metadata.announce(DOCUMENT, &document);
    let executor = User::named(Role::Executor, "executor").expect("a name");
    let executor = server.bus(&executor).await;
    let hellos = executor.subscribe(&SubjectFilter::AllHello, None).await;
    let mut hellos = hellos.expect("listens");
    executor.flush(LIMIT).await.expect("the server knows");

    let line = TcpProxy::start(server.address()).await;
    let through = BusConfig {
        servers: format!("nats://{}", line.address()),
        ..server.bus_config(&User::host(&host("h1")))
    };
    let bus = Bus::begin(through).await.expect("nobody is waited for");
    let status = bus.status();
    let settings = Settings {
        endpoint: metadata.url(),
        ..Settings::default()
    };
    let place = Place::new();
    let gateway = place.gateway_with(bus, Some(settings));
    for round in 0..2 {
        let heard = timeout(LIMIT, hellos.next()).await;
        let heard = heard.expect("in time").expect("the connection stands");
        assert_eq!(heard.subject().host(), Some(&host("h1")));
        let hello: Hello = heard.read().expect("a hello");
        assert_eq!(hello.launch.as_deref(), Some(LAUNCH), "{round}");
        if round == 0 {
            line.cut();
            let is_lost = async || *status.borrow() == BusStatus::Disconnected;
            wait_until(LIMIT, "the connection is lost", is_lost).await;
            line.mend();
        }
    }
    gateway.end().await;
}
