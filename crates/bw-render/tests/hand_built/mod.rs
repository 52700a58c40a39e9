//! Symbolized traces by hand.

#![allow(dead_code, clippy::unwrap_used)] // Each test program uses some of it.

use std::sync::Arc;

use bw_core::{ReturnAddress, StackFlags};
use bw_render::Tree;
use bw_symbolize::{
    Frame, Function, Location, ModuleOffset, PhysicalFrame, SymbolizedStack, SymbolizedTrace,
};

pub(crate) const MAIN: &str = "/home/me/app/src/main.rs";
pub(crate) const TOKIO: &str = "/home/me/.cargo/registry/src/index-0123/tokio-1.54.1/src";
pub(crate) const CORE: &str = "/rustc/0123/library/core/src";

/// Functions at one address, innermost first: name, path, file, line.
pub(crate) type Functions<'a> = &'a [(&'a str, &'a str, &'a str, u32)];

pub(crate) fn physical(address: usize, functions: Functions<'_>) -> Arc<PhysicalFrame> {
    let frame = |&(name, path, file, line): &(&str, &str, &str, u32)| {
        Frame::new(Some(Function::new(name, path)), Some(Location::new(file, Some(line), Some(5))), false)
    };
    Arc::new(PhysicalFrame::new(
        ReturnAddress::new(address).unwrap(),
        Some(ModuleOffset::new("/usr/bin/app", address as u64)),
        functions.iter().map(frame).collect(),
    ))
}

pub(crate) fn user(address: usize, name: &str, line: u32) -> Arc<PhysicalFrame> {
    physical(
        address,
        &[(&format!("async fn app::{name}"), &format!("app::{name}::{{{{closure}}}}"), MAIN, line)],
    )
}

pub(crate) fn tokio(address: usize, path: &str, file: &str) -> Arc<PhysicalFrame> {
    physical(address, &[(path, path, &format!("{TOKIO}/{file}"), 7)])
}

pub(crate) fn root() -> Arc<PhysicalFrame> {
    physical(1, &[("bw_core::task::poll_attended", "bw_core::task::poll_attended", MAIN, 1)])
}

/// What a clone of the waker leaves at the leaf end.
pub(crate) fn clone(address: usize) -> [Arc<PhysicalFrame>; 2] {
    let waker = "<core::task::wake::Waker as core::clone::Clone>::clone";
    [
        physical(address, &[(waker, waker, &format!("{CORE}/task/wake.rs"), 2)]),
        physical(900, &[("bw_core::hook::clone", "bw_core::hook::clone", MAIN, 3)]),
    ]
}

/// A stack from frames in the order of printing: root first.
pub(crate) fn stack(frames: Vec<Arc<PhysicalFrame>>) -> SymbolizedStack {
    SymbolizedStack::new(frames.into_iter().rev().collect(), StackFlags::default())
}

pub(crate) fn waits(at: &[Arc<PhysicalFrame>], clone_at: usize) -> SymbolizedStack {
    stack([root()].into_iter().chain(at.iter().cloned()).chain(clone(clone_at)).collect())
}

pub(crate) fn tree(stacks: Vec<SymbolizedStack>) -> Tree {
    Tree::new(&SymbolizedTrace::new(stacks, 0))
}
