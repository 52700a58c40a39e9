//! Asks the process, on a thread of its own: keys never wait for it.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::picture::Picture;
use super::schedule::{Next, Schedule};
use crate::failure::Failure;
use crate::source::Source;

/// What comes of asking.
#[derive(Debug)]
pub(super) enum News {
    /// It is being asked.
    Asking,
    Picture(Box<Picture>),
    Failed(Failure),
}

/// What somebody wants of it.
#[derive(Debug)]
enum Wish {
    Ask,
    Interval(Duration),
    Pause(bool),
    /// A picture is not needed any more. Dropping one of many tasks takes some time.
    Drop(Box<Picture>),
}

/// Asks the process, on a thread of its own.
#[derive(Debug)]
pub(super) struct Refresher {
    wishes: Sender<Wish>,
}

impl Refresher {
    /// Starts. What comes of it is told to `tell`, until that says that nobody listens.
    pub(super) fn start(
        source: Source,
        interval: Option<Duration>,
        tell: impl FnMut(News) -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let (wishes, wanted) = mpsc::channel();
        let work = move || run(source, Schedule::new(interval), &wanted, tell);
        std::thread::Builder::new().name("backtrace-waker asks".into()).spawn(work)?;
        Ok(Self { wishes })
    }

    // The thread is gone only if it panicked, and then the view ends anyway.

    pub(super) fn ask(&self) {
        let _ = self.wishes.send(Wish::Ask);
    }

    pub(super) fn interval(&self, interval: Duration) {
        let _ = self.wishes.send(Wish::Interval(interval));
    }

    pub(super) fn drop_there(&self, picture: Picture) {
        let _ = self.wishes.send(Wish::Drop(Box::new(picture)));
    }

    pub(super) fn pause(&self, paused: bool) {
        let _ = self.wishes.send(Wish::Pause(paused));
    }
}

fn run(
    mut source: Source,
    mut schedule: Schedule,
    wanted: &Receiver<Wish>,
    mut tell: impl FnMut(News) -> bool,
) {
    let mut before = None;
    loop {
        let wish = match schedule.next(Instant::now()) {
            Next::Ask => {
                if !tell(News::Asking) {
                    return;
                }
                let began = Instant::now();
                let news = match source.take() {
                    Ok(snapshot) => {
                        let picture = Picture::new(snapshot, began, before.as_ref());
                        before = Some(picture.before());
                        News::Picture(Box::new(picture))
                    }
                    Err(failure) => News::Failed(failure),
                };
                // Who pressed the key before it answered has what was wanted.
                let waiting: Vec<Wish> = wanted.try_iter().collect();
                for wish in waiting {
                    schedule.wish(wish);
                }
                schedule.answered(Instant::now());
                if !tell(news) {
                    return;
                }
                continue;
            }
            Next::Wait(Some(time)) => wanted.recv_timeout(time),
            Next::Wait(None) => wanted.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match wish {
            Ok(wish) => schedule.wish(wish),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Schedule {
    fn wish(&mut self, wish: Wish) {
        match wish {
            Wish::Ask => self.want(),
            Wish::Interval(interval) => self.interval(interval),
            Wish::Pause(paused) => self.pause(paused),
            Wish::Drop(picture) => drop(picture),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use bw_symbolize::SymbolSources;
    use std::path::Path;

    fn start(file: &str) -> (Refresher, Receiver<News>) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dumps").join(file);
        let source = Source::of_file(&path, SymbolSources::new()).quiet();
        let (tell, told) = mpsc::channel();
        (Refresher::start(source, None, move |news| tell.send(news).is_ok()).unwrap(), told)
    }

    #[test]
    fn it_asks_when_somebody_says_so_and_ends_with_who_started_it() {
        let (refresher, told) = start("nowhere.json");
        for again in [false, true] {
            assert!(matches!(told.recv(), Ok(News::Asking)));
            let Ok(News::Picture(picture)) = told.recv() else { panic!("no picture") };
            assert_eq!(picture.tasks.len(), 7);
            // It remembers the one before.
            assert!(picture.groups.iter().all(|group| group.change == again.then_some(0)));
            refresher.drop_there(*picture);
            refresher.ask();
        }
        drop(refresher);
        while told.recv().is_ok() {}
    }

    #[test]
    fn a_failure_is_told_and_asking_goes_on() {
        let (refresher, told) = start("missing.json");
        for _ in 0..2 {
            assert!(matches!(told.recv(), Ok(News::Asking)));
            let Ok(News::Failed(failure)) = told.recv() else { panic!("no failure") };
            assert!(failure.to_string().contains("missing.json"), "{failure}");
            refresher.ask();
        }
    }
}
