//! The edge: the terminal, keys, and signals. Whatever happens, the terminal is given back as it was.

#[cfg(unix)]
use std::future;
use std::io::{self, Stdout};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
#[cfg(unix)]
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{self, Event};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::model::{Action, Model};
use super::refresher::{News, Refresher};
use super::view;
use crate::failure::Failure;
use crate::source::Source;

/// How often times on the screen go on.
const TICK: Duration = Duration::from_millis(500);

/// Whether the terminal is ours now.
static IS_OURS: AtomicBool = AtomicBool::new(false);
/// Whether any thread panicked.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// What the view waits for.
#[derive(Debug)]
enum Happening {
    Terminal(Event),
    News(News),
    /// The terminal is gone, or somebody wants the process to end.
    End(Option<io::Error>),
}

/// Shows the view until somebody quits it.
pub(super) fn run(source: Source, interval: Duration, has_colours: bool) -> Result<(), Failure> {
    let interval = source.is_live().then_some(interval);
    let broken = |error: io::Error| Failure::new(format!("the terminal: {error}"));
    let (happen, happenings) = mpsc::channel();
    let to_news = happen.clone();
    let refresher =
        Refresher::start(source, interval, move |news| to_news.send(Happening::News(news)).is_ok())
            .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
    give_back_on_panic();
    let screen = Screen::enter().map_err(broken)?;
    signals(happen.clone()).map_err(broken)?;
    read_keys(happen).map_err(broken)?;
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(broken)?;
    let began = Instant::now();
    let mut model = Model::new(interval, has_colours);
    loop {
        model.now = began.elapsed();
        draw(&mut terminal, &mut model).map_err(broken)?;
        let first = match happenings.recv_timeout(TICK) {
            Ok(happening) => happening,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        model.now = began.elapsed();
        // All that waits is drawn once: a key that is kept pressed never leaves the screen behind.
        for happening in std::iter::once(first).chain(happenings.try_iter()) {
            // Ordering: Relaxed; the hook has given the terminal back, and this only ends the view.
            if PANICKED.load(Ordering::Relaxed) {
                return Err(Failure::new(
                    "a part of this command panicked; please report what is said above",
                ));
            }
            match happening {
                Happening::Terminal(Event::Key(key)) => match model.key(key) {
                    None => {}
                    Some(Action::Quit) => return Ok(()),
                    Some(Action::Ask) => refresher.ask(),
                    Some(Action::Interval(interval)) => refresher.interval(interval),
                    Some(Action::Pause(paused)) => refresher.pause(paused),
                    Some(Action::Redraw) => terminal.clear().map_err(broken)?,
                    Some(Action::Suspend) => {
                        screen.suspend().map_err(broken)?;
                        terminal.clear().map_err(broken)?;
                    }
                },
                Happening::Terminal(_) => {}
                Happening::News(News::Asking) => model.asking = Some(model.now),
                Happening::News(News::Picture(picture)) => model.take(*picture),
                // Who has seen nothing yet wants to know why, where it can be read.
                Happening::News(News::Failed(failure)) if model.picture.is_none() && !failure.may_pass() => {
                    return Err(failure);
                }
                Happening::News(News::Failed(failure)) => model.fail(&failure),
                Happening::End(None) => return Ok(()),
                Happening::End(Some(error)) => return Err(broken(error)),
            }
        }
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
        // Ordering: Relaxed; a swap decides who gives back.
        IS_OURS.store(true, Ordering::Relaxed);
        // From here on, dropping it gives back what was taken, however far that went.
        let screen = Self;
        enable_raw_mode()?;
        crossterm::execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    /// Gives the terminal back, stops this process as `^Z` does, and takes it again when it goes on.
    #[cfg(unix)]
    fn suspend(&self) -> io::Result<()> {
        give_back();
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        std::mem::forget(Self::enter()?);
        Ok(())
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
        // Ordering: Relaxed; see where it is loaded.
        PANICKED.store(true, Ordering::Relaxed);
        give_back();
        hook(info);
    }));
}

/// Reads what the terminal says, on a thread of its own that ends with the process.
fn read_keys(happen: Sender<Happening>) -> io::Result<()> {
    let read = move || {
        loop {
            let happening = match event::read() {
                Ok(event) => Happening::Terminal(event),
                Err(error) => Happening::End(Some(error)),
            };
            let is_end = matches!(happening, Happening::End(_));
            if happen.send(happening).is_err() || is_end {
                return;
            }
        }
    };
    std::thread::Builder::new().name("backtrace-waker keys".into()).spawn(read).map(drop)
}

/// Ends the view, and so gives the terminal back, when the process is told to end.
#[cfg(unix)]
fn signals(happen: Sender<Happening>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut ends = {
        let _guard = runtime.enter();
        [signal(SignalKind::terminate())?, signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?]
    };
    let wait = move || {
        let any =
            |context: &mut Context<'_>| match ends.iter_mut().any(|end| end.poll_recv(context).is_ready()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            };
        runtime.block_on(future::poll_fn(any));
        let _ = happen.send(Happening::End(None));
    };
    std::thread::Builder::new().name("backtrace-waker signals".into()).spawn(wait).map(drop)
}

#[cfg(not(unix))]
fn signals(_: Sender<Happening>) -> io::Result<()> {
    Ok(())
}
