//! Shows news to a person until it is over: on the terminal as a screen, elsewhere as lines.

use super::{
    model::{Model, News},
    narrator::Narrator,
    output::Output,
    screen,
    terminal::{Terminal, TerminalLook},
};
use snooze_service_runtime::{CancellationToken, Clocks};
use std::{io, time::Duration};
use tokio::sync::mpsc;

/// How often ages on the screen move on though nothing was heard.
const REDRAW: Duration = Duration::from_millis(500);

/// How often an output that is no terminal is told how things stand though nothing changed, where somebody
/// watches.
pub const STANDING: Duration = Duration::from_secs(5);

/// What a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// End the program.
    Quit,
    /// Start the instance again.
    Wake,
}

/// What is shown, where it comes from and where keys go.
#[derive(Debug)]
pub struct Show {
    /// What is known so far.
    pub model: Model,
    /// What is heard.
    pub news: mpsc::Receiver<News>,
    /// Where keys go.
    pub keys: mpsc::Sender<Key>,
    /// The viewer's own clock.
    pub clocks: Clocks,
    /// What may be used of the terminal.
    pub look: TerminalLook,
    /// How often an output that is no terminal is told how things stand though nothing changed.
    pub standing_every: Duration,
}

/// How the view ended.
#[derive(Debug)]
pub struct Ended {
    /// What it knew at the end.
    pub model: Model,
    /// Whether it was shown on a screen of its own, which is gone now.
    pub on_screen: bool,
    output: Output,
}

impl Ended {
    /// Says something more, where somebody still listens. It does not wait until it is written.
    pub fn say(&mut self, lines: &[String]) {
        self.output.lines(lines);
    }

    /// Waits a moment until all is written.
    pub async fn close(self) {
        self.output.close().await;
    }
}

/// What made the view go on.
enum Turn {
    /// Time passed.
    Tick,
    /// Something was heard; nothing where there is no more.
    News(Option<News>),
    /// A key was pressed.
    Key(u8),
    /// The end.
    Over,
}

impl Show {
    /// Shows until shutdown, until the news end, or until nobody reads any more, which is no failure.
    ///
    /// # Errors
    /// The output or the terminal is gone.
    pub async fn run(self, shutdown: CancellationToken) -> io::Result<Ended> {
        let output = Output::stdout()?;
        if Terminal::is_ours(self.look) {
            self.on_terminal(output, shutdown).await
        } else {
            self.in_lines(output, shutdown).await
        }
    }

    async fn on_terminal(mut self, mut output: Output, shutdown: CancellationToken) -> io::Result<Ended> {
        // On the person's own screen first, where it is still to be read afterwards.
        output.lines(&self.model.preface.lines().cloned().collect::<Vec<_>>());
        let mut terminal = Terminal::take(&mut output, self.look)?;
        let mut redraw = tokio::time::interval(REDRAW);
        loop {
            let (rows, columns) = terminal.size();
            terminal.draw(
                &mut output,
                &screen::render(&self.model, now(&self.clocks), rows, columns),
            );
            // None of the branches loses anything when another one is taken.
            let turn = tokio::select! {
                () = shutdown.cancelled() => Turn::Over,
                _ = redraw.tick() => Turn::Tick,
                heard = self.news.recv() => Turn::News(heard),
                key = terminal.key() => Turn::Key(key?),
                error = output.failed() => return Err(error),
            };
            match turn {
                Turn::Tick => {}
                Turn::News(Some(news)) => self.model.hear(news, now(&self.clocks)),
                Turn::Key(b'q' | b'Q') => {
                    shutdown.cancel();
                    self.send(Key::Quit);
                }
                Turn::Key(b'w' | b'W') => self.send(Key::Wake),
                Turn::Key(_) => {}
                Turn::News(None) | Turn::Over => break,
            }
            // Whatever else is there is drawn at once, not line by line.
            while let Ok(news) = self.news.try_recv() {
                self.model.hear(news, now(&self.clocks));
            }
        }
        terminal.give_back(&mut output);
        Ok(Ended {
            model: self.model,
            on_screen: true,
            output,
        })
    }

    async fn in_lines(mut self, mut output: Output, shutdown: CancellationToken) -> io::Result<Ended> {
        let mut narrator = Narrator::new(self.model.host.clone(), self.standing_every);
        output.lines(&self.model.preface.lines().cloned().collect::<Vec<_>>());
        let mut tick = tokio::time::interval(REDRAW);
        loop {
            // None of the branches loses anything when another one is taken.
            let turn = tokio::select! {
                () = shutdown.cancelled() => Turn::Over,
                _ = tick.tick() => Turn::Tick,
                heard = self.news.recv() => Turn::News(heard),
                error = output.failed() => match error.kind() {
                    io::ErrorKind::BrokenPipe => Turn::Over,
                    _ => return Err(error),
                },
            };
            match turn {
                Turn::Tick => output.lines(&narrator.tick(now(&self.clocks))),
                Turn::News(Some(news)) => {
                    self.model.hear(news.clone(), now(&self.clocks));
                    output.lines(&narrator.hear(news, now(&self.clocks)));
                }
                Turn::News(None) | Turn::Over => break,
                Turn::Key(_) => unreachable!("no keys are read where there is no terminal"),
            }
        }
        Ok(Ended {
            model: self.model,
            on_screen: false,
            output,
        })
    }

    /// A key that nobody waits for, or one of too many, is none.
    fn send(&self, key: Key) {
        self.keys.try_send(key).ok();
    }
}

fn now(clocks: &Clocks) -> Duration {
    Duration::from_millis(clocks.boottime_ms())
}
