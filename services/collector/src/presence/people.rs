//! People at work here (rule S10): sessions with a sign of life within the input threshold.
//!
//! | session | sign of life | source |
//! |---|---|---|
//! | SSH, mosh, console, serial console, `docker exec -it`'s caller | something was typed | the terminal's access time |
//! | tmux, screen, zellij | something was typed at the client's terminal; its panes are not counted besides | the same |
//! | desktop (X11, Wayland, VNC) | input | [`desktops`] |
//! | remote IDE (VS Code, Cursor, JetBrains, …) | a client is connected | [`sockets`] |
//! | notebook | a client is connected, and something was run or saved | [`sockets`], [`notebooks`] |
//!
//! Not people: processes without a terminal (CI jobs, cron, services), `ssh host command`, tunnels and
//! file transfers, kernels that compute with nobody connected; other voters see what they use. A shell in
//! a container that was entered from another machine is seen as long as its terminal is in this machine's
//! `/dev/pts`.

use super::{
    desktops,
    notebooks::{self, Notebooks},
    processes::{self, Process, Processes},
    programs::Program,
    sockets,
    terminals::Terminals,
    vantage,
};
use crate::{Root, Unreadable, reading::Value};
use snooze_schemas::sample::Unit;
use snooze_service_runtime::clocks::Look;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// Programs whose children's terminals are views of another terminal.
const MULTIPLEXERS: [&str; 6] = ["tmux", "screen", "SCREEN", "zellij", "dtach", "abduco"];

/// Programs that wait at a terminal for somebody to log in.
const GETTYS: [&str; 4] = ["agetty", "getty", "mingetty", "sulogin"];

/// What was seen of people so far.
#[derive(Debug)]
pub(crate) struct People {
    root: Root,
    terminals: Terminals,
    processes: Processes,
    notebooks: Notebooks,
    buffer: Vec<u8>,
}

impl People {
    pub(crate) fn new(root: Root) -> People {
        People {
            root,
            terminals: Terminals::default(),
            processes: Processes::default(),
            notebooks: Notebooks::default(),
            buffer: Vec::new(),
        }
    }

    /// Counts them.
    pub(crate) fn look(&mut self, at: Look, threshold: Duration) -> Result<Value, Unreadable> {
        let threshold_ms = u64::try_from(threshold.as_millis()).unwrap_or(u64::MAX);
        // Just booted: nothing that is older than the boot is a sign of life, so 0 means never.
        let alive =
            |active_at: u64| active_at > 0 && at.boottime_ms.saturating_sub(active_at) <= threshold_ms;
        vantage::check(&self.root, &mut self.buffer)?;
        let processes = self.processes.look(&self.root, at)?.to_vec();
        self.terminals.look(&self.root, at)?;
        let typed = self.terminals.active().filter(|(_, active_at)| alive(*active_at));
        let typed: Vec<String> = typed.map(|(name, _)| name.to_owned()).collect();
        let mut count = self.at_terminals(&typed)?;
        count += desktops::look(&self.root, at)?
            .iter()
            .filter(|desktop| alive(desktop.active_at))
            .count();
        count += self.in_ides(&processes)?;
        if self.in_notebooks(&processes, at, alive)? {
            count += 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "there are not 2^52 people")]
        Ok(Value::new(count as f64, Unit::Count))
    }

    /// The terminals at which somebody typed, without the panes of multiplexers and without login prompts.
    fn at_terminals(&mut self, typed: &[String]) -> Result<usize, Unreadable> {
        if typed.is_empty() {
            return Ok(0);
        }
        let mut leaders: HashMap<String, (String, u32)> = HashMap::new();
        for entry in self.root.list("proc")? {
            let Ok(pid) = entry.name.parse::<u32>() else {
                continue;
            };
            if let Some(status) = processes::status(&self.root, pid, &mut self.buffer)?
                && status.session == pid
                && let Some(terminal) = status.terminal
            {
                leaders.insert(terminal, (status.name, status.parent));
            }
        }
        let (mut people, mut panes) = (0, 0);
        for terminal in typed {
            match leaders.get(terminal) {
                Some((name, _)) if GETTYS.contains(&name.as_str()) => {}
                Some((_, parent)) if self.is_multiplexer(*parent)? => panes += 1,
                // Without a leader the session has just ended, or its processes are elsewhere: somebody typed.
                _ => people += 1,
            }
        }
        // A pane that was typed in has a client somewhere, be it one that is not seen.
        Ok(if people == 0 {
            usize::from(panes > 0)
        } else {
            people
        })
    }

    fn is_multiplexer(&mut self, pid: u32) -> Result<bool, Unreadable> {
        let status = processes::status(&self.root, pid, &mut self.buffer)?;
        Ok(status.is_some_and(|status| {
            // tmux calls its server `tmux: server`.
            let first = status.name.split(':').next().unwrap_or_default();
            MULTIPLEXERS.contains(&first)
        }))
    }

    /// The IDEs with a client, each kind once.
    fn in_ides(&mut self, processes: &[Process]) -> Result<usize, Unreadable> {
        let mut kinds: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for process in processes {
            if let Program::Ide(kind) = process.program {
                kinds.entry(kind).or_default().push(process.pid);
            }
        }
        let mut count = 0;
        for pids in kinds.values() {
            count += usize::from(sockets::has_client(&self.root, pids, &mut self.buffer)?);
        }
        Ok(count)
    }

    fn in_notebooks(
        &mut self,
        processes: &[Process],
        at: Look,
        alive: impl Fn(u64) -> bool,
    ) -> Result<bool, Unreadable> {
        let of = |program| processes.iter().filter(move |process| process.program == program);
        let servers: Vec<Process> = of(Program::NotebookServer).cloned().collect();
        let kernels: Vec<Process> = of(Program::NotebookKernel).cloned().collect();
        let buffer = &mut self.buffer;
        let computed_at = self.notebooks.computed_at(&self.root, at, &kernels, buffer)?;
        let pids: Vec<u32> = servers.iter().map(|process| process.pid).collect();
        if pids.is_empty() || !sockets::has_client(&self.root, &pids, buffer)? {
            return Ok(false);
        }
        if alive(computed_at) {
            return Ok(true);
        }
        let users = [servers, kernels].concat();
        notebooks::saved_at(&self.root, at, &users, buffer).map(alive)
    }
}
