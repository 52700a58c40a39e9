//! probe
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::sleep;

use crate::harness::{HOUR, at, capture, list, symbolize};

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Forward(Boxed);

impl Future for Forward {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

async fn leaf() {
    at!(sleep(HOUR)).await;
}

async fn first() {
    leaf().await;
}

async fn second() {
    leaf().await;
}

async fn outer(future: Boxed) {
    at!(future).await;
}

#[test]
fn probe() {
    for trace in &capture(|| outer(Box::pin(Forward(Box::pin(leaf())))))[2..] {
        println!("FORWARD\n{}", list(&symbolize(trace).stacks[0]));
    }
    for trace in &capture(|| outer(Box::pin(first())))[2..] {
        println!("FIRST\n{}", list(&symbolize(trace).stacks[0]));
    }
    for trace in &capture(|| outer(Box::pin(second())))[2..] {
        println!("SECOND\n{}", list(&symbolize(trace).stacks[0]));
    }
}
