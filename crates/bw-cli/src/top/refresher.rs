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
