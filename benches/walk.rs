//! The two walks against each other: the same clone of a traced waker, at several depths, by each backend.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use benches::measure::clones;
use bw_core::Backend;

fn walk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("walk");
    for backend in [Backend::Rules, Backend::Backtrace] {
        backend.select();
        for frames in [6, 24, 72, 120] {
            let before = bw_core::counters();
            let mut sampler = clones::ours(frames);
            group.bench_function(BenchmarkId::new(format!("{backend:?}"), frames), |bencher| {
                bencher.iter_custom(&mut sampler);
            });
            let fell_back = bw_core::counters().fallbacks - before.fallbacks;
            // Elsewhere every walk falls back, and the two are one.
            if Backend::DEFAULT == Backend::Rules {
                assert_eq!(fell_back, 0, "the figure is not of {backend:?}");
            }
        }
    }
    Backend::DEFAULT.select();
    group.finish();
}

criterion_group!(benches, walk);
criterion_main!(benches);
