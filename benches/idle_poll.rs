//! What a poll costs that nobody asked for: the only poll that matters in production. The task is hot in the cache.
//!
//! Measured on two shared x86-64 Linux cores with `cargo bench -p benches --bench idle_poll`: over a bare poll, tasktrace
//! 0.1.1 adds 16 to 20 times what bw-core adds.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use criterion::{Bencher, Criterion, criterion_group, criterion_main};

fn idle_poll(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("idle_poll");
    group.bench_function("bare", |bencher| polls(bencher, work()));
    group.bench_function("bw-core", |bencher| polls(bencher, bw_core::traced(work()).0));
    // Without its handle it has nothing to check for, so the handle lives.
    group.bench_function("tasktrace", |bencher| {
        let (task, _handle) = tasktrace::traced(work());
        polls(bencher, task);
    });
    group.finish();
}

/// The least a future does.
fn work() -> impl Future<Output = ()> {
    poll_fn(|_| black_box(Poll::Pending))
}

/// Polls as executors do: through a pointer, so that nothing of the task is inlined into the loop.
fn polls(bencher: &mut Bencher<'_>, task: impl Future<Output = ()>) {
    let waker = benches::waker();
    let mut cx = Context::from_waker(&waker);
    let mut task = pin!(task);
    let mut task: Pin<&mut dyn Future<Output = ()>> = black_box(task.as_mut());
    bencher.iter(|| task.as_mut().poll(&mut cx));
}

criterion_group!(benches, idle_poll);
criterion_main!(benches);
