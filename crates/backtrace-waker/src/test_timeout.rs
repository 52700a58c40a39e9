//! A timeout for tests.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::dump::task_dump::TaskDump;

/// Ends a test that hangs, and says where every traced task waited.
///
/// For tests of any executor, or of none: a thread watches the clock. When the guard is not dropped in time, that thread writes
/// a [dump](TaskDump) of all traced tasks of the process to stderr, or if none is traced, how to have them traced. Nobody can fail a test from outside, so what comes then is:
///
/// 1. If the test comes to its end within five more seconds ([`GRACE`](Self::GRACE)), dropping the guard panics: this
///    test fails, and the others go on.
/// 2. If it does not, the thread that runs it is lost, and the process is aborted, with all the tests in it: SIGABRT, which
///    also leaves a core where the system is told to keep one. `cargo nextest` runs each test in a process of its own.
///
/// The dump goes past the harness, which captures what tests print and shows it when they end: this one may not end.
///
/// ```
/// use std::time::Duration;
///
/// // #[test]
/// fn the_queue_is_drained() {
///     let _timeout = backtrace_waker::TestTimeout::new(Duration::from_secs(10));
///     // ...
/// }
/// # the_queue_is_drained();
/// ```
///
/// With tokio, [`tokio::test_timeout`](tokio/fn.test_timeout.html) (feature `tokio`) is better as long as the test's own runtime runs.
///
/// Cost: one thread until it is dropped.
#[must_use = "dropped at once, it watches nothing"]
pub struct TestTimeout {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    timeout: Duration,
    at: &'static Location<'static>,
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    /// The time was up: a dump is being taken, or was written.
    Late,
    /// The test is over.
    Over,
}

impl TestTimeout {
    /// How long a test has, after its dump was written, to come to its end before the process is aborted: 5 s.
    pub const GRACE: Duration = Duration::from_secs(5);

    /// The time starts now. A timeout that is longer than the clock can count never passes.
    ///
    /// # Panics
    ///
    /// If no thread can be started.
    #[track_caller]
    pub fn new(timeout: Duration) -> Self {
        Self::with_grace(timeout, Self::GRACE)
    }

    /// As [`new`](Self::new), with other than five seconds before the process is aborted.
    ///
    /// # Panics
    ///
    /// If no thread can be started.
    #[track_caller]
    pub fn with_grace(timeout: Duration, grace: Duration) -> Self {
        Self::start(timeout, timeout, grace, Location::caller())
    }

    /// `late` is when it acts, `timeout` what it says.
    pub(crate) fn start(
        timeout: Duration,
        late: Duration,
        grace: Duration,
        at: &'static Location<'static>,
    ) -> Self {
        let shared =
            Arc::new(Shared { timeout, at, stage: Mutex::new(Stage::Running), changed: Condvar::new() });
        let watched = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("bw-test-timeout".into()).spawn(move || watched.watch(late, grace));
        let thread =
            thread.unwrap_or_else(|cause| panic!("no thread could be started to watch the test: {cause}"));
        Self { shared, thread: Some(thread) }
    }

    /// The test is over, in time or not. Tells whether it was too late.
    pub(crate) fn end(&mut self) -> bool {
        let before = std::mem::replace(&mut *self.shared.lock(), Stage::Over);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // At most until its dump is written.
            let _ = thread.join();
        }
        before == Stage::Late
    }
}

impl Drop for TestTimeout {
    /// # Panics
    ///
    /// If the time was up before, unless the thread is panicking anyway.
    fn drop(&mut self) {
        if self.end() && !thread::panicking() {
            let Shared { timeout, at, .. } = &*self.shared;
            panic!(
                "the test did not end within {timeout:?} (timeout at {at}); what is known of its tasks is on stderr"
            );
        }
    }
}

impl std::fmt::Debug for TestTimeout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestTimeout")
            .field("timeout", &self.shared.timeout)
            .field("stage", &*self.shared.lock())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, late: Duration, grace: Duration) {
        let mut stage = self.wait_while(Stage::Running, late);
        if *stage == Stage::Over {
            return;
        }
        *stage = Stage::Late;
        drop(stage);
        let Self { timeout, at, .. } = self;
        say(&format!("the test did not end within {timeout:?} (timeout at {at})"));
        // The end must come, whatever becomes of the dump.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let dump = TaskDump::take().blocking();
            // One of nothing looks like an answer.
            if dump.raw().tasks().is_empty() { say(NOTHING_TRACED) } else { say(&dump.to_string()) }
        }));
        if *self.wait_while(Stage::Late, grace) != Stage::Over {
            say("the test is stuck and cannot be failed from outside: the process is aborted");
            std::process::abort();
        }
    }

    /// Waits until the stage is another, or the time is up.
    fn wait_while(&self, stage: Stage, time: Duration) -> MutexGuard<'_, Stage> {
        let until = Instant::now().checked_add(time);
        let mut now = self.lock();
        while *now == stage {
            let Some(until) = until else {
                now = self.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            now = self.changed.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        now
    }
}

const NOTHING_TRACED: &str = "no task is traced, so nobody knows where it waits: wrap the futures that the test spawns, as in \
    `spawn(future.traced_as(\"name\"))` with `use backtrace_waker::TracedExt`";

/// To stderr itself: what `eprintln` prints the harness of tests captures, and an aborted process loses.
fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
