//! From a request to its raw answer, on tokio's current-thread runtime; see [`benches::measure::request`].

use criterion::{Criterion, criterion_group, criterion_main};

use benches::measure::request::samplers;

fn request(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    for (name, mut sampler) in samplers() {
        group.bench_function(name, |bencher| bencher.iter_custom(&mut sampler));
    }
    group.finish();
}

criterion_group!(benches, request);
criterion_main!(benches);
