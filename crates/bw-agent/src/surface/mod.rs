//! Answering requests: one file for each endpoint, and here what all requests share.

mod answer;
#[cfg(feature = "axum")]
mod axum_router;
mod dump_endpoint;
mod process_endpoint;
mod query;
mod routing;
mod shared_answers;
mod tasks_endpoint;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use backtrace_waker::{DumpFuture, TaskDump, TaskFilter};
use bw_dump::Process;
use bw_dump::contract::endpoints::TIMEOUT_MS;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use self::answer::{Answer, work};
pub(crate) use self::answer::{AnswerBody, Refusal};
#[cfg(feature = "axum")]
pub use self::axum_router::router;
pub(crate) use self::routing::respond;
use self::shared_answers::SharedAnswers;
use crate::settings::Settings;

/// Whose tasks dumps compare with those that are traced.
#[derive(Debug)]
pub(crate) enum Coverage {
    /// Nobody knows.
    Unknown,
    /// Those of this runtime.
    Of(Handle),
    /// Those of the runtime that answers: it is the program's own.
    #[cfg(feature = "axum")]
    Here,
}

/// What all requests of one agent, or of one router, share.
#[derive(Debug)]
pub(crate) struct Surface {
    /// How long a dump waits for tasks, where the request does not say.
    pub(crate) timeout: Duration,
    size_cap: usize,
    coverage: Coverage,
    process: Process,
    agent_started_at: Option<SystemTime>,
    /// Where the agent listens on TCP, if it does.
    tcp: Option<SocketAddr>,
    /// One for who takes a dump.
    turn: Arc<Semaphore>,
    /// The dumps that are being taken or wait for their turn.
    shared_answers: SharedAnswers,
    /// One for who makes a list of the tasks, so that lists need not wait for a dump.
    list_turn: Arc<Semaphore>,
    /// What answers may have in memory, in units.
    memory: Arc<Semaphore>,
}

/// Bytes of a unit of memory: permits are counted in 32 bits.
const UNIT: usize = 1024;

impl Surface {
    pub(crate) fn new(
        settings: &Settings,
        coverage: Coverage,
        agent_started_at: Option<SystemTime>,
        tcp: Option<SocketAddr>,
    ) -> Arc<Self> {
        let units = Self::units(settings.size_cap) as usize;
        Arc::new(Self {
            timeout: settings.timeout,
            size_cap: settings.size_cap,
            coverage,
            process: Process::this(),
            agent_started_at,
            tcp,
            turn: Arc::new(Semaphore::new(1)),
            shared_answers: SharedAnswers::default(),
            list_turn: Arc::new(Semaphore::new(1)),
            memory: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))),
        })
    }

    fn units(bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
    }

    /// Waits at most this long until nobody else takes a dump.
    pub(crate) async fn turn(&self, patience: Duration) -> Result<OwnedSemaphorePermit, Refusal> {
        acquire(&self.turn, 1, patience).await.ok_or_else(|| {
            Refusal::busy(format!(
                "another dump is being taken, and did not end within {} ms; ask again, or with a longer {TIMEOUT_MS}",
                patience.as_millis()
            ))
        })
    }

    /// Waits at most this long until nobody else makes a list of the tasks.
    pub(crate) async fn list_turn(&self, patience: Duration) -> Result<OwnedSemaphorePermit, Refusal> {
        acquire(&self.list_turn, 1, patience)
            .await
            .ok_or_else(|| Refusal::busy("another list of the tasks is being made; ask again"))
    }

    /// Takes a dump when no other request does, and makes something of it; gives the turn back with what was made. As
    /// [`dump`](Self::dump) does.
    pub(crate) async fn dump_in_turn<T: Send + 'static>(
        &self,
        filter: TaskFilter,
        timeout: Duration,
        make: impl FnOnce(TaskDump) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<(OwnedSemaphorePermit, T), Refusal> {
        let turn = self.turn(timeout).await?;
        self.dump(filter, timeout, move |dump| Ok((turn, make(dump)?))).await
    }

    /// Takes a dump and makes something of it, both on a thread beside: to dump is to wake tasks, which runs code of the program's
    /// executors, and that may block for ever.
    ///
    /// Ends early if the future that this returns is dropped, as nobody waits any more.
    pub(crate) async fn dump<T: Send + 'static>(
        &self,
        filter: TaskFilter,
        timeout: Duration,
        make: impl FnOnce(TaskDump) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let mut dump = self.request(filter, timeout);
        let Ok(runtime) = Handle::try_current() else {
            return Err(Refusal::bug("this is not on a runtime of tokio"));
        };
        let (_waits, mut gone) = oneshot::channel::<Infallible>();
        work(move || {
            let taken = runtime.block_on(poll_fn(|cx| match Pin::new(&mut gone).poll(cx) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => Pin::new(&mut dump).poll(cx).map(Some),
            }));
            make(taken.ok_or_else(|| Refusal::busy("nobody waits for this any more"))?)
        })
        .await
    }

    fn request(&self, filter: TaskFilter, timeout: Duration) -> DumpFuture {
        let request = TaskDump::take().timeout(timeout).only(filter);
        match &self.coverage {
            Coverage::Of(runtime) => request.alive_in(runtime),
            #[cfg(feature = "axum")]
            Coverage::Here => match Handle::try_current() {
                Ok(runtime) => request.alive_in(&runtime),
                Err(_) => request,
            },
            Coverage::Unknown => request,
        }
    }

    /// How many tasks are alive in the runtime that dumps are compared with.
    pub(crate) fn alive(&self) -> Option<usize> {
        let alive = |runtime: &Handle| runtime.metrics().num_alive_tasks();
        match &self.coverage {
            Coverage::Of(runtime) => Some(alive(runtime)),
            #[cfg(feature = "axum")]
            Coverage::Here => Handle::try_current().ok().as_ref().map(alive),
            Coverage::Unknown => None,
        }
    }

    /// An answer of these bytes. Waits at most this long until the answers before it have been read.
    pub(crate) async fn answer(
        &self,
        content_type: &'static str,
        bytes: Vec<u8>,
        is_partial: bool,
        patience: Duration,
    ) -> Result<Answer, Refusal> {
        if bytes.len() > self.size_cap {
            return Err(Refusal::too_large(self.size_cap));
        }
        let share = acquire(&self.memory, Self::units(bytes.len()), patience).await.ok_or_else(|| {
            Refusal::busy(format!(
                "answers that nobody has read yet fill {} bytes; read them, or raise the bound with AgentBuilder::size_cap",
                self.size_cap
            ))
        })?;
        Ok(Answer::new(content_type, bytes, share, is_partial))
    }
}

/// Needs the clock of a runtime only where it has to wait.
async fn acquire(
    semaphore: &Arc<Semaphore>,
    permits: u32,
    patience: Duration,
) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(semaphore).try_acquire_many_owned(permits) {
        return Some(permit);
    }
    let acquired = tokio::time::timeout(patience, Arc::clone(semaphore).acquire_many_owned(permits)).await;
    acquired.ok()?.ok()
}
