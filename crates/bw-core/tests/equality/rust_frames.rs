//! Frames of Rust code, in the program itself.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use crate::drive::{Cases, EITHER, ELSEWHERE, Expect, FALLS_BACK, Leaf, PLAIN, leaf};

pub(crate) fn run(cases: &mut Cases) {
    cases.check("leaf", PLAIN, Leaf);
    cases.check("async chain", PLAIN, outer());
    cases.check("boxed recursion", PLAIN, recursive(40));
    cases.check("generic chain", PLAIN, generic(generic(generic([Leaf]))));
    cases.check("dyn futures", PLAIN, boxed(boxed(boxed(Box::pin(Leaf)))));
    cases.check("closures", PLAIN, closures());
    cases.check("several leaves", PLAIN, several());
    cases.check("yield", PLAIN, poll_fn(yields));
    cases.check("drop glue", PLAIN, poll_fn(drops));
    cases.check("many arguments", PLAIN, poll_fn(many_arguments));
    cases.check("catch_unwind", PLAIN, poll_fn(catches));
    cases.check("aligned to 64", PLAIN, poll_fn(aligned::<Aligned64>));
    cases.check("aligned to 256", PLAIN, poll_fn(aligned::<Aligned256>));
    cases.check("aligned to 4096", PLAIN, poll_fn(aligned::<Aligned4096>));
    cases.check("100 KiB frame", PLAIN, poll_fn(big::<{ 100 << 10 }>));
    // Beyond what a packed rule can say, where the CFA is counted from the stack pointer.
    let huge = if cfg!(target_arch = "x86_64") && option_env!("EQUALITY_FRAME_POINTERS").is_none() {
        FALLS_BACK
    } else {
        EITHER
    };
    cases.check("600 KiB frame", huge, poll_fn(big::<{ 600 << 10 }>));
    cases.check("clone in a landing pad", PLAIN, poll_fn(unwinds));
    cases.check("qsort of libc", ELSEWHERE, poll_fn(sorts));
    // Another thread's stack has no root.
    cases.check("another thread", FALLS_BACK, poll_fn(foreign));
    cases.check("tokio", PLAIN, tokio_leaves());
    deep(cases);
}

async fn outer() {
    middle(1).await;
}

async fn middle(value: u64) {
    let kept = black_box([value; 9]);
    inner(&kept).await;
    black_box(kept);
}

async fn inner(values: &[u64]) {
    Leaf.await;
    black_box(values);
}

fn recursive(depth: usize) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        if depth == 0 {
            Leaf.await;
        } else {
            recursive(depth - 1).await;
        }
        black_box(depth);
    })
}

trait Polls {
    async fn polls(&mut self);
}

impl Polls for [Leaf; 1] {
    async fn polls(&mut self) {
        Pin::new(&mut self[0]).await;
    }
}

struct Layer<P>(P, u64);

impl<P: Polls> Polls for Layer<P> {
    async fn polls(&mut self) {
        self.0.polls().await;
        black_box(self.1);
    }
}

struct Once<P>(P);

impl<P: Polls> Future for Once<P> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = pin_inner(self.as_mut());
        pin!(this.polls()).poll(cx)
    }
}

fn pin_inner<P>(once: Pin<&mut Once<P>>) -> &mut P {
    // SAFETY: none of the `P` used here is ever pinned: `Layer` and arrays of `Leaf`, all of them `Unpin`.
    let once = unsafe { once.get_unchecked_mut() };
    &mut once.0
}

impl<P: Polls> Polls for Once<P> {
    async fn polls(&mut self) {
        self.0.polls().await;
    }
}

fn generic<P: Polls>(polls: P) -> Once<Layer<P>> {
    Once(Layer(polls, 7))
}

fn boxed(future: Pin<Box<dyn Future<Output = ()>>>) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        future.await;
        black_box(1);
    })
}

async fn closures() {
    poll_fn(|cx| {
        let call: &dyn Fn(&Waker) = &|waker| [1].iter().for_each(|_| leaf(waker));
        black_box(call)(cx.waker());
        Poll::<()>::Pending
    })
    .await;
}

async fn several() {
    let mut futures = [recursive(1), recursive(2), recursive(3)];
    poll_fn(|cx| {
        for future in &mut futures {
            let _ = future.as_mut().poll(cx);
        }
        Poll::<()>::Pending
    })
    .await;
}

fn yields(cx: &mut Context<'_>) -> Poll<()> {
    cx.waker().wake_by_ref();
    black_box(Poll::Pending)
}

struct Drops<'a>(&'a Waker);

impl Drop for Drops<'_> {
    fn drop(&mut self) {
        leaf(self.0);
    }
}

fn drops(cx: &mut Context<'_>) -> Poll<()> {
    drop(black_box([Some(Drops(cx.waker())), None]));
    Poll::Pending
}

fn many_arguments(cx: &mut Context<'_>) -> Poll<()> {
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    fn takes(
        a: u64,
        b: u64,
        c: u64,
        d: u64,
        e: u64,
        f: [u64; 9],
        g: u64,
        h: u64,
        i: f64,
        waker: &Waker,
    ) -> u64 {
        leaf(waker);
        black_box(a + b + c + d + e + g + h + f[8]) + u64::from(i > 0.0)
    }
    let sum = takes(1, 2, 3, 4, 5, [6; 9], 7, 8, 9.0, cx.waker()) + takes_more(cx.waker());
    black_box(sum);
    Poll::Pending
}

