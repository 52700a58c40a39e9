//! What keeping stacks costs beside walking them: a whole request to a task that waits at so many places at once, where
//! each stack is short. Its stacks are published to the slot, and the slot is finished to a raw trace.
//!
//! 1,024 do not fit into a slot of the first size, so that each request allocates a larger one.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use benches::measure::clones;

fn slot(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slot");
    for branches in [1, 16, 128, 1024] {
        group.throughput(Throughput::Elements(branches));
        let mut sampler = clones::requests_for_branches(usize::try_from(branches).expect("it fits"));
        group.bench_function(BenchmarkId::new("branches", branches), |bencher| {
            bencher.iter_custom(&mut sampler);
        });
    }
    group.finish();
}

criterion_group!(benches, slot);
criterion_main!(benches);
