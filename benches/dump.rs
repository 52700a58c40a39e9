//! A dump of a thousand suspended tasks on two workers, asked for from outside; see [`benches::measure::dump`].
//!
//! And what many tasks are doing, without asking them. For regressions: the scoreboard has the others beside it, and more tasks.

use std::time::Duration;

use backtrace_waker::TaskFilter;
use criterion::{Criterion, criterion_group, criterion_main};

use benches::measure::{dump, service};

fn task_dump(criterion: &mut Criterion) {
    let runtime = service::runtime();
    let registry = dump::suspended(&runtime, 1_000);
    let mut group = criterion.benchmark_group("dump");
    group.bench_function("1k_capture", |bencher| bencher.iter_custom(timed(dump::capture(&registry))));
    group.bench_function("1k_grouped", |bencher| bencher.iter_custom(timed(dump::grouped(&registry))));
    group.finish();
}

/// What the stall watch of an agent does every few seconds.
fn look(criterion: &mut Criterion) {
    let runtime = service::runtime();
    let registry = dump::suspended(&runtime, 100_000);
    let mut group = criterion.benchmark_group("look");
    group.sample_size(10);
    let (nobody, all) = (TaskFilter::new().in_state_for(Duration::from_secs(86_400)), TaskFilter::new());
    group.bench_function("100k_none_pass", |bencher| {
        bencher.iter(|| registry.look(&nobody).raw().tasks().len());
    });
    group.bench_function("100k_all_pass", |bencher| bencher.iter(|| registry.look(&all).raw().tasks().len()));
    group.finish();
}

fn timed(mut millis: impl FnMut() -> f64) -> impl FnMut(u64) -> Duration {
    move |iterations| Duration::from_secs_f64((0..iterations).map(|_| millis()).sum::<f64>() / 1e3)
}

criterion_group!(benches, task_dump, look);
criterion_main!(benches);
