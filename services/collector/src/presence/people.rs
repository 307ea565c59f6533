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
    terminals::{Active, Terminals, Times},
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

/// The leader of a session that has a terminal.
#[derive(Debug)]
struct Leader {
    name: String,
    parent: u32,
}

/// Who is at a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtTerminal {
    Nobody,
    Pane,
    Somebody,
}

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
        let typed: Vec<Active> = self
            .terminals
            .active()
            .filter(|terminal| alive(terminal.active_at))
            .collect();
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
    fn at_terminals(&mut self, typed: &[Active]) -> Result<usize, Unreadable> {
        if typed.is_empty() {
            return Ok(0);
        }
        let leaders = self.leaders()?;
        let (mut people, mut panes) = (0, 0);
        for terminal in typed {
            match self.at_terminal(terminal, leaders.get(&terminal.name))? {
                AtTerminal::Nobody => {}
                AtTerminal::Pane => panes += 1,
                AtTerminal::Somebody => people += 1,
            }
        }
        // A pane that was typed in has a client somewhere, be it one that is not seen.
        Ok(if people == 0 {
            usize::from(panes > 0)
        } else {
            people
        })
    }

    /// Who is at a terminal that was typed at, going by the leaders of its sessions.
    fn at_terminal(
        &mut self,
        terminal: &Active,
        leaders: Option<&Vec<Leader>>,
    ) -> Result<AtTerminal, Unreadable> {
        let Some(leaders) = leaders else {
            return Ok(match terminal.times {
                // A console that the kernel made, and that nobody has as a terminal or ever had.
                Times::OfItsMaking if !terminal.name.starts_with("pts/") => AtTerminal::Nobody,
                // The session has just ended, or its processes are elsewhere: somebody typed.
                _ => AtTerminal::Somebody,
            });
        };
        let mut at_work = leaders
            .iter()
            .filter(|leader| !GETTYS.contains(&leader.name.as_str()))
            .peekable();
        if at_work.peek().is_none() {
            return Ok(AtTerminal::Nobody);
        }
        for leader in at_work {
            if !self.is_multiplexer(leader.parent)? {
                return Ok(AtTerminal::Somebody);
            }
        }
        Ok(AtTerminal::Pane)
    }

    /// The leaders of all sessions that have a terminal. A terminal may have several: containers number
    /// theirs from 0 as well.
    fn leaders(&mut self) -> Result<HashMap<String, Vec<Leader>>, Unreadable> {
        let mut leaders: HashMap<String, Vec<Leader>> = HashMap::new();
        for entry in self.root.list("proc")? {
            let Ok(pid) = entry.name.parse::<u32>() else {
                continue;
            };
            if let Some(status) = processes::status(&self.root, pid, &mut self.buffer)?
                && status.session == pid
                && let Some(terminal) = status.terminal
            {
                let (name, parent) = (status.name, status.parent);
                leaders.entry(terminal).or_default().push(Leader { name, parent });
            }
        }
        Ok(leaders)
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
