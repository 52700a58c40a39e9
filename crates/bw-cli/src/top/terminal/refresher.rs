//! Asks the process, on a thread of its own: keys never wait for it.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::schedule::{Next, Schedule};
use crate::output::failure::Failure;
use crate::source::Source;
use crate::top::model::dump_summary::DumpSummary;

/// What comes of asking.
#[derive(Debug)]
pub(crate) enum Update {
    /// It is being asked.
    Asking,
    Summary(Box<DumpSummary>),
    Failed(Failure),
}

/// What somebody wants of it.
#[derive(Debug)]
enum Request {
    Ask,
    Interval(Duration),
    Pause(bool),
    /// A summary is not needed any more. Dropping one of many tasks takes some time.
    Drop(Box<DumpSummary>),
}

/// Asks the process, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Refresher {
    requests: Sender<Request>,
}

impl Refresher {
    /// Starts. Calls `send` with each update, until that says that nobody listens.
    pub(crate) fn start(
        source: Source,
        interval: Option<Duration>,
        send: impl FnMut(Update) -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let (requests, wanted) = mpsc::channel();
        let work = move || run(source, Schedule::new(interval), &wanted, send);
        std::thread::Builder::new().name("backtrace-waker asks".into()).spawn(work)?;
        Ok(Self { requests })
    }

    // The thread is gone only if it panicked, and then the view ends anyway.

    pub(crate) fn ask(&self) {
        let _ = self.requests.send(Request::Ask);
    }

    pub(crate) fn interval(&self, interval: Duration) {
        let _ = self.requests.send(Request::Interval(interval));
    }

    pub(crate) fn drop_there(&self, summary: DumpSummary) {
        let _ = self.requests.send(Request::Drop(Box::new(summary)));
    }

    pub(crate) fn pause(&self, paused: bool) {
        let _ = self.requests.send(Request::Pause(paused));
    }
}

fn run(
    mut source: Source,
    mut schedule: Schedule,
    wanted: &Receiver<Request>,
    mut send: impl FnMut(Update) -> bool,
) {
    let mut before = None;
    loop {
        let request = match schedule.next(Instant::now()) {
            Next::Ask => {
                if !send(Update::Asking) {
                    return;
                }
                let began = Instant::now();
                let update = match source.take() {
                    Ok(snapshot) => {
                        let summary = DumpSummary::new(snapshot, began, before.as_ref());
                        before = Some(summary.before());
                        Update::Summary(Box::new(summary))
                    }
                    Err(failure) => Update::Failed(failure),
                };
                // Who pressed the key before it answered has what was wanted.
                let waiting: Vec<Request> = wanted.try_iter().collect();
                for request in waiting {
                    schedule.request(request);
                }
                schedule.answered(Instant::now());
                if !send(update) {
                    return;
                }
                continue;
            }
            Next::Wait(Some(time)) => wanted.recv_timeout(time),
            Next::Wait(None) => wanted.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match request {
            Ok(request) => schedule.request(request),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Schedule {
    fn request(&mut self, request: Request) {
        match request {
            Request::Ask => self.want(),
            Request::Interval(interval) => self.interval(interval),
            Request::Pause(paused) => self.pause(paused),
            Request::Drop(summary) => drop(summary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::options::request::RequestOptions;
    use crate::options::target::Target;
    use bw_symbolize::SymbolSources;
    use std::path::Path;

    fn start(file: &str) -> (Refresher, Receiver<Update>) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dumps").join(file);
        let source = Source::open(&Target::File(path), &RequestOptions::default(), SymbolSources::new());
        let source = source.unwrap().quiet();
        let (sender, updates) = mpsc::channel();
        (Refresher::start(source, None, move |update| sender.send(update).is_ok()).unwrap(), updates)
    }

    #[test]
    fn it_asks_when_somebody_says_so_and_ends_with_who_started_it() {
        let (refresher, updates) = start("nowhere.json");
        for again in [false, true] {
            assert!(matches!(updates.recv(), Ok(Update::Asking)));
            let Ok(Update::Summary(summary)) = updates.recv() else { panic!("no summary") };
            assert_eq!(summary.tasks.len(), 7);
            // It remembers the one before.
            assert!(summary.groups.iter().all(|group| group.change == again.then_some(0)));
            refresher.drop_there(*summary);
            refresher.ask();
        }
        drop(refresher);
        while updates.recv().is_ok() {}
    }

    #[test]
    fn a_failure_is_told_and_asking_goes_on() {
        let (refresher, updates) = start("missing.json");
        for _ in 0..2 {
            assert!(matches!(updates.recv(), Ok(Update::Asking)));
            let Ok(Update::Failed(failure)) = updates.recv() else { panic!("no failure") };
            assert!(failure.to_string().contains("missing.json"), "{failure}");
            refresher.ask();
        }
    }
}
