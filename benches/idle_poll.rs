//! What a poll costs that nobody asked for: one task, which is hot in the cache; 1,000, which fit into the second level;
//! 100,000, which fit into none. And one whose waker is another at every poll.
//!
//! On x86-64 the idle path of a small future is 46 instructions, the future's own three not counted (`objdump -d` of the poll
//! behind `dyn`): ten to find the thread's slot, eleven for the generation and the waker, eleven to enter the slot, seven for the
//! stamp and to leave, and seven for the end of the frame. Nine are stores, of which the task's own line sees two.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use benches::measure::{idle, name};

fn idle_poll(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("idle_poll");
    for count in [1, 1_000, 100_000] {
        for (name, make) in idle::KINDS {
            let mut sampler = idle::polls(make(count));
            // Every task's first poll is another.
            sampler(count as u64);
            group.bench_function(BenchmarkId::new(*name, count), |bencher| bencher.iter_custom(&mut sampler));
        }
    }
    for (name, make) in idle::KINDS {
        if [name::BARE, name::OURS, name::TASKTRACE].contains(name) {
            let mut sampler = idle::polls_with_changing_wakers(make(1));
            group.bench_function(BenchmarkId::new(*name, "changing waker"), |bencher| {
                bencher.iter_custom(&mut sampler);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, idle_poll);
criterion_main!(benches);
