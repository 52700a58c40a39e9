//! The traces of many processes, each distinct one once.

use std::collections::HashMap;
use std::sync::Arc;

use bw_core::{RawTrace, StackFlags};

use super::build_table::BuildTable;
use crate::module_map::{Module, ModuleMap};

/// Every distinct trace, by number.
#[derive(Debug, Default)]
pub(super) struct TraceTable {
    numbers: HashMap<Trace, u32>,
}

/// Stacks in an order of their own: in which order a poll recorded them is of no interest, and changes from poll to poll.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Trace {
    stacks: Vec<(Vec<Frame>, StackFlags)>,
    dropped: usize,
    /// The type of the tasks that have it: those of several are told apart.
    of_type: Option<Arc<str>>,
}

/// A trace, and the type of the tasks that have it.
pub(super) type TypedTrace = (RawTrace, Option<Arc<str>>);

/// The number of a build, and the return address in its file; or no build, and the address in the process.
type Frame = (Option<u32>, u64);

impl TraceTable {
    /// The number of a trace of tasks of a type, in a process that has these modules, whose builds have these numbers.
    pub(super) fn number(
        &mut self,
        trace: &RawTrace,
        of_type: Option<&str>,
        modules: &ModuleMap,
        builds: &[Option<u32>],
    ) -> u32 {
        let frame = |address: bw_core::ReturnAddress| {
            let avma = address.get() as u64;
            match modules.find(address).and_then(|module| Some((module, builds[module]?))) {
                Some((module, build)) => (Some(build), avma.wrapping_sub(modules.modules()[module].bias())),
                None => (None, BuildTable::outside(avma)),
            }
        };
        let stacks = trace.stacks().map(|stack| (stack.addresses().map(frame).collect(), stack.flags()));
        let of_type = of_type.map(Into::into);
        let mut trace = Trace { stacks: stacks.collect(), dropped: trace.dropped(), of_type };
        trace.order();
        // More than 2^32 do not fit into memory.
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(trace).or_insert(next)
    }

    /// The traces in an order that depends on nothing but what they are, with addresses in the modules where builds were
    /// placed, each with the type of its tasks; and for each number, its place in that order.
    pub(super) fn place(self, modules: &[Module]) -> (Vec<TypedTrace>, Vec<usize>) {
        let address = |&(build, offset): &Frame| {
            let bias = build.and_then(|build| modules.get(build as usize)).map_or(0, Module::bias);
            (None, offset.wrapping_add(bias))
        };
        let placed = |(trace, number): (Trace, u32)| {
            let stacks =
                trace.stacks.iter().map(|(frames, flags)| (frames.iter().map(address).collect(), *flags));
            let mut trace = Trace { stacks: stacks.collect(), ..trace };
            trace.order();
            (trace, number)
        };
        let mut all: Vec<_> = self.numbers.into_iter().map(placed).collect();
        all.sort_by(|(a, _), (b, _)| a.key().cmp(&b.key()));
        let mut place_of = vec![0; all.len()];
        for (place, (_, number)) in all.iter().enumerate() {
            place_of[*number as usize] = place;
        }
        (all.into_iter().map(|(trace, _)| (trace.raw(), trace.of_type)).collect(), place_of)
    }
}

impl Trace {
    fn order(&mut self) {
        self.stacks.sort_by_cached_key(|(frames, flags)| (frames.clone(), mark(*flags)));
    }

    /// What orders traces: all there is.
    fn key(&self) -> impl Ord + '_ {
        let stacks: Vec<_> = self.stacks.iter().map(|(frames, flags)| (&**frames, mark(*flags))).collect();
        (stacks, self.dropped, self.of_type.as_deref())
    }

    fn raw(&self) -> RawTrace {
        // Addresses fit: those of modules were placed so, and others came from a process.
        let address = |&(_, address): &Frame| usize::try_from(address).unwrap_or(usize::MAX);
        let stacks = self.stacks.iter().map(|(frames, flags)| (frames.iter().map(address), *flags));
        RawTrace::from_stacks(stacks).with_dropped(self.dropped)
    }
}

/// Flags as something that has an order, whatever flags there will be.
fn mark(flags: StackFlags) -> String {
    format!("{flags:?}")
}