#[inline(never)]
fn takes_more(waker: &Waker) -> u64 {
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    extern "C" fn pushed(
        a: u64,
        b: u64,
        c: u64,
        d: u64,
        e: u64,
        f: u64,
        g: u64,
        h: u64,
        waker: &Waker,
    ) -> u64 {
        leaf(waker);
        black_box(a + b + c + d + e + f + g + h)
    }
    black_box(pushed as extern "C" fn(u64, u64, u64, u64, u64, u64, u64, u64, &Waker) -> u64)(
        1, 2, 3, 4, 5, 6, 7, 8, waker,
    )
}

fn catches(cx: &mut Context<'_>) -> Poll<()> {
    let waker = std::panic::AssertUnwindSafe(cx.waker());
    std::panic::catch_unwind(|| leaf(&waker)).expect("nothing panics");
    Poll::Pending
}

macro_rules! aligned {
    ($($name:ident $align:literal),*) => {$(
        #[repr(align($align))]
        #[derive(Default)]
        struct $name(#[expect(dead_code)] u8);
    )*};
}

aligned!(Aligned64 64, Aligned256 256, Aligned4096 4096);

#[inline(never)]
fn aligned<T: Default>(cx: &mut Context<'_>) -> Poll<()> {
    let mut local = T::default();
    black_box(&mut local);
    leaf(cx.waker());
    black_box(&mut local);
    Poll::Pending
}

#[inline(never)]
fn big<const SIZE: usize>(cx: &mut Context<'_>) -> Poll<()> {
    let mut local = [0_u8; SIZE];
    black_box(&mut local);
    leaf(cx.waker());
    black_box(&mut local);
    Poll::Pending
}

/// Unwinds through a frame whose destructor clones.
fn unwinds(cx: &mut Context<'_>) -> Poll<()> {
    #[inline(never)]
    fn falls(waker: &Waker) {
        let _drops = Drops(waker);
        // Not `panic!`: no message.
        std::panic::resume_unwind(Box::new(()));
    }
    if cfg!(panic = "abort") {
        leaf(cx.waker());
    } else {
        let waker = std::panic::AssertUnwindSafe(cx.waker());
        assert!(std::panic::catch_unwind(|| falls(&waker)).is_err());
    }
    Poll::Pending
}

#[cfg(unix)]
fn sorts(cx: &mut Context<'_>) -> Poll<()> {
    use std::cell::Cell;
    use std::ffi::{c_int, c_void};

    thread_local!(static WAKER: Cell<*const Waker> = const { Cell::new(std::ptr::null()) });

    unsafe extern "C" fn compare(_: *const c_void, _: *const c_void) -> c_int {
        // SAFETY: a waker that outlives the call of `qsort`, set just before.
        leaf(unsafe { &*WAKER.get() });
        0
    }
    WAKER.set(cx.waker());
    let mut values = [1_u64, 2];
    // SAFETY: two elements of eight bytes, and a comparison that does not look at them.
    unsafe { libc::qsort(values.as_mut_ptr().cast(), 2, 8, Some(compare)) };
    Poll::Pending
}

#[cfg(not(unix))]
fn sorts(cx: &mut Context<'_>) -> Poll<()> {
    leaf(cx.waker());
    Poll::Pending
}

/// What `backtrace` saw there is in that thread's local, and gone.
fn foreign(cx: &mut Context<'_>) -> Poll<()> {
    let waker = cx.waker();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| leaf(waker));
        thread.join().expect("the thread does not panic");
    });
    Poll::Pending
}

async fn tokio_leaves() {
    let (notify, mutex) = (tokio::sync::Notify::new(), tokio::sync::Mutex::new(()));
    let (_sender, mut receiver) = tokio::sync::mpsc::channel::<()>(1);
    let _held = mutex.lock().await;
    // Not `join!`, which takes turns in who is polled first.
    let mut futures: [Pin<Box<dyn Future<Output = ()> + '_>>; 3] = [
        Box::pin(notify.notified()),
        Box::pin(async { drop(mutex.lock().await) }),
        Box::pin(async { assert!(receiver.recv().await.is_some()) }),
    ];
    poll_fn(|cx| {
        for future in &mut futures {
            let _ = future.as_mut().poll(cx);
        }
        Poll::<()>::Pending
    })
    .await;
}

/// Around what one walk may record, and beyond it.
fn deep(cases: &mut Cases) {
    #[inline(never)]
    fn descend(waker: &Waker, depth: usize) -> usize {
        let below = if depth == 0 {
            leaf(waker);
            0
        } else {
            descend(waker, depth - 1)
        };
        black_box(below + 1)
    }
    let either = Expect { truncated: None, ..PLAIN };
    for depth in [200, 480, 495, 500, 501, 502, 503, 504, 505, 506, 507, 508, 509, 510, 511, 1_000] {
        cases.check(
            &format!("{depth} deep"),
            either,
            poll_fn(move |cx| {
                black_box(descend(cx.waker(), depth));
                Poll::<()>::Pending
            }),
        );
    }
    // Deeper than either walk goes.
    let cut = Expect { truncated: Some(true), ..PLAIN };
    cases.check(
        "10000 deep",
        cut,
        poll_fn(move |cx| {
            black_box(descend(cx.waker(), 10_000));
            Poll::<()>::Pending
        }),
    );
}
