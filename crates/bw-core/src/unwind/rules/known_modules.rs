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

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::module::{BuildId, Module};

/// The modules that walks have passed through since the last time there were too many, other than home.
///
/// Bounded, because it is searched in the hook.
pub(super) struct KnownModules {
    /// Somebody is writing.
    busy: AtomicBool,
    entries: [Entry; Self::CAPACITY],
}

struct Entry {
    /// Of the module, or 0 while the entry is free.
    print: AtomicUsize,
    /// Where the module is. Only looked at by who is writing.
    start: AtomicUsize,
    end: AtomicUsize,
}

impl KnownModules {
    const CAPACITY: usize = 64;

    pub(super) const fn new() -> Self {
        let entries = [const {
            Entry { print: AtomicUsize::new(0), start: AtomicUsize::new(0), end: AtomicUsize::new(0) }
        }; Self::CAPACITY];
        Self { busy: AtomicBool::new(false), entries }
    }

    /// Notes a module that is loaded. `true` if the kept rules are right for its addresses, after calling `forget` if
    /// need be.
    pub(super) fn recognizes(&self, module: &Module, build_id: BuildId<'_>, forget: impl FnOnce()) -> bool {
        let print = fingerprint(module, build_id);
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
            if start < module.end && module.start < end {
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
            entry.start.store(module.start, Ordering::Relaxed);
            entry.end.store(module.end, Ordering::Relaxed);
            // Ordering: Release pairs with the Acquire load above.
            entry.print.store(print, Ordering::Release);
        }
        // Ordering: Release pairs with the Acquire exchange of the next thread.
        self.busy.store(false, Ordering::Release);
        true
    }
}

/// A hash of all that identifies a loaded module. Never 0. FNV-1a.
fn fingerprint(module: &Module, build_id: BuildId<'_>) -> usize {
    /// Build ids have 20 bytes or fewer, unless somebody chose theirs.
    const LONGEST: usize = 64;
    let addresses = [module.start, module.end, module.header, module.segment_end];
    let bytes =
        addresses.iter().flat_map(|word| word.to_ne_bytes()).chain(build_id.0.iter().copied().take(LONGEST));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    #[allow(clippy::cast_possible_truncation)] // usize is 64 bits on these platforms.
    {
        hash as usize | 1
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const ONE: BuildId<'_> = BuildId(&[1; 20]);
    const OTHER: BuildId<'_> = BuildId(&[2; 20]);

    fn at(start: usize) -> Module {
        Module {
            start,
            end: start + 0x1000,
            header: start + 16,
            segment_start: start,
            segment_end: start + 0x100,
        }
    }

    /// Whether rules were forgotten.
    fn forgets(known: &KnownModules, module: &Module, id: BuildId<'_>) -> bool {
        let forgot = Cell::new(false);
        assert!(known.recognizes(module, id, || forgot.set(true)));
        forgot.get()
    }

    #[test]
    fn rules_are_forgotten_when_a_module_is_met_first_and_when_it_changed() {
        let known = KnownModules::new();
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
        let known = KnownModules::new();
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
        let known = KnownModules::new();
        let (here, there) = (at(0x10_000), at(0x20_000));
        assert!(known.recognizes(&here, ONE, || {
            assert!(!known.recognizes(&there, ONE, || unreachable!()));
            assert!(!known.recognizes(&here, ONE, || unreachable!()));
        }));
        assert!(forgets(&known, &there, ONE));
    }
}
