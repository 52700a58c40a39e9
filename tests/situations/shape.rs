//! What the wrapper adds to a future, and what it leaves as it is.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;

use bw_core::{CaptureError, CaptureFuture, RawTrace, TraceHandle, TracedTask, traced};

fn added<F: Future>(future: F) -> usize {
    let before = size_of::<F>();
    let (task, _handle) = traced(future);
    size_of_val(&task) - before
}

#[test]
#[cfg(target_pointer_width = "64")]
fn as_much_as_48_bytes_and_padding_are_added_to_the_future() {
    async fn real(bytes: [u8; 100]) -> usize {
        pending::<()>().await;
        bytes.len()
    }
    struct Bytes<const N: usize>([u8; N]);
    impl<const N: usize> Future for Bytes<N> {
        type Output = ();
        fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
            assert!(self.0.len() == N);
            std::task::Poll::Pending
        }
    }
    assert_eq!(added(Bytes([0; 0])), 48);
    assert_eq!(added(Bytes([0; 1])), 55);
    assert_eq!(added(Bytes([0; 8])), 48);
    assert_eq!(added(Bytes([0; 1000])), 48);
    assert!(added(real([0; 100])) < 56);
    assert_eq!(added(Box::pin(real([0; 100]))), 48);
}

fn is_send<T: Send>(_: &T) {}
fn is_sync<T: Sync>(_: &T) {}
fn is_unpin<T: Unpin>(_: &T) {}

#[test]
fn the_wrapper_is_send_and_sync_as_the_future_is() {
    let (task, handle) = traced(std::future::ready(1));
    is_send(&task);
    is_sync(&task);
    is_unpin(&Box::pin(task));
    is_send(&handle);
    is_sync(&handle);
    let capture = handle.capture();
    is_send(&capture);
    is_sync(&capture);
    is_unpin(&capture);
    is_send::<Option<Result<RawTrace, CaptureError>>>(&None);
    is_sync::<Option<Result<RawTrace, CaptureError>>>(&None);
    fn sendable<F: Future + Send>(future: F) -> impl Send {
        traced(future).0
    }
    drop(sendable(async {}));
    let _: fn(TraceHandle) -> CaptureFuture = |handle| handle.capture();
    let _: Option<TracedTask<std::future::Ready<()>>> = None;
}

#[test]
fn futures_that_are_not_send() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let ran = local.block_on(&runtime, async {
        let ran = Rc::new(Cell::new(false));
        let notify = Rc::new(tokio::sync::Notify::new());
        let (task, handle) = traced({
            let (ran, notify) = (Rc::clone(&ran), Rc::clone(&notify));
            async move {
                notify.notified().await;
                ran.set(true);
            }
        });
        let join = tokio::task::spawn_local(task);
        assert_eq!(handle.capture().await.unwrap().stacks().count(), 1);
        notify.notify_one();
        join.await.unwrap();
        ran.get()
    });
    assert!(ran);
}

#[test]
fn the_place_of_the_call_is_kept() {
    let (_task, handle) = traced(async {});
    assert_eq!((handle.spawned_at().file(), handle.spawned_at().line()), (file!(), line!() - 1));
    let task = bw_core::Tracer::new().named("worker").trace(async {});
    let handle = task.handle();
    assert_eq!(handle.name(), Some("worker"));
    assert_eq!((handle.spawned_at().file(), handle.spawned_at().line()), (file!(), line!() - 3));
    assert_eq!(task.handle().id(), handle.id());
    let task = bw_core::Tracer::new().named(format!("worker {}", 1)).trace(async {});
    assert_eq!(task.handle().name(), Some("worker 1"));
}
