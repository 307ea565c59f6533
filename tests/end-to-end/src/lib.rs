//! Empty: this crate is its tests, which run the workspace's programs as a person or a service manager does.
