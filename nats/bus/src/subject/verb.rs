//! The last tokens of request subjects: what is asked of a plugin, a runner, the executors, the gateways.

use std::{fmt, str::FromStr};

/// A last token that nobody answers to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of {1}")]
pub struct UnknownVerb(pub String, pub &'static str);

macro_rules! verbs {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $type {
            /// All of them.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// As a subject token.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownVerb;

            fn from_str(text: &str) -> Result<Self, UnknownVerb> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err(UnknownVerb(
                        other.chars().take(80).collect(),
                        concat!($($text, " "),+),
                    )),
                }
            }
        }
    };
}

verbs! {
    /// What a plugin is asked.
    PluginMethod {
        /// Who are you?
        Info = "info",
        /// Is the host idle, as far as you know?
        CheckIdle = "check_idle",
        /// Handle this event.
        HandleEvent = "handle_event",
        /// Which events can you handle?
        SupportedEvents = "supported_events",
        /// Take this configuration.
        Configure = "configure",
        /// Begin.
        Initialize = "initialize",
        /// End.
        Shutdown = "shutdown",
    }
}

verbs! {
    /// What a host's runner is asked.
    RunnerVerb {
        /// You are about to be stopped.
        Prepare = "prepare",
        /// Measure anew and ask every voter again.
        Verify = "verify",
        /// You will not be stopped after all.
        Cancel = "cancel",
        /// Handle this event.
        HandleEvent = "handle_event",
        /// Which plugins have you?
        Plugins = "plugins",
        /// Are you well?
        Check = "check",
        /// What did a plugin say?
        Logs = "logs",
        /// What was counted?
        Stats = "stats",
        /// How far is this event?
        Progress = "progress",
        /// Would this configuration do?
        Validate = "validate",
        /// Start a plugin anew.
        Reload = "reload",
        /// Start a plugin.
        Load = "load",
        /// Stop a plugin.
        Unload = "unload",
    }
}

verbs! {
    /// What people ask of the executors.
    OpsVerb {
        /// Keep a host awake until a time.
        Lease = "lease",
        /// Do not stop a host before a time.
        Postpone = "postpone",
        /// Stop nothing until a thaw.
        Freeze = "freeze",
        /// Open the kill switch again.
        Thaw = "thaw",
        /// Start a host again.
        Wake = "wake",
        /// What is known of a host, or of all?
        Query = "query",
    }
}

verbs! {
    /// What people ask of the gateways.
    GatewayVerb {
        /// Dispatch an event once more.
        Replay = "replay",
    }
}
