//! A program whose tasks poll futures with wakers of their own, and what a look from outside shows of these futures.

use std::collections::BTreeMap;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use bw_inspect::Limits;
use futures::future::{FutureExt as _, join_all, select_all};
use futures::stream::{self, FuturesUnordered, StreamExt as _};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use super::program::{self, LONG, Program, spawn};

async fn nap(label: u32) {
    if label == 0 {
        sleep(LONG).await; // @even
    } else {
        sleep(LONG).await; // @odd
    }
}

async fn child(number: u32) {
    nap(number % 2).await; // @child
}

async fn group(count: u32) {
    let mut children: FuturesUnordered<_> = (0..count).map(child).collect();
    while children.next().await.is_some() {} // @group
}

async fn acquire(semaphore: Arc<Semaphore>) {
    drop(semaphore.acquire().await); // @acquire
}

async fn branches(notify: Arc<Notify>, answer: oneshot::Receiver<u32>) {
    let notified = async {
        notify.notified().await; // @branch_of_notify
    };
    let answered = async {
        answer.await.is_ok() // @branch_of_answer
    };
    tokio::join!(notified, answered);
}

/// More children than the limit that the test sets.
const MANY: u32 = 150;

#[tokio::main(worker_threads = 2)]
pub(super) async fn run() {
    let notify = Arc::new(Notify::new());
    let semaphore = Arc::new(Semaphore::new(0));
    let (answer, question) = oneshot::channel();
    println!("\ntasks");
    spawn("unordered", group(3));
    spawn("nested", async {
        let mut groups: FuturesUnordered<_> = (1..3).map(group).collect();
        while groups.next().await.is_some() {} // @nested
    });
    spawn("joined", async {
        join_all((0..40).map(child)).await; // @joined
    });
    spawn("buffered", async {
        let all = stream::iter(0..10).map(child).buffer_unordered(3);
        all.for_each(async |()| {}).await; // @buffered
    });
    spawn("select_all", async {
        let children = (0..3).map(|number| Box::pin(child(number)));
        select_all(children).await; // @select_all
    });
    // Each uses up something of the budget that a task has in one poll.
    spawn("many", async move {
        let mut all: FuturesUnordered<_> = (0..MANY).map(|_| acquire(semaphore.clone())).collect();
        while all.next().await.is_some() {} // @many
    });
    let several = branches(notify, question);
    spawn("several", async {
        let mut all: FuturesUnordered<_> = [several].into_iter().collect();
        while all.next().await.is_some() {} // @several
    });
    let shared = child(0).shared();
    for name in ["shared_by_one", "shared_by_other"] {
        let shared = shared.clone();
        spawn(name, async {
            shared.await; // @shared
        });
    }
    spawn("aside", async {
        let mut children: FuturesUnordered<_> = (0..3).map(child).collect();
        let next = pin!(children.next());
        assert!(next.now_or_never().is_none());
        yield_now().await;
        pending::<()>().await;
    });
    spawn("join_set", async {
        let mut set = JoinSet::new();
        for number in 0..3 {
            set.spawn(child(number));
        }
        while set.join_next().await.is_some() {} // @join_set
    });
    println!("ready");
    sleep(LONG).await;
    drop(answer);
}

#[test]
fn a_child_that_nobody_woke_is_not_shown() {
    let program = Program::start("children");
    let inspection = program.inspect_when_idle(&Limits::default());
    let symbolizer = program::symbolizer(&inspection);
    let expected: [(&str, &[(&str, usize)]); 11] = [
        ("unordered", &[("group", 1), ("group/child/even", 2), ("group/child/odd", 1)]),
        // The groups are children themselves, and have children.
        (
            "nested",
            &[
                ("nested", 1),
                ("nested/group", 2),
                ("nested/group/child/even", 2),
                ("nested/group/child/odd", 1),
            ],
        ),
        ("joined", &[("joined", 1), ("joined/child/even", 20), ("joined/child/odd", 20)]),
        ("buffered", &[("buffered", 1), ("buffered/child/even", 2), ("buffered/child/odd", 1)]),
        // Polls all of them with the task's waker.
        ("select_all", &[("select_all/child/even", 2), ("select_all/child/odd", 1)]),
        ("many", &[("many", 1), ("many/acquire", 150)]),
        ("several", &[("several", 1), ("several/branch_of_notify", 1), ("several/branch_of_answer", 1)]),
        ("shared_by_one", &[("shared", 1), ("shared/child/even", 1)]),
        ("shared_by_other", &[("shared", 1), ("shared/child/even", 1)]),
        // It has children, but does not wait for them.
        ("aside", &[]),
        // Their tasks are shown as tasks.
        ("join_set", &[("join_set", 1)]),
    ];
    for (name, ways) in expected {
        let ways: BTreeMap<String, usize> =
            ways.iter().map(|(way, count)| ((*way).to_owned(), *count)).collect();
        let task = program.task(&inspection, name);
        assert_eq!(program::ways(&inspection, &symbolizer, task), ways, "{name}");
        assert_eq!(task.incomplete(), None, "{name}");
    }
}

#[test]
fn children_beyond_the_limit_are_left_out_in_silence() {
    let program = Program::start("children");
    let mut limits = Limits::default();
    limits.children = 20;
    let inspection = program.inspect_when_idle(&limits);
    let task = program.task(&inspection, "many");
    let ways = program::ways(&inspection, &program::symbolizer(&inspection), task);
    assert_eq!(ways.get("many/acquire"), Some(&20), "{ways:?}");
    let said = "of the futures that it polls with other wakers, 20 of 150 are shown";
    assert_eq!(task.incomplete(), Some(said));
}
