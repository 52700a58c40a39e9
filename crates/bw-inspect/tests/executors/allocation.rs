//! A program with a task that allocates in its poll, and what a look from outside shows of it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::hint::black_box;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use bw_inspect::Limits;
use tokio::runtime::Builder;

use super::program::{self, Program};

/// The upper bits of addresses in the memory that only an emulated poll has. No program has memory there by itself.
const EMULATED: usize = 0x60;

#[repr(align(4096))]
struct Aligned([u8; 64]);

fn keep(waker: &Waker) {
    static KEPT: Mutex<Vec<Waker>> = Mutex::new(Vec::new());

    let waker = waker.clone();
    KEPT.lock().unwrap().push(waker);
}

fn wait(context: &Context<'_>) -> Poll<()> {
    let mut grown = black_box(vec![7_u8; 100]);
    grown.reserve(10_000);
    let zeroed = black_box(vec![0_u8; 4096]);
    let aligned = black_box(Box::new(Aligned([1; 64])));
    let addresses = [grown.as_ptr().addr(), zeroed.as_ptr().addr(), aligned.0.as_ptr().addr()];
    let is_right = addresses[2].is_multiple_of(4096)
        && grown.iter().all(|byte| *byte == 7)
        && zeroed.iter().all(|byte| *byte == 0)
        && aligned.0.iter().all(|byte| *byte == 1);
    if addresses.iter().any(|address| address >> 40 != EMULATED) {
        keep(context.waker()); // @by_the_allocator
    } else if is_right {
        keep(context.waker()); // @by_hand
    } else {
        keep(context.waker()); // @wrong_content
    }
    Poll::Pending
}

pub(super) fn run() {
    println!("\ntasks");
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        program::spawn("allocates", async {
            poll_fn(|context| wait(context)).await; // @allocates
        });
        println!("ready");
        std::future::pending::<()>().await;
    });
}

#[test]
fn an_emulated_poll_takes_the_lock_of_the_allocator() {
    let program = Program::start("allocation");
    let inspection = program.inspect_when_idle(&Limits::default());
    let task = program.task(&inspection, "allocates");
    let ways = program::ways(&inspection, &program::symbolizer(&inspection), task);
    assert_eq!(ways, BTreeMap::from([("allocates/by_hand".to_owned(), 1)]));
}
