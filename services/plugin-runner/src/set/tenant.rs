//! One plugin that runs: its process, what is served of it on the bus, and how both end.
//!
//! It is never started twice: what is to run instead is another one.

use super::{HouseError, Member, Parts};
use crate::{
    fence::{ControlGroups, Fence},
    guest::Seat,
    hosting,
    plugin::{Plugin, Runtime},
    plugins::{Hosted, fingerprint},
    process::Program,
    stdio::{Settings, StdioPlugin},
};
use snooze_schemas::PluginName;
use snooze_service_runtime::CancellationToken;
use std::sync::Arc;

/// One plugin that runs.
#[derive(Debug)]
pub(super) struct Tenant {
    /// What it was started as.
    pub member: Member,
    /// What the others know of it.
    pub hosted: Hosted,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Tenant {
    /// One that does not run yet. Another generation is another voter (T3).
    pub(super) fn new(
        parts: &Parts,
        control_groups: Arc<Result<ControlGroups, String>>,
        member: Member,
        generation: u64,
        seat: Arc<Seat>,
    ) -> Tenant {
        let (found, config) = (&member.found, &parts.config);
        tracing::info!(plugin = %found.name, path = %found.path.display(), "a plugin was found");
        let program = Program {
            path: found.path.clone(),
            search_path: config.search_path.clone(),
            home: config.plugin_home().join(found.name.as_str()),
            fence: Some(Fence {
                plugin: found.name.clone(),
                folder: found
                    .manifest
                    .as_ref()
                    .map(|manifest| manifest.folder().to_owned()),
                package: found.package.clone(),
                permissions: member.grant.permissions.clone(),
                config: Arc::new(config.fence.clone()),
                control_groups,
            }),
        };
        let settings = Settings {
            program,
            name: found.name.clone(),
            manifest: found.manifest.clone(),
            handshake_limit: config.handshake_limit,
            restarts: config.restarts,
        };
        let process = StdioPlugin::granted(settings, parts.plugins.configs(), member.grant.clone(), seat);
        let hosted = Hosted {
            plugin: Plugin::new(Runtime::Process(process.clone())),
            process,
            terms: fingerprint(&format!("{:?} {generation}", member.identity)),
        };
        Tenant {
            member,
            hosted,
            stop: parts.shutdown.child_token(),
            ended: CancellationToken::new(),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &PluginName {
        &self.member.found.name
    }

    /// Ends it, and returns what says when it has ended.
    pub(super) fn end(self) -> CancellationToken {
        self.stop.cancel();
        self.ended
    }

    /// Runs it until it is to end, once the one before has ended.
    pub(super) fn live(
        &self,
        parts: &Parts,
        before: Option<CancellationToken>,
    ) -> impl Future<Output = (Arc<StdioPlugin>, Result<(), HouseError>)> + Send + 'static {
        let process = self.hosted.process.clone();
        let serving = hosting::host(
            parts.bus.clone(),
            parts.config.host.clone(),
            self.hosted.plugin.clone(),
            process.clone(),
            parts.directory.clone(),
            self.stop.clone(),
        );
        let (stop, ended) = (self.stop.clone(), self.ended.clone().drop_guard());
        async move {
            if let Some(before) = before {
                before.cancelled().await;
            }
            let supervising = supervise(process.clone(), stop);
            let (supervised, served) = tokio::join!(supervising, serving);
            let served = served.map_err(|source| HouseError::Serve {
                plugin: process.name(),
                source,
            });
            drop(ended);
            (process, supervised.and(served))
        }
    }
}

/// Keeps a process running until it is told to stop, and ends it then.
async fn supervise(process: Arc<StdioPlugin>, stop: CancellationToken) -> Result<(), HouseError> {
    let supervised = process.clone().supervise();
    tokio::pin!(supervised);
    tokio::select! {
        () = &mut supervised => return Err(HouseError::Unsupervised(process.name())),
        () = stop.cancelled() => process.stop(),
    }
    supervised.await;
    Ok(())
}
