//! What EventBridge and Auto Scaling put into a queue of moto's, by a real bus to the host that it concerns.

#[cfg(feature = "aws")]
mod filed;
#[cfg(feature = "aws")]
mod hooks;
#[cfg(feature = "aws")]
mod place;
#[cfg(feature = "aws")]
mod refused;
#[cfg(not(feature = "aws"))]
mod without;
