//! Which modules the kept rules are of.
//!
//! Modules other than home may be unloaded, and others may come to the same addresses, whose rules differ. So each is
//! identified whenever a stack passes through it, by where it is and by its build id. The first time, the
//! walk forgets the rules it has kept for those addresses: they are of what was there before. A module without a build id
//! cannot be told from another build of itself, and stays a stranger: the slow walk has to do its stacks.
//!
//! It need not be noticed *when* a module goes away. Rules are only ever kept for the address of a live frame, so no
//! thread keeps any of a module that is gone; and another module is recognized, and the rules are forgotten, before any rule is looked up
//! for its addresses.
//!
//! | an entry's print | meaning | left by |
//! |---|---|---|
//! | 0 | free; its addresses mean nothing | `recognizes`, of a module that has no entry: known |
//! | a fingerprint | no rule is kept for its addresses but the module's own | `recognizes`, of a module that overlaps it: it is gone, so free · of any, when no entry is free: free |
//!
//! | `busy` | meaning | left by |
//! |---|---|---|
//! | false | nobody writes | `recognizes`, of a module whose print it did not find: true |
//! | true | one thread frees entries, forgets rules, and then stores the print | that thread: false. Others that do not find their print give up meanwhile |
//!
//! Rules are forgotten before the print is stored, so a thread that finds the print finds no rule of another module.
//! `loom_models/known_modules_model.rs` compiles this very file with loom's atomics and checks that.

use core::num::NonZeroUsize;
use core::ops::Range;

use super::primitives::{AtomicBool, AtomicUsize, Ordering};

/// The modules that walks have passed through since the last time there were too many, other than home.
///
/// Bounded, because it is searched in the hook.
pub(super) struct KnownModules {
    /// Somebody is writing.
    busy: AtomicBool,
    entries: [Entry; Self::CAPACITY],
}

/// One module.
pub(super) struct Entry {
    /// Of the module, or 0 while the entry is free.
    print: AtomicUsize,
    /// Where the module is. Only looked at by who is writing.
    start: AtomicUsize,
    end: AtomicUsize,
}

impl Entry {
    /// A free entry, of three zeros.
    pub(super) const fn new(print: AtomicUsize, start: AtomicUsize, end: AtomicUsize) -> Self {
        Self { print, start, end }
    }
}

impl KnownModules {
    pub(super) const CAPACITY: usize = if cfg!(bw_loom) { 2 } else { 64 };

    /// `busy` is false. It and the entries are passed in, since loom's atomics cannot be made in constants.
    pub(super) const fn new(busy: AtomicBool, entries: [Entry; Self::CAPACITY]) -> Self {
        Self { busy, entries }
    }

    /// Notes a module that is loaded: its [fingerprint](super::module::Module::fingerprint), and where it is. `true` if the kept
    /// rules are right for its addresses, after calling `forget` if need be.
    pub(super) fn recognizes(
        &self,
        print: NonZeroUsize,
        addresses: &Range<usize>,
        forget: impl FnOnce(),
    ) -> bool {
        let print = print.get();
        // Ordering: Acquire pairs with the Release store below: who finds the print finds the rules forgotten.
        if self.entries.iter().any(|entry| entry.print.load(Ordering::Acquire) == print) {
            return true;
        }
        // Not a lock: nobody waits for it.
        // Ordering: Acquire pairs with the Release store that ends another thread's turn.
        if self.busy.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        // Modules that this one replaces are gone. If they return, they are new again.
        // Ordering: Relaxed here and for places throughout; `busy` orders them. A thread that still finds a print that
        // is being taken away is in a module that is still loaded, whose rules are right.
        for entry in &self.entries {
            let (start, end) = (entry.start.load(Ordering::Relaxed), entry.end.load(Ordering::Relaxed));
            if start < addresses.end && addresses.start < end {
                entry.print.store(0, Ordering::Relaxed);
            }
        }
        let vacant = || self.entries.iter().find(|entry| entry.print.load(Ordering::Relaxed) == 0);
        if vacant().is_none() {
            for entry in &self.entries {
                entry.print.store(0, Ordering::Relaxed);
            }
        }
        forget();
        if let Some(entry) = vacant() {
            entry.start.store(addresses.start, Ordering::Relaxed);
            entry.end.store(addresses.end, Ordering::Relaxed);
            // Ordering: Release pairs with the Acquire load above.
            entry.print.store(print, Ordering::Release);
        }
        // Ordering: Release pairs with the Acquire exchange of the next thread.
        self.busy.store(false, Ordering::Release);
        true
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use std::cell::Cell;

    use super::super::module::{BuildId, Module};
    use super::*;

    const ONE: BuildId<'_> = BuildId(&[1; 20]);
    const OTHER: BuildId<'_> = BuildId(&[2; 20]);

    fn new() -> KnownModules {
        let entry = || Entry::new(AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        KnownModules::new(AtomicBool::new(false), std::array::from_fn(|_| entry()))
    }

    fn at(start: usize) -> Module {
        Module {
            start,
            end: start + 0x1000,
            header: start + 16,
            segment_start: start,
            segment_end: start + 0x100,
        }
    }

    fn recognizes(known: &KnownModules, module: &Module, id: BuildId<'_>, forget: impl FnOnce()) -> bool {
        known.recognizes(module.fingerprint(id), &module.addresses(), forget)
    }

    /// Whether rules were forgotten.
    fn forgets(known: &KnownModules, module: &Module, id: BuildId<'_>) -> bool {
        let forgot = Cell::new(false);
        assert!(recognizes(known, module, id, || forgot.set(true)));
        forgot.get()
    }

    #[test]
    fn rules_are_forgotten_when_a_module_is_met_first_and_when_it_changed() {
        let known = new();
        let here = at(0x10_000);
        assert_eq!(
            [ONE, ONE, OTHER, OTHER, ONE, ONE].map(|id| forgets(&known, &here, id)),
            [true, false, true, false, true, false]
        );
        // Another one, that overlaps it.
        assert!(forgets(&known, &at(0x10_800), ONE));
        assert!(forgets(&known, &here, ONE));
        // And one that does not.
        assert!(forgets(&known, &at(0x11_000), ONE));
        assert!(!forgets(&known, &here, ONE));
    }

    #[test]
    fn more_modules_than_there_is_room_for_are_met_all_the_same() {
        let known = new();
        for round in 0..3 {
            for n in 1..=KnownModules::CAPACITY + 10 {
                let module = at(n * 0x1000);
                assert!(forgets(&known, &module, ONE), "round {round}, module {n}");
                assert!(!forgets(&known, &module, ONE));
            }
        }
    }

    #[test]
    fn nobody_waits_while_another_writes() {
        let known = new();
        let (here, there) = (at(0x10_000), at(0x20_000));
        assert!(recognizes(&known, &here, ONE, || {
            assert!(!recognizes(&known, &there, ONE, || unreachable!()));
            assert!(!recognizes(&known, &here, ONE, || unreachable!()));
        }));
        assert!(forgets(&known, &there, ONE));
    }
}
