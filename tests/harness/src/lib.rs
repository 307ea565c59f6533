//! Starts the real servers that tests talk to, and waits for what tests wait for. Never a mock, and
//! never a server that outlives its test.
//!
//! - [`NatsServer::open`]: a nats-server with JetStream that fences nobody;
//!   [`url`](NatsServer::url) is what a client connects to.
//! - [`NatsServer::with_roles`]: the product's own configuration, every role behind its fence;
//!   [`credentials`](NatsServer::credentials) gives the file of a [`User`](snooze_bus::User).
//! - [`NatsServer::bus`]: a connection of a user, on either kind of server.
//! - [`NatsServer::kill`] and [`NatsServer::restart`]: a crash, and the way back on the same port with
//!   the same store; for tests of blips.
//! - [`MotoServer::start`]: moto as EC2, SQS, SNS and EventBridge; [`Ec2Proxy::before`] it delays, drops, applies late,
//!   throttles, refuses and resets.
//! - [`MotoServer::api`]: the services of AWS that speak JSON, past our own code; [`AwsFront::before`] it refuses,
//!   throttles and loses answers.
//! - [`Ec2Metadata`]: AWS's own mock of the instance metadata service; [`ImdsServer`]: one that is slow, breaks
//!   off, refuses and forgets.
//! - [`Process`]: one of our own programs, to be killed.
//! - [`wait_until`] and [`wait_for`]: look again and again, with a limit and a name for what is awaited.
//! - [`Redis`]; [`Nginx`]; [`OtlpReceiver`], which shows the spans that it received.
//! - [`TcpProxy`]: a line that can be cut, held and slowed down.
//! - [`fill_disk_of`] and [`free_disk_of`]: a process that has no room for what it writes, and has it again.
//! - [`ScalingApi`]: what of Auto Scaling moto lacks: the two calls that answer a lifecycle hook.
//! - [`AzureMetadata`] and [`GcpMetadata`]: what these clouds tell a machine about itself, steered by the test.
//! - [`nats_cli`]: the public `nats` tool, to see what people see.
//! - [`python()`]: the interpreter with nats-py, redis and boto3, for plugins and for looking into moto.
//!
//! All servers listen on loopback, on free ports. A program that is missing fails the test with a
//! message that says how to install it.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start real servers, and wait by the real clock"
)]

mod aws_front;
mod disk;
mod ec2_metadata;
mod ec2_proxy;
mod listening;
mod moto;
mod nats;
mod nginx;
mod otlp;
mod process;
mod proxy;
mod redis;
mod wait;

pub use aws_front::{AwsFront, FrontAnswer};
pub use disk::{fill_disk_of, free_disk_of};
pub use ec2_metadata::Ec2Metadata;
pub use ec2_proxy::{Ec2Call, Ec2Fault, Ec2Proxy, GaveUp};
pub use moto::{InQueue, MotoServer};
pub use nats::NatsServer;
pub use nginx::Nginx;
pub use otlp::{OtlpReceiver, ReceivedSpan};
pub use process::{Process, nats_cli, nats_server, python, search_path};
pub use proxy::TcpProxy;
pub use redis::Redis;
pub use snooze_fake_metadata::{
    AzureMetadata, GcpMetadata, ImdsAnswer, ImdsRequest, ImdsServer, MetadataFault, MetadataQuestion,
    ScalingApi, ScalingCall, azure_event,
};
pub use wait::{wait_for, wait_until};
