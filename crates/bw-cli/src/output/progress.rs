//! A sign of life, for somebody who waits.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long something may take before anything is said.
const DELAY: Duration = Duration::from_secs(1);
/// How often it is said again.
const INTERVAL: Duration = Duration::from_millis(200);

/// Says on stderr how far something has come, when it takes long and stderr is a terminal. Dropping it wipes that away.
pub(crate) struct Progress {
    done: Arc<AtomicUsize>,
    watcher: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins: `doing` something with so many `things`.
    pub(crate) fn new(doing: &'static str, total: usize, things: &'static str) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        if !io::stderr().is_terminal() {
            return Self { done, watcher: None };
        }
        let (stop, stopped) = mpsc::channel();
        let seen = Arc::clone(&done);
        let watch = move || {
            let mut wait = DELAY;
            let mut said = false;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = INTERVAL;
                said = true;
                // Ordering: Relaxed; a number to look at, nothing depends on it.
                let done = seen.load(Ordering::Relaxed);
                let _ = write!(io::stderr(), "\r\x1b[K{doing}: {done} of {total} {things}");
            }
            if said {
                let _ = write!(io::stderr(), "\r\x1b[K");
            }
        };
        // Without a thread there is no sign of life, and nothing else is amiss.
        let watcher = std::thread::Builder::new().spawn(watch).ok().map(|thread| (stop, thread));
        Self { done, watcher }
    }

    /// One more is done.
    pub(crate) fn advance(&self) {
        // Ordering: Relaxed; see where it is loaded.
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.watcher.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
