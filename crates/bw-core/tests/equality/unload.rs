//! Libraries that go away, and others that come to the same addresses.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Barrier;
use std::task::Poll;

use bw_core::{Backend, counters, traced};

use crate::drive::{
    Cases, ELSEWHERE, Expect, FALLS_BACK, Shot, Stack, compare, goes_on_as_seen, report, shoot,
};
use crate::library::{self, FUNCTIONS, Library};

/// Builds that differ in the sizes of frames alone: the same functions at the same addresses, in code of the same length.
fn builds(more: &[&str]) -> Option<Vec<PathBuf>> {
    let build = |size: u32| {
        let size_flag = format!("-DFRAME={size}");
        let flags = [&["-O2", &size_flag], more].concat();
        library::compile(&format!("frame{size}"), &flags)
    };
    [24, 40, 56, 72].into_iter().map(build).collect()
}

pub(crate) fn run(cases: &mut Cases) {
    for (name, flags, expect) in [
        ("with build id", ["-Wl,--build-id"], ELSEWHERE),
        // Cannot be told from one another, so no rules are kept.
        ("without build id", ["-Wl,--build-id=none"], FALLS_BACK),
    ] {
        if cases.wanted(&format!("reload {name}"))
            && let Some(builds) = builds(&flags)
        {
            reload_between_polls(name, expect, &builds);
        }
    }
    if cases.wanted("reload within one poll")
        && let Some(builds) = builds(&["-Wl,--build-id"])
    {
        reload_within_a_poll(&builds);
    }
    if cases.wanted("stress of loading and unloading")
        && let Some(builds) = builds(&["-Wl,--build-id"])
    {
        stress(&builds);
    }
    library::clean();
}

/// Loads one build after the other, with captures in each.
fn reload_between_polls(name: &str, expect: Expect, builds: &[PathBuf]) {
    const ROUNDS: usize = 24;
    let (mut before, mut same) = (0, 0);
    for round in 0..ROUNDS {
        let library = Library::load(&builds[round % builds.len()]);
        same += usize::from(library.address() == before);
        before = library.address();
        let function = FUNCTIONS[[0, 1, 7][round % 3]];
        let future = poll_fn(|cx| {
            library.call(function, cx.waker());
            Poll::<()>::Pending
        });
        let shots = compare(name, expect, future);
        if round < 2 {
            report(&format!("reload {name}, round {round}"), &shots);
        }
    }
    if same == 0 {
        println!("  SKIPPED reload {name}: in {ROUNDS} rounds the loader never used the same address again");
    } else {
        println!("  ok reload {name}: at the same address in {same} of {ROUNDS} rounds");
    }
}

/// One poll in which builds come and go: nothing but the walk itself can notice.
fn reload_within_a_poll(builds: &[PathBuf]) {
    let places: Vec<_> = builds.iter().map(|build| Library::load(build).address()).collect();
    if places.iter().any(|&place| place != places[0]) {
        println!("  SKIPPED reload within one poll: the loader uses other addresses each time");
        return;
    }
    let mut addresses = Vec::new();
    let future = poll_fn(|cx| {
        addresses.clear();
        for build in builds.iter().chain(builds) {
            let library = Library::load(build);
            addresses.push(library.address());
            library.call(c"call_plt", cx.waker());
        }
        Poll::<()>::Pending
    });
    let shots = compare("reload within one poll", Expect { kept: false, ..ELSEWHERE }, future);
    let same = addresses.windows(2).filter(|pair| pair[0] == pair[1]).count();
    report("reload within one poll", &shots);
    println!("  the same address {same} times of {}", addresses.len() - 1);
}

/// Threads that load, capture and unload at once, some the same library and some others.
fn stress(builds: &[PathBuf]) {
    const THREADS: usize = 4;
    const ROUNDS: usize = 300;
    Backend::Rules.select();
    let together = Barrier::new(THREADS);
    let before = counters();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let together = &together;
                scope.spawn(move || {
                    together.wait();
                    (0..ROUNDS).for_each(|round| one_round(builds, thread, round));
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no thread panics");
        }
    });
    let (captures, fallbacks) =
        (counters().captures - before.captures, counters().fallbacks - before.fallbacks);
    println!(
        "  ok stress: {THREADS} threads, {ROUNDS} rounds each, {fallbacks} fallbacks in {captures} captures"
    );
}

fn one_round(builds: &[PathBuf], thread: usize, round: usize) {
    // Not the same order in every thread; two threads often hold the same library.
    let library = Library::load(&builds[(round + thread * (round / 7)) % builds.len()]);
    let function = FUNCTIONS[(round + thread) % FUNCTIONS.len()];
    let (task, handle) = traced(poll_fn(|cx| {
        library.call(function, cx.waker());
        Poll::<()>::Pending
    }));
    let Shot { stacks, seen, .. } = shoot(pin!(task), &handle, Backend::Rules);
    let &[ref stack @ Stack { flags, .. }, ..] = &stacks[..] else { panic!("nothing was recorded") };
    assert!(!flags.truncated, "thread {thread}, round {round}: {stack:#x?}");
    assert_eq!(stacks.len(), seen.len());
    for (stack, seen) in stacks.iter().zip(&seen) {
        assert!(goes_on_as_seen(stack, seen), "thread {thread}, round {round}: {stack:#x?}, seen {seen:#x?}");
    }
}
