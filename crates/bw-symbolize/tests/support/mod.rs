//! Captures real stacks, and checks what they are symbolized to.
#![allow(dead_code, reason = "each test program uses a part")]

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bw_core::{RawTrace, ReturnAddress, StackFlags};
use bw_symbolize::{Frame, PhysicalFrame, Symbolizer};

/// A position, taken where the macro [`here`] stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here {
    pub(crate) file: &'static str,
    pub(crate) line: u32,
}

/// The position of this line.
macro_rules! here {
    () => {
        $crate::support::Here { file: file!(), line: line!() }
    };
}
pub(crate) use here;

thread_local! {
    static CAPTURED: RefCell<Vec<Captured>> = const { RefCell::new(Vec::new()) };
}

/// One stack, leaf first, and where the future that captured it says it is awaited.
pub(crate) struct Captured {
    pub(crate) addresses: Vec<usize>,
    pub(crate) awaited_at: Here,
}

/// The return addresses of the stack, the caller of this function first.
#[inline(never)]
pub(crate) fn capture(awaited_at: Here) {
    let mut addresses = Vec::new();
    backtrace::trace(|frame| {
        addresses.push(frame.ip() as usize);
        true
    });
    CAPTURED.with_borrow_mut(|captured| captured.push(Captured { addresses, awaited_at }));
}

/// A leaf future: captures its stack when it is polled first.
pub(crate) struct Leaf {
    awaited_at: Here,
    is_ready: bool,
}

pub(crate) fn leaf(awaited_at: Here) -> Leaf {
    Leaf { awaited_at, is_ready: false }
}

impl Future for Leaf {
    type Output = ();

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.is_ready {
            return Poll::Ready(());
        }
        self.is_ready = true;
        capture(self.awaited_at);
        Poll::Pending
    }
}

/// Polls a future by hand until it is done; returns what its leaves captured.
#[inline(never)]
pub(crate) fn run(future: impl Future) -> Vec<Captured> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut context).is_pending() {}
    CAPTURED.take()
}

/// What calling a function captured.
#[inline(never)]
pub(crate) fn call(function: impl FnOnce()) -> Vec<Captured> {
    function();
    CAPTURED.take()
}

/// The one stack of a test, symbolized, flattened to functions, leaf first.
pub(crate) fn symbolize(captured: &[Captured]) -> Vec<Frame> {
    assert_eq!(captured.len(), 1, "each test captures one stack");
    let stack = captured[0].addresses.iter().copied();
    let trace = RawTrace::from_stacks([(stack, StackFlags::default())]);
    let symbolized = Symbolizer::new().symbolize(&trace);
    assert_eq!(symbolized.stacks.len(), 1);
    let frames = &symbolized.stacks[0].frames;
    for frame in frames {
        // The physical function comes last, everything before it is inlined into it.
        let last = frame.frames.len().saturating_sub(1);
        assert!(
            frame.frames.iter().enumerate().all(|(index, it)| it.inlined == (index != last)),
            "{frame:?}"
        );
    }
    frames.iter().flat_map(|frame| frame.frames.iter().cloned()).collect()
}

/// Asserts that `names` stand in the stack in this order, leaf first, the first of them at the line where the
/// leaf was awaited.
///
/// Where the platform's backend cannot tell kinds of bodies, all of them are closures.
#[track_caller]
pub(crate) fn assert_names(captured: &[Captured], names: &[&str]) {
    let frames = symbolize(captured);
    let listing: Vec<String> = frames.iter().map(line).collect();
    let mut rest = frames.iter();
    for (index, name) in names.iter().enumerate() {
        let found = rest.find(|frame| name_of(frame).is_some_and(|found| found == expected(name)));
        let Some(found) = found else { panic!("no {name} in {listing:#?}") };
        if index == 0 {
            let location = found.location.as_ref().expect("a location");
            assert!(location.file.ends_with(captured[0].awaited_at.file), "{location}");
            assert_eq!(location.line, Some(captured[0].awaited_at.line), "{location}");
            assert!(location.column.is_some_and(|column| column > 1), "{location}");
        }
    }
}

fn line(frame: &Frame) -> String {
    let location = frame.location.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{} {location}", name_of(frame).unwrap_or("-"))
}

pub(crate) fn name_of(frame: &Frame) -> Option<&str> {
    frame.function.as_ref().map(|function| &*function.name)
}

/// The name as the backend of this platform can know it.
fn expected(name: &str) -> String {
    if cfg!(all(any(target_os = "linux", target_os = "android"), not(bw_portable))) {
        return name.to_owned();
    }
    // An async closure is two bodies, of which only the debug information knows that they are one.
    name.replace("async closure", "closure in closure")
        .replace("async block", "closure")
        .replace("async fn", "closure in")
}

pub(crate) fn address(address: usize) -> ReturnAddress {
    ReturnAddress::new(address).expect("not zero")
}

/// The frame of some code of this test program.
pub(crate) fn frame_of_this_program(symbolizer: &Symbolizer) -> (ReturnAddress, Arc<PhysicalFrame>) {
    let captured = call(|| capture(here!()));
    let address = address(captured[0].addresses[1]);
    (address, symbolizer.symbolize_address(address))
}
