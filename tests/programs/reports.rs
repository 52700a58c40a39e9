//! A program with an agent whose triggers a test pulls. The first argument says what it does; says `ready` when it does. Ends when it is
//! killed, or after a minute. The file that may use `unsafe`.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use backtrace_waker::{TaskState, TracedExt};
use bw_agent::{AgentBuilder, DumpSignal, OnPanic, OnSignal, Report, ReportFolder, Sink, StallWatch};
use tokio::runtime::Runtime;

/// Seconds until it is killed if nobody does it before.
const PATIENCE: u32 = 60;

/// Drops its waker: the event comes, and nothing wakes the task.
struct LosesItsWake {
    was_polled: bool,
}

impl Future for LosesItsWake {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.was_polled, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn main() -> ExitCode {
    // SAFETY: has no preconditions.
    unsafe { libc::alarm(PATIENCE) };
    let mut args = std::env::args().skip(1);
    let how = args.next().unwrap_or_default();
    let folder = args.next();
    let agent = bw_agent::builder().no_socket();
    // Of one worker that is blocked none is left to poll others.
    let workers = if how == "stalls" { 2 } else { 1 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let runtime = runtime.expect("a runtime");
    spawn_waiting(&runtime, "waits");
    match &*how {
        "wedged" => {
            start(agent.dump_on_signal(DumpSignal::Usr1));
            wedge(&runtime);
        }
        "environment" => start(agent),
        "handler" => {
            on_signal(handler as *const () as usize);
            start(agent.dump_on_signal(DumpSignal::Usr1));
        }
        "ignored" => {
            on_signal(libc::SIG_IGN);
            start(agent.dump_on_signal(DumpSignal::Usr1));
        }
        "tokio's handler" => {
            let _entered = runtime.enter();
            let mut signals = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1())
                .expect("a handler");
            runtime.spawn(async move {
                while signals.recv().await.is_some() {
                    println!("handled");
                }
            });
            start(agent.dump_on_signal(DumpSignal::Usr1));
        }
        "folder" => {
            let folder = ReportFolder::new(folder.expect("a folder"));
            let signal = OnSignal::new(DumpSignal::Usr1).at_most_every(Duration::ZERO);
            start(agent.dump_on_signal(signal).report_to(folder).report_to(Sink::callback(
                |report: &Report| {
                    println!("reported {}", report.reason().name());
                },
            )));
        }
        "folder alone" => {
            let folder = ReportFolder::new(folder.expect("a folder"));
            let signal = OnSignal::new(DumpSignal::Usr1).at_most_every(Duration::ZERO);
            start(agent.dump_on_signal(signal).report_to(folder));
        }
        "callback panics" => {
            let signal = OnSignal::new(DumpSignal::Usr1).at_most_every(Duration::ZERO);
            let on_panic = OnPanic::new().at_most_every(Duration::ZERO);
            start(agent.dump_on_signal(signal).dump_on_panic(on_panic).report_to(Sink::callback(|report| {
                println!("reported {}", report.reason().name());
                panic!("a callback");
            })));
        }
        "panic" => {
            std::panic::set_hook(Box::new(|_| eprintln!("the program's own hook")));
            start(agent.dump_on_panic(OnPanic::new()));
            runtime.spawn(panics().traced_as("panics"));
        }
        "panics" => {
            start(agent.dump_on_panic(OnPanic::new()));
            let threads: Vec<_> = (0..20).map(|_| std::thread::spawn(|| panic!("one of many"))).collect();
            let tasks: Vec<_> = (0..20).map(|_| runtime.spawn(panics().traced_as("panics"))).collect();
            for thread in threads {
                assert!(thread.join().is_err());
            }
            for task in tasks {
                assert!(runtime.block_on(task).is_err());
            }
            println!("over");
        }
        "panic that aborts" => {
            start(agent.dump_on_panic(OnPanic::new().wait(Duration::from_secs(30))));
            cannot_unwind();
        }
        "panic under locks" => {
            // The hook's thread holds what a report needs to be written.
            start(agent.dump_on_panic(OnPanic::new()));
            let held = std::thread::spawn(|| {
                let _held = std::io::stderr().lock();
                panic!("with stderr locked");
            });
            assert!(held.join().is_err());
        }
        "panic in a child" => {
            start(agent.dump_on_panic(OnPanic::new().wait(Duration::from_secs(30))));
            return forks();
        }
        "stalls" => {
            let watch = StallWatch::new(Duration::from_millis(200))
                .look_every(Duration::from_millis(100))
                .at_most_every(Duration::ZERO)
                .meant_to_wait("idle");
            spawn_waiting(&runtime, "idle");
            start(agent.watch_stalls(watch));
            wedge(&runtime);
        }
        "lost wake" => {
            let watch = StallWatch::new(Duration::from_millis(1_100)).look_every(Duration::from_millis(100));
            runtime.spawn(LosesItsWake { was_polled: false }.traced_as("lost"));
            start(agent.watch_stalls(watch));
        }
        "stopped" => {
            let agent = agent.dump_on_signal(DumpSignal::Usr1).dump_on_panic(OnPanic::new());
            let agent = agent.watch_stalls(StallWatch::new(StallWatch::SHORTEST)).start().expect("an agent");
            agent.stop();
            assert!(std::thread::spawn(|| panic!("after it stopped")).join().is_err());
            println!("ready");
        }
        "started again" => {
            agent.dump_on_signal(DumpSignal::Usr1).start().expect("an agent").stop();
            start(bw_agent::builder().no_socket().dump_on_signal(DumpSignal::Usr1));
        }
        other => panic!("no such way: {other:?}"),
    }
    loop {
        std::thread::park();
    }
}

fn start(agent: AgentBuilder) {
    agent.start().expect("an agent");
    println!("ready");
}

/// Blocks a worker, which is blocked when this returns.
fn wedge(runtime: &Runtime) {
    let (begins, began) = mpsc::channel();
    let blocks = async move {
        let _ = begins.send(());
        blocks();
    };
    runtime.spawn(blocks.traced_as("culprit"));
    let _ = began.recv();
}

fn blocks() {
    let (_sender, receiver) = mpsc::channel::<()>();
    let _ = receiver.recv();
}

/// A task that waits by now.
fn spawn_waiting(runtime: &Runtime, name: &'static str) {
    let task = backtrace_waker::Tracer::new().named(name).trace(waits());
    let handle = task.handle();
    runtime.spawn(task);
    while handle.state() != TaskState::Suspended {
        std::thread::yield_now();
    }
}

async fn waits() {
    tokio::sync::Semaphore::new(0).acquire().await.map(drop).expect("never closed");
}

async fn panics() {
    tokio::task::yield_now().await;
    panic!("on purpose");
}

/// Whose panic ends the process, in every build.
extern "C" fn cannot_unwind() {
    panic!("nobody can catch this");
}

fn on_signal(handler: libc::sighandler_t) {
    // SAFETY: the handler is none of this process, or `handler`, which may be called at any time.
    let before = unsafe { libc::signal(libc::SIGUSR1, handler) };
    assert_eq!(before, libc::SIG_DFL);
}

extern "C" fn handler(_: libc::c_int) {
    let text = b"handled\n";
    // SAFETY: the bytes are there. `write` may be called in a handler.
    unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
}

/// Panics in a child that was forked, where there is the hook but no agent.
fn forks() -> ExitCode {
    // SAFETY: the child panics, and prints that, for which it needs no lock that another thread may have held: none of them prints.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let caught = std::panic::catch_unwind(|| panic!("in the child"));
        // SAFETY: has no preconditions.
        unsafe { libc::_exit(i32::from(caught.is_ok())) };
    }
    let mut status = 0;
    // SAFETY: writes to the integer it is given.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0), "the child failed, or hung");
    ExitCode::SUCCESS
}
