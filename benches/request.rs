//! From a request to its raw answer: a suspended task of eight async levels on tokio's current-thread runtime.
//!
//! Raw means addresses; nothing is symbolized. For tasktrace see the override described in [`benches`].
//!
//! Measured on two shared x86-64 Linux cores with `cargo bench -p benches --bench request`, bw-core walking through the
//! `backtrace` crate: tasktrace 0.1.1 takes 1.9 to 2.1 times as long as bw-core.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

fn request(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("request");

    let (task, handle) = bw_core::traced(levels(8));
    let task = runtime.spawn(task);
    group.bench_function("bw-core", |bencher| {
        bencher.iter_custom(|iterations| {
            timed(&runtime, iterations, async || {
                let trace = handle.capture().await.expect("a suspended task has a trace");
                assert_eq!(trace.stacks().count(), 1);
            })
        });
    });
    task.abort();

    let (task, handle) = tasktrace::traced(levels(8));
    let task = runtime.spawn(task);
    group.bench_function("tasktrace", |bencher| {
        let rendered =
            runtime.block_on(handle.backtrace()).expect("a suspended task has a trace").to_string();
        assert!(rendered.contains("request::levels"), "tasktrace saw nothing:\n{rendered}");
        bencher.iter_custom(|iterations| {
            timed(&runtime, iterations, async || {
                handle.backtrace().await.expect("a suspended task has a trace");
            })
        });
    });
    task.abort();
    group.finish();
}

/// Each level boxed, so that each is a physical frame.
fn levels(left: usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match left {
            0 => Notify::new().notified().await,
            _ => levels(left - 1).await,
        }
    })
}

fn timed(runtime: &Runtime, iterations: u64, ask: impl AsyncFn()) -> Duration {
    runtime.block_on(async {
        let start = Instant::now();
        for _ in 0..iterations {
            ask().await;
        }
        start.elapsed()
    })
}

criterion_group!(benches, request);
criterion_main!(benches);
