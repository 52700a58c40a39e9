//! The edge: the terminal, keys, and signals. Whatever happens, the terminal is given back as it was.

mod refresher;
mod schedule;

use std::io::{self, Stdout};
use std::ops::ControlFlow;
use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{self, Event};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};

use crate::output::failure::Failure;
use crate::source::Source;
use crate::top::model::{Action, Model};
use crate::top::view;
use refresher::{Refresher, Update};
use schedule::AT_LEAST;

/// How often times on the screen go on.
const TICK: Duration = Duration::from_millis(500);

/// Whether the terminal is ours now.
static IS_OURS: AtomicBool = AtomicBool::new(false);
/// Whether any thread panicked.
static PANICKED: AtomicBool = AtomicBool::new(false);
/// Held while a panic says why.
static PANIC_MESSAGE: Mutex<()> = Mutex::new(());

/// What the view waits for.
#[derive(Debug)]
enum ViewEvent {
    Terminal(Event),
    Update(Update),
    /// The process had been stopped, and goes on.
    Continue,
    /// The terminal is gone, or somebody wants the process to end.
    End(Option<io::Error>),
}

/// Shows the view until somebody quits it.
pub(crate) fn run(source: Source, interval: Duration, has_colours: bool) -> Result<(), Failure> {
    let interval = source.is_live().then_some(interval.max(AT_LEAST));
    let (sender, events) = mpsc::channel();
    let to_updates = sender.clone();
    let refresher =
        Refresher::start(source, interval, move |update| to_updates.send(ViewEvent::Update(update)).is_ok())
            .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
    give_back_on_panic();
    let screen = Screen::enter().map_err(broken)?;
    signals(sender.clone()).map_err(broken)?;
    read_keys(sender).map_err(broken)?;
    let terminal = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(broken)?;
    let model = Model::new(interval, has_colours);
    let began = Instant::now();
    let mut live = LiveView { model, refresher, screen, terminal, suspended: None };
    loop {
        live.model.now = began.elapsed();
        // Ordering: Relaxed; the lock that is taken then makes sure of the rest.
        if PANICKED.load(Ordering::Relaxed) {
            // The terminal is given back already; who panicked is heard out.
            let _message = PANIC_MESSAGE.lock();
            return Err(Failure::new("a part of this command panicked; please report what is said above"));
        }
        live.show().map_err(broken)?;
        let first = match events.recv_timeout(TICK) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        live.model.now = began.elapsed();
        // All that waits is drawn once: a key that is kept pressed never leaves the screen behind.
        for event in std::iter::once(first).chain(events.try_iter()) {
            if live.happens(event)? == ControlFlow::Break(()) {
                return Ok(());
            }
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is what an error is mapped with")]
fn broken(error: io::Error) -> Failure {
    Failure::new(format!("the terminal: {error}"))
}

/// The view on its terminal. Dropping it gives the terminal back.
struct LiveView {
    model: Model,
    refresher: Refresher,
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// Since when the terminal is given back, for this process to be stopped.
    suspended: Option<Instant>,
    // After the terminal, which shows the cursor when it is dropped.
    screen: Screen,
}

impl LiveView {
    /// Something happened. Breaks when that ends the view.
    fn happens(&mut self, event: ViewEvent) -> Result<ControlFlow<()>, Failure> {
        match event {
            ViewEvent::Terminal(Event::Key(key)) if self.suspended.is_none() => match self.model.key(key) {
                None => {}
                Some(Action::Quit) => return Ok(ControlFlow::Break(())),
                Some(Action::Ask) => self.refresher.ask(),
                Some(Action::Interval(interval)) => self.refresher.interval(interval),
                Some(Action::Pause(paused)) => self.refresher.pause(paused),
                Some(Action::Redraw) => self.redraw().map_err(broken)?,
                Some(Action::Suspend) => {
                    self.suspended = Some(Instant::now());
                    self.screen.suspend().map_err(broken)?;
                }
            },
            ViewEvent::Terminal(_) => {}
            ViewEvent::Continue => self.go_on().map_err(broken)?,
            ViewEvent::Update(Update::Asking) => self.model.asking = Some(self.model.now),
            ViewEvent::Update(Update::Summary(summary)) => {
                if let Some(before) = self.model.take(*summary) {
                    self.refresher.drop_there(before);
                }
            }
            // Who has seen nothing yet wants to know why, where it can be read.
            ViewEvent::Update(Update::Failed(failure))
                if self.model.summary.is_none() && !failure.may_pass() =>
            {
                return Err(failure);
            }
            ViewEvent::Update(Update::Failed(failure)) => self.model.fail(&failure),
            ViewEvent::End(None) => return Ok(ControlFlow::Break(())),
            ViewEvent::End(Some(error)) => return Err(broken(error)),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn show(&mut self) -> io::Result<()> {
        /// After it was to be stopped: then nobody can stop it, such as in a terminal without a shell.
        const NOT_STOPPED: Duration = Duration::from_secs(1);
        match self.suspended {
            Some(since) if since.elapsed() < NOT_STOPPED => Ok(()),
            Some(_) => self.go_on(),
            None => draw(&mut self.terminal, &mut self.model),
        }
    }

    /// Takes the terminal again, whoever had it.
    fn go_on(&mut self) -> io::Result<()> {
        self.suspended = None;
        Screen::take()?;
        self.redraw()?;
        draw(&mut self.terminal, &mut self.model)
    }

    /// Has everything drawn anew. Not by `clear`, which asks the terminal where its cursor is: the answer would go to the thread
    /// that reads keys.
    fn redraw(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }
}

fn draw(terminal: &mut Terminal<CrosstermBackend<Stdout>>, model: &mut Model) -> io::Result<()> {
    terminal.draw(|frame| {
        let area = frame.area();
        if model.size != (area.width, area.height) {
            model.resize(area.width, area.height);
        }
        view::draw(model, frame.buffer_mut());
    })?;
    Ok(())
}

/// The terminal while it is ours. Given back when it is dropped.
struct Screen;

impl Screen {
    fn enter() -> io::Result<Self> {
        // From here on, dropping it gives back what was taken, however far that went.
        let screen = Self;
        Self::take()?;
        Ok(screen)
    }

    fn take() -> io::Result<()> {
        // Ordering: Relaxed; see `give_back`.
        IS_OURS.store(true, Ordering::Relaxed);
        enable_raw_mode()?;
        crossterm::execute!(io::stdout(), EnterAlternateScreen, Hide)
    }

    /// Gives the terminal back and stops this process, with those it is in a pipe with, as `^Z` does.
    #[cfg(unix)]
    fn suspend(&self) -> io::Result<()> {
        give_back();
        Ok(nix::sys::signal::killpg(nix::unistd::getpgrp(), nix::sys::signal::Signal::SIGTSTP)?)
    }

    #[cfg(not(unix))]
    fn suspend(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Once for each time it was taken. What cannot be given back is gone.
fn give_back() {
    // Ordering: Relaxed; it is one flag, and whoever takes it does all of it.
    if IS_OURS.swap(false, Ordering::Relaxed) {
        let _ = crossterm::execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Gives the terminal back before a panic says why.
fn give_back_on_panic() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let _message = PANIC_MESSAGE.lock();
        // Ordering: Relaxed; see where it is loaded.
        PANICKED.store(true, Ordering::Relaxed);
        give_back();
        hook(info);
    }));
}

/// Reads what the terminal says, on a thread of its own that ends with the process.
fn read_keys(sender: Sender<ViewEvent>) -> io::Result<()> {
    let read = move || {
        loop {
            let event = match event::read() {
                Ok(event) => ViewEvent::Terminal(event),
                Err(error) => ViewEvent::End(Some(error)),
            };
            let is_end = matches!(event, ViewEvent::End(_));
            if sender.send(event).is_err() || is_end {
                return;
            }
        }
    };
    std::thread::Builder::new().name("backtrace-waker keys".into()).spawn(read).map(drop)
}

/// Ends the view, and so gives the terminal back, when the process is told to end; and says when it goes on after a stop.
#[cfg(unix)]
fn signals(sender: Sender<ViewEvent>) -> io::Result<()> {
    use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    let wait = move || {
        for signal in signals.forever() {
            let event = if signal == SIGCONT { ViewEvent::Continue } else { ViewEvent::End(None) };
            let is_end = matches!(event, ViewEvent::End(_));
            if sender.send(event).is_err() || is_end {
                return;
            }
        }
    };
    std::thread::Builder::new().name("backtrace-waker signals".into()).spawn(wait).map(drop)
}

#[cfg(not(unix))]
fn signals(_: Sender<ViewEvent>) -> io::Result<()> {
    Ok(())
}
