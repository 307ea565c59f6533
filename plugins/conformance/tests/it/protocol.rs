//! The examples of plugins/PROTOCOL.md hold: they are of the wire's types, and a real plugin answers so.
