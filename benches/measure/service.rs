//! The tasks of a service, as a dump meets them: many, suspended, eight async levels deep, at four different places.
//!
//! The same code three times, because peers want every await annotated: [`plain`], [`framed`] for async-backtrace and
//! [`labelled`] for await-tree. One level is boxed, as a framework's handlers are; the compiler inlines the others as it
//! likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, Semaphore};

/// What every task's text must name: the function that all wait in, whatever they wait for.
pub const FUNCTION: &str = "query";

/// What the tasks of a service share. None of it ever comes.
#[derive(Debug)]
pub struct Shared {
    /// A pool without connections.
    pool: Semaphore,
    news: Notify,
    /// Tasks that have come to where they wait.
    arrived: AtomicUsize,
}

impl Shared {
    /// Of a service without tasks.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { pool: Semaphore::new(0), news: Notify::new(), arrived: AtomicUsize::new(0) })
    }

    /// Blocks until so many tasks wait.
    pub fn wait_for(&self, tasks: usize) {
        // Ordering: Relaxed; a count.
        while self.arrived.load(Ordering::Relaxed) < tasks {
            std::thread::sleep(Duration::from_millis(1));
        }
        // The last ones have arrived, and have yet to return.
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Threads of the runtime of a service.
pub const WORKERS: usize = 2;

/// What all services of a dump run on: two workers.
///
/// # Panics
///
/// When threads cannot be started.
#[must_use]
pub fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().expect("a runtime")
}

macro_rules! service {
    ($(#[$about:meta])* $module:ident, $wrap:ident) => {
        $(#[$about])*
        pub mod $module {
            use super::*;

            /// The task of that number.
            pub async fn connection(shared: Arc<Shared>, number: usize) {
                $wrap!("serve", serve(&shared, number)).await
            }

            async fn serve(shared: &Shared, number: usize) {
                loop {
                    $wrap!("route", Box::pin(route(shared, number))).await;
                }
            }

            async fn route(shared: &Shared, number: usize) {
                match number % 4 {
                    0 => $wrap!("basket", basket(shared)).await,
                    1 => $wrap!("order", order(shared)).await,
                    2 => $wrap!("search", search(shared)).await,
                    _ => $wrap!("follow", follow(shared)).await,
                }
            }

            async fn basket(shared: &Shared) {
                $wrap!("load", load(shared, 0)).await
            }

            async fn order(shared: &Shared) {
                $wrap!("load", load(shared, 1)).await
            }

            async fn search(shared: &Shared) {
                $wrap!("load", load(shared, 2)).await
            }

            async fn follow(shared: &Shared) {
                $wrap!("load", load(shared, 3)).await
            }

            async fn load(shared: &Shared, table: usize) {
                $wrap!("query", query(shared, table)).await
            }

            async fn query(shared: &Shared, table: usize) {
                shared.arrived.fetch_add(1, Ordering::Relaxed);
                match table {
                    0 => $wrap!("acquire", acquire(shared)).await,
                    1 => $wrap!("hear", hear(shared)).await,
                    2 => $wrap!("receive", receive()).await,
                    _ => $wrap!("sleep", sleep()).await,
                }
            }

            async fn acquire(shared: &Shared) {
                drop($wrap!("pool", shared.pool.acquire()).await);
            }

            async fn hear(shared: &Shared) {
                $wrap!("news", shared.news.notified()).await
            }

            async fn receive() {
                let (sender, mut receiver) = tokio::sync::mpsc::channel::<u8>(1);
                $wrap!("rows", receiver.recv()).await;
                drop(sender);
            }

            async fn sleep() {
                $wrap!("backoff", tokio::time::sleep(Duration::from_secs(3_600))).await
            }
        }
    };
}

macro_rules! as_it_is {
    ($name:literal, $future:expr) => {
        $future
    };
}

macro_rules! in_a_frame {
    ($name:literal, $future:expr) => {
        async_backtrace::frame!($future)
    };
}

macro_rules! with_a_label {
    ($name:literal, $future:expr) => {
        await_tree::InstrumentAwait::instrument_await($future, $name)
    };
}

service! {
    /// Without annotations.
    plain, as_it_is
}

service! {
    /// Every await in a frame of async-backtrace.
    framed, in_a_frame
}

service! {
    /// Every await labelled for await-tree.
    labelled, with_a_label
}
