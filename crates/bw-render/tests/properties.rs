//! What holds for every tree.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bw_core::{ReturnAddress, StackFlags};
use bw_render::{Detail, Node, Text, Tree};
use bw_symbolize::{Frame, Function, Location, PhysicalFrame, SymbolizedStack, SymbolizedTrace};
use proptest::prelude::*;

const PATHS: &[&str] = &[
    "app::run::{{closure}}",
    "app::fetch",
    "bw_core::hook::clone",
    "tokio::sync::mutex::Mutex<T>::lock",
    "<core::future::poll_fn::PollFn<F> as core::future::future::Future>::poll",
];
const FILES: &[&str] =
    &["/app/src/main.rs", "/x/registry/src/index/tokio-1.0.0/src/a.rs", "/rustc/0/library/core/src/a.rs"];

/// Frames that the address decides, as in a real program; names may be anything.
fn frames() -> impl Strategy<Value = Vec<Arc<PhysicalFrame>>> {
    proptest::collection::vec((1..40_usize, any::<Option<String>>()), 0..12).prop_map(|frames| {
        let physical = |(address, odd): (usize, Option<String>)| {
            let frame = |n: usize| {
                let name = || odd.clone().unwrap_or_else(|| PATHS[n % PATHS.len()].into());
                let function = (!n.is_multiple_of(7)).then(|| Function::new(name(), PATHS[n % PATHS.len()]));
                let location =
                    (!n.is_multiple_of(5)).then(|| Location::new(FILES[n % FILES.len()], Some(1), None));
                Frame::new(function, location, false)
            };
            let address = ReturnAddress::new(address).unwrap();
            Arc::new(PhysicalFrame::new(
                address,
                None,
                (0..address.get() % 4).map(|n| frame(address.get() + n)).collect(),
            ))
        };
        frames.into_iter().map(physical).collect()
    })
}

fn traces() -> impl Strategy<Value = SymbolizedTrace> {
    let flags = any::<(bool, bool, bool, bool)>().prop_map(|(truncated, foreign, is_yield, blocked)| {
        let flags = StackFlags::default().with_truncated(truncated).with_foreign(foreign);
        flags.with_yield(is_yield).with_blocked(blocked)
    });
    let stack = (frames(), flags).prop_map(|(frames, flags)| SymbolizedStack::new(frames, flags));
    proptest::collection::vec(stack, 0..12).prop_map(|stacks| SymbolizedTrace::new(stacks, 0))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_stack_ends_somewhere_and_parents_stand_before_children(trace in traces()) {
        let tree = Tree::new(&trace);
        let stacks = trace.stacks.iter().filter(|stack| !stack.frames.is_empty()).count();
        prop_assert_eq!(tree.nodes().iter().map(Node::ends).sum::<usize>(), stacks);
        // Our own hook is no answer.
        let is_ours = |node: &Node| node.frame().function.as_ref().is_some_and(|it| &*it.path == "bw_core::hook::clone");
        let says_nothing = tree.nodes().iter().all(is_ours);
        for detail in [Detail::User, Detail::Library, Detail::Full] {
            let tree = tree.filtered(detail);
            let is_empty = stacks == 0 || (says_nothing && detail != Detail::Full);
            prop_assert_eq!(tree.nodes().is_empty(), is_empty, "something is left of every tree");
            for (at, node) in tree.nodes().iter().enumerate() {
                prop_assert!(node.parent().is_none_or(|parent| parent < at));
                prop_assert!(node.count() >= 1);
                prop_assert!(node.children().iter().all(|&child| tree.nodes()[child].parent() == Some(at)));
            }
        }
    }

    #[test]
    fn text_has_no_control_characters(trace in traces()) {
        let tree = Tree::new(&trace);
        for detail in [Detail::User, Detail::Library, Detail::Full] {
            let text = Text::new().detail(detail).render(&tree).to_string();
            prop_assert!(!text.is_empty());
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        }
    }

    #[test]
    fn the_order_of_capture_does_not_matter(trace in traces(), seed in any::<u64>()) {
        // Names decided by the address alone, or which of two is printed depends on the order.
        let plain = |mut trace: SymbolizedTrace| {
            for frame in trace.stacks.iter_mut().flat_map(|stack| &mut stack.frames) {
                for function in Arc::make_mut(frame).frames.iter_mut().filter_map(|frame| frame.function.as_mut()) {
                    function.name = Arc::clone(&function.path);
                }
            }
            trace
        };
        let trace = plain(trace);
        let mut shuffled = trace.clone();
        let mut state = seed;
        for at in (1..shuffled.stacks.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.stacks.swap(at, (state >> 33) as usize % (at + 1));
        }
        let (tree, other) = (Tree::new(&trace), Tree::new(&shuffled));
        prop_assert_eq!(format!("{tree}"), format!("{other}"));
        prop_assert_eq!(format!("{tree:#}"), format!("{other:#}"));
        prop_assert_eq!(tree, other);
    }
}
