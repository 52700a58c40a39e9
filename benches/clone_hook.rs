//! What one clone of the waker costs while a poll is traced.
//!
//! A clone and the drop of what it gave: of an executor's plain waker, and of the recording wakers of bw-core and of
//! tasktrace 0.1.1 at several depths. Depth is the number of physical frames from the hook to the root; the cost of one
//! frame is a 48th of the difference between 72 and 24.
//!
//! tasktrace's figures hold only under the override described in [`benches`]: its scoped-trace is unoptimized here,
//! since optimized it records nothing. Most of its time is spent in the unwinder, which is optimized.
//!
//! Measured on two shared x86-64 Linux cores with `cargo bench -p benches --bench clone_hook`, bw-core walking through
//! the `backtrace` crate (the portable walk): tasktrace takes 2.3 times as long as bw-core at 6, 24 and 72 frames, and
//! 2.2 times as long for each further frame. A clone traced by bw-core through 24 frames takes as long as 700 untraced ones.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn clone_hook(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("clone_hook");
    let waker = benches::waker();
    group.bench_function("untraced", |bencher| bencher.iter(|| black_box(&waker).clone()));
    for frames in [6, 24, 72] {
        group.bench_function(BenchmarkId::new("bw-core", frames), |bencher| {
            bencher.iter_custom(benches::bw_core_clones(frames));
        });
    }
    for frames in [6, 24, 72] {
        group.bench_function(BenchmarkId::new("tasktrace", frames), |bencher| {
            bencher.iter_custom(benches::tasktrace_clones(frames));
        });
    }
    group.finish();
}

criterion_group!(benches, clone_hook);
criterion_main!(benches);
