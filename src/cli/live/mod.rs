//! What a person sees while a drill runs. On a thread of its own and lossy: a terminal that is stopped (ctrl-S)
//! or a pipe that nobody reads loses lines, and never holds the engine.

mod draw;
mod view;
mod words;

pub use words::paint;

use super::{Global, output::When};
use crate::{
    engine::Onlooker,
    event::{Event, Sink},
    measure::Slice,
};
use std::{
    io::{self, IsTerminal, Write},
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use view::View;

/// How many events and slices may wait for the terminal.
const WAITING: usize = 4096;
/// How often the picture is drawn anew.
const REDRAW: Duration = Duration::from_millis(200);
/// How long the end waits for the last lines.
const PATIENCE: Duration = Duration::from_millis(500);

enum Seen {
    Event(Box<Event>),
    Slice(Slice),
}

/// The display of one drill.
pub struct Live {
    to: SyncSender<Seen>,
    thread: JoinHandle<()>,
}

struct Eye(SyncSender<Seen>);

impl Sink for Eye {
    fn accept(&mut self, event: &Event) {
        // A terminal that does not keep up misses this one.
        let _ = self.0.try_send(Seen::Event(Box::new(event.clone())));
    }
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// A picture that is drawn anew, with lines scrolling away above it.
    Picture,
    /// A line for everything worth one, and one a few seconds in between.
    Lines,
    /// Nothing.
    Nothing,
}

impl Live {
    /// Starts the display as it suits standard error and the switches.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(global: &Global) -> io::Result<Live> {
        let terminal = io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Live::with(global, if terminal { Style::Picture } else { Style::Lines })
    }

    /// The same without a picture, where there is no load to show.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn lines(global: &Global) -> io::Result<Live> {
        Live::with(global, Style::Lines)
    }

    fn with(global: &Global, style: Style) -> io::Result<Live> {
        let style = if global.quiet { Style::Nothing } else { style };
        let colour = When::stderr(global.color);
        let (to, from) = mpsc::sync_channel(WAITING);
        let thread = thread::Builder::new().name("terminal".into()).spawn(move || show(&from, style, colour))?;
        Ok(Live { to, thread })
    }

    /// Gets every event.
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(Eye(self.to.clone()))
    }

    /// Gets every slice of the load.
    pub fn onlooker(&self) -> Onlooker {
        let to = self.to.clone();
        Box::new(move |slice| drop(to.try_send(Seen::Slice(slice.clone()))))
    }

    /// Ends the display; a terminal that takes nothing is left to itself. All sinks must be gone.
    pub fn finish(self) {
        drop(self.to);
        let deadline = Instant::now() + PATIENCE;
        while !self.thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn show(from: &Receiver<Seen>, style: Style, colour: bool) {
    let (mut view, mut drawn, mut next) = (View::default(), 0, Instant::now() + REDRAW);
    loop {
        let seen = from.recv_timeout(next.saturating_duration_since(Instant::now()));
        let over = matches!(seen, Err(RecvTimeoutError::Disconnected));
        let mut lines = String::new();
        match seen {
            Ok(Seen::Event(event)) => {
                if let Some(line) = words::line(&event, &view, colour) {
                    lines = line;
                }
                view.event(&event);
            }
            Ok(Seen::Slice(slice)) => view.slice(&slice),
            Err(_) => {}
        }
        let due = Instant::now() >= next;
        if due {
            next = Instant::now() + REDRAW;
        }
        match style {
            Style::Nothing => {}
            Style::Lines => {
                let between = if due { view.between() } else { None };
                put(lines.into_iter_lines().chain(between));
            }
            Style::Picture if due || over || !lines.is_empty() => {
                let picture = if over { String::new() } else { draw::picture(&view, colour, width()) };
                drawn = redraw(drawn, &lines, &picture);
            }
            Style::Picture => {}
        }
        if over {
            return;
        }
    }
}

trait Lines {
    fn into_iter_lines(self) -> std::option::IntoIter<String>;
}

impl Lines for String {
    fn into_iter_lines(self) -> std::option::IntoIter<String> {
        if self.is_empty() { None } else { Some(self) }.into_iter()
    }
}

fn put(lines: impl Iterator<Item = String>) {
    let mut terminal = io::stderr().lock();
    for line in lines {
        let _ = writeln!(terminal, "{line}");
    }
}

/// Takes the old picture away, prints lines that stay, and the new picture. Returns how many lines it has.
fn redraw(drawn: usize, lines: &str, picture: &str) -> usize {
    let mut out = String::new();
    if drawn > 0 {
        out.push_str(&format!("\x1b[{drawn}F\x1b[J"));
    }
    if !lines.is_empty() {
        out.push_str(lines);
        out.push('\n');
    }
    out.push_str(picture);
    let _ = io::stderr().lock().write_all(out.as_bytes());
    picture.lines().count()
}

fn width() -> usize {
    width_of(&io::stderr()).unwrap_or(80)
}

/// How many columns a terminal has; `None` if it is none.
pub fn width_of(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col).clamp(40, 160))
}
