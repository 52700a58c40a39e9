//! What one clone of the waker costs while a poll is traced.
//!
//! A clone and the drop of what it gave: of an executor's plain waker, and of the recording wakers of bw-core and of
//! tasktrace 0.1.1 at several depths; and a walk of the `backtrace` crate to the same depth. Depth is the number of physical frames from the hook to the root; the cost of one
//! frame is a 48th of the difference between 72 and 24.
//!
//! tasktrace's figures hold only under the override described in [`benches`].

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use benches::measure::clones;

fn clone_hook(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("clone_hook");
    group.bench_function("untraced", |bencher| bencher.iter_custom(clones::untraced()));
    for frames in [6, 24, 72] {
        for (name, hook) in clones::HOOKS {
            let mut sampler = hook(frames);
            group
                .bench_function(BenchmarkId::new(*name, frames), |bencher| bencher.iter_custom(&mut sampler));
        }
    }
    group.finish();
}

criterion_group!(benches, clone_hook);
criterion_main!(benches);
