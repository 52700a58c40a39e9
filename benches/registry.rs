//! Tasks that come and go, on one thread and on two; see [`benches::measure::spawn`].
//!
//! The figure of two threads is the time of one iteration on one of them while the other does the same.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use benches::measure::{spawn, two_threads};

fn registry(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("registry");
    for &(name, make) in spawn::KINDS {
        let mut sampler = make();
        group.bench_function(BenchmarkId::new(name, 1), |bencher| bencher.iter_custom(&mut sampler));
        let mut sampler = two_threads::on_both(make);
        group.bench_function(BenchmarkId::new(name, 2), |bencher| bencher.iter_custom(&mut sampler));
    }
    group.finish();
}

criterion_group!(benches, registry);
criterion_main!(benches);
