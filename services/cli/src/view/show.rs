//! Shows news to a person until it is over: on the terminal as a screen, elsewhere as lines.

use super::{
    model::{Model, News},
    narrator::Narrator,
    screen,
    terminal::Terminal,
};
use snooze_service_runtime::{CancellationToken, Clocks};
use std::{
    io::{self, Write},
    time::Duration,
};
use tokio::sync::mpsc;

/// How often ages on the screen move on though nothing was heard.
const REDRAW: Duration = Duration::from_millis(500);

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
}

/// How the view ended.
#[derive(Debug)]
pub struct Ended {
    /// What it knew at the end.
    pub model: Model,
    /// Whether it was shown on a screen of its own, which is gone now.
    pub on_screen: bool,
}

impl Show {
    /// Shows until shutdown, or until the news end.
    ///
    /// # Errors
    /// The output is gone.
    pub async fn run(self, shutdown: CancellationToken) -> io::Result<Ended> {
        if Terminal::is_there() {
            self.on_terminal(shutdown).await
        } else {
            self.in_lines(shutdown).await
        }
    }

    async fn on_terminal(mut self, shutdown: CancellationToken) -> io::Result<Ended> {
        let mut terminal = Terminal::take()?;
        let mut redraw = tokio::time::interval(REDRAW);
        let mut news_left = true;
        while news_left && !shutdown.is_cancelled() {
            let (rows, columns) = terminal.size();
            terminal.draw(&screen::render(&self.model, now(&self.clocks), rows, columns))?;
            // None of the branches loses anything when another one is taken.
            tokio::select! {
                () = shutdown.cancelled() => {}
                _ = redraw.tick() => {}
                heard = self.news.recv() => match heard {
                    Some(news) => self.model.hear(news, now(&self.clocks)),
                    None => news_left = false,
                },
                key = terminal.key() => match key? {
                    b'q' | b'Q' => {
                        shutdown.cancel();
                        self.send(Key::Quit);
                    }
                    b'w' | b'W' => self.send(Key::Wake),
                    _ => {}
                },
            }
            // Whatever else is there is drawn at once, not line by line.
            while let Ok(news) = self.news.try_recv() {
                self.model.hear(news, now(&self.clocks));
            }
        }
        Ok(Ended {
            model: self.model,
            on_screen: true,
        })
    }

    async fn in_lines(mut self, shutdown: CancellationToken) -> io::Result<Ended> {
        let mut narrator = Narrator::new(self.model.host.clone());
        print(self.model.preface.lines().cloned().collect())?;
        let mut tick = tokio::time::interval(REDRAW);
        loop {
            // None of the branches loses anything when another one is taken.
            let lines = tokio::select! {
                () = shutdown.cancelled() => break,
                _ = tick.tick() => narrator.tick(now(&self.clocks)),
                heard = self.news.recv() => match heard {
                    Some(news) => {
                        self.model.hear(news.clone(), now(&self.clocks));
                        narrator.hear(news, now(&self.clocks))
                    }
                    None => break,
                },
            };
            print(lines)?;
        }
        Ok(Ended {
            model: self.model,
            on_screen: false,
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

fn print(lines: Vec<String>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in lines {
        writeln!(output, "{line}")?;
    }
    output.flush()
}
