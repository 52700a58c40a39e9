//! What tests/unnamed builds in the forms in which programs are shipped: prints where its tasks wait, as addresses. No target of cargo's.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bw_core::{Registry, TracedExt};

/// Waits for ever. Inlined into whoever awaits it.
struct Gate(Mutex<Option<Waker>>);

impl Gate {
    fn new() -> Self {
        Self(Mutex::new(None))
    }
}

impl Future for Gate {
    type Output = ();

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        *self.0.lock().unwrap() = Some(context.waker().clone());
        Poll::Pending
    }
}

mod orders {
    use super::Gate;

    pub async fn transfer() {
        Gate::new().await; // LINE transfer
    }

    pub async fn refund() {
        Gate::new().await; // LINE refund
    }

    pub async fn audit() {
        Gate::new().await; // LINE audit
    }
}

mod app {
    use super::{Boxed, Gate};

    /// No `async fn`, but its type has the name of one.
    pub fn run() -> impl Future<Output = ()> + Send {
        async move {
            Gate::new().await; // LINE run
        }
    }

    pub async fn wait_for(inner: Boxed) {
        inner.await; // LINE wait_for
    }
}

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Has the executor poll all tasks again.
struct Again(mpsc::SyncSender<()>);

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        let _full_already = self.0.try_send(());
    }
}

/// Polls all tasks whenever one of them is woken.
fn execute(mut tasks: Vec<Boxed>, again: &mpsc::Receiver<()>, waker: &Waker) {
    loop {
        for task in &mut tasks {
            assert!(task.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        if again.recv().is_err() {
            return;
        }
    }
}

fn main() {
    let transfer = || -> Boxed { Box::pin(orders::transfer().traced()) };
    let inner: Boxed = Box::pin(orders::audit());
    let tasks: Vec<Boxed> = vec![
        transfer(),
        transfer(),
        Box::pin(orders::refund().traced()),
        Box::pin(app::run().traced()),
        Box::pin(app::wait_for(inner).traced()),
    ];
    let (sender, receiver) = mpsc::sync_channel(1);
    let waker = Waker::from(Arc::new(Again(sender)));
    std::thread::spawn(move || execute(tasks, &receiver, &waker));
    while Registry::global().look(&Default::default()).tasks().iter().any(|task| task.status().polls == 0) {
        std::thread::yield_now();
    }
    let dump = Registry::global().dump().timeout(Duration::from_secs(60)).blocking();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let program = std::env::current_exe().unwrap();
    let of_program = || maps.lines().filter(|line| line.ends_with(program.to_str().unwrap()));
    let range = |line: &str| line.split(' ').next().unwrap().replace('-', " ");
    println!("module {} {}", range(of_program().next().unwrap()), range(of_program().last().unwrap()));
    for task in dump.tasks() {
        println!("task {} {} {}", task.id(), task.spawned_at().line(), task.type_name().unwrap());
        for stack in dump.trace_of(task).expect("every task waits").stacks() {
            let addresses: Vec<_> = stack.addresses().map(|address| address.get().to_string()).collect();
            println!("stack {}", addresses.join(" "));
        }
    }
}
