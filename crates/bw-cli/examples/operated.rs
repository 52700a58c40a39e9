//! A service with an agent, which does on a line of stdin what a test wants: for whole sessions of an operator. Ends with stdin.

use std::io::BufRead;
use std::sync::mpsc::{Receiver, channel};

use backtrace_waker::TracedExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

fn main() {
    bw_agent::start().expect("an agent");
    let (orders, receiver) = unbounded_channel::<String>();
    let (release, released) = channel();
    // A thread of its own: the runtime's may be blocked.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let is_taken =
                if line == "release" { release.send(()).is_ok() } else { orders.send(line).is_ok() };
            if !is_taken {
                break;
            }
        }
        std::process::exit(0);
    });
    // Of one thread, so that one task can block all there is.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(serve(receiver, released));
}

async fn serve(mut orders: UnboundedReceiver<String>, released: Receiver<()>) {
    let mut released = Some(released);
    tokio::spawn(waits_for_ever().traced_as("idle"));
    tokio::spawn(waits_for_children().traced_as("parent"));
    println!("ready");
    while let Some(order) = orders.recv().await {
        match &*order {
            "more" => (0..3).for_each(|_| drop(tokio::spawn(waits_for_ever().traced_as("late")))),
            "wedge" => {
                let released = released.take().expect("it is wedged once");
                tokio::spawn(async move { wedges(&released) }.traced_as("culprit"));
            }
            other => panic!("what is {other:?}?"),
        }
        // They are polled before this is.
        tokio::task::yield_now().await;
        println!("{order} done");
    }
}

async fn waits_for_ever() {
    std::future::poll_fn::<(), _>(|context| {
        drop(context.waker().clone());
        std::task::Poll::Pending
    })
    .await;
}

async fn waits_for_children() {
    let mut children = JoinSet::new();
    for _ in 0..2 {
        children.spawn(waits_for_ever().traced());
    }
    while children.join_next().await.is_some() {}
}

/// What no async function should do.
fn wedges(released: &Receiver<()>) {
    println!("wedged");
    released.recv().expect("somebody releases it");
}
