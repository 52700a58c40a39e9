//! The lowest layer alone: a task is asked where it waits, and answers with raw addresses.
//!
//! `bw-core` knows nothing of symbols and reads no debug information, so this works in a stripped binary too. A
//! symbolizer can name the addresses later, in this process or, with the module each lies in, on another machine.
//!
//! `cargo run --example raw_capture`

use std::time::Duration;

use tokio::sync::oneshot;

/// Waits at two places at once.
async fn answer_or_give_up(answer: oneshot::Receiver<()>) {
    tokio::select! {
        _ = answer => println!("answered"),
        () = tokio::time::sleep(Duration::from_secs(3600)) => println!("gave up"),
    }
}

#[tokio::main]
async fn main() -> Result<(), bw_core::CaptureError> {
    let (answer, waits) = oneshot::channel();
    let task = bw_core::Tracer::new().named("answer or give up").trace(answer_or_give_up(waits));
    let handle = task.handle();
    let task = tokio::spawn(task);

    // Wakes the task; its next poll records a stack wherever the waker is cloned.
    let trace = handle.capture().await?;

    println!("task {} ({}), {}", handle.id(), handle.name().unwrap_or("no name"), handle.spawned_at());
    for (number, stack) in trace.stacks().enumerate() {
        // `truncated`: callers are missing. `foreign`: recorded on another thread. `is_yield`: it woke itself.
        println!("stack {number}, leaf first, {:?}", stack.flags());
        for address in stack.addresses() {
            // Where the call returns to, and what to look up in tables: a byte inside the call.
            println!("  {address:>18}  lookup {:#x}", address.lookup());
        }
    }
    println!("{} stacks did not fit", trace.dropped());

    let _ = answer.send(());
    let _ = task.await;
    println!("the task {}", handle.state());
    Ok(())
}
