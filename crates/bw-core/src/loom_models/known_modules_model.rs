//! Modules that come and go while stacks pass through them: `unwind/rules/known_modules.rs` with loom's atomics.
//!
//! The kept rules of a stretch of addresses are one word: 0, or the number of the module whose rules they are. A thread that is in
//! a module keeps the rules of that module, as a walk does. No walk may find rules of another module.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use loom::thread;

use self::known_modules::{Entry, KnownModules};
use self::primitives::{AtomicBool, AtomicUsize, Ordering};
use crate::loom_models::model;

/// The very file that the crate uses.
#[path = "../unwind/rules/known_modules.rs"]
mod known_modules;

mod primitives {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
}

struct World {
    known: KnownModules,
    /// The kept rules of three stretches of addresses.
    rules: [AtomicUsize; 3],
}

/// A loaded module: its number, which is its fingerprint too, and the stretch where it is.
#[derive(Clone, Copy)]
struct Loaded {
    number: usize,
    stretch: usize,
}

impl Loaded {
    fn addresses(self) -> Range<usize> {
        let start = 0x1000 * (self.stretch + 1);
        start..start + 0x1000
    }
}

impl World {
    fn new() -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        let entries = std::array::from_fn(|_| Entry::new(zero(), zero(), zero()));
        let known = KnownModules::new(AtomicBool::new(false), entries);
        Arc::new(Self { known, rules: std::array::from_fn(|_| zero()) })
    }

    /// A stack passes through that module. Tells whether it was walked by rules; if not, by the slow walk.
    fn walk(&self, module: Loaded) -> bool {
        let rules = &self.rules[module.stretch];
        let print = NonZeroUsize::new(module.number).unwrap();
        // Ordering: Relaxed throughout, as in the table of rules.
        let is_known =
            self.known.recognizes(print, &module.addresses(), || rules.store(0, Ordering::Relaxed));
        if is_known {
            let found = rules.load(Ordering::Relaxed);
            assert!(found == 0 || found == module.number, "rules of module {found} for {}", module.number);
            rules.store(module.number, Ordering::Relaxed);
        }
        is_known
    }
}

#[test]
fn loom_two_walks_in_a_module_that_replaced_another_find_no_rule_of_that() {
    model(|| {
        let world = World::new();
        assert!(world.walk(Loaded { number: 1, stretch: 0 }));
        let walks = [(); 2].map(|()| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.walk(Loaded { number: 2, stretch: 0 }))
        });
        let walked = walks.map(|walk| walk.join().unwrap());
        assert!(walked.contains(&true), "one of them is first");
        assert!(world.walk(Loaded { number: 2, stretch: 0 }), "nobody is busy any more");
    });
}

#[test]
fn loom_a_module_that_returns_is_new_again_while_others_are_met() {
    model(|| {
        let world = World::new();
        let (one, two) = (Loaded { number: 1, stretch: 0 }, Loaded { number: 2, stretch: 0 });
        assert!(world.walk(one));
        let elsewhere = thread::spawn({
            let world = Arc::clone(&world);
            move || world.walk(Loaded { number: 3, stretch: 1 })
        });
        // Each is loaded when the one before is gone.
        for module in [two, one] {
            let world = Arc::clone(&world);
            thread::spawn(move || world.walk(module)).join().unwrap();
        }
        elsewhere.join().unwrap();
    });
}

#[test]
fn loom_more_modules_than_there_is_room_for_are_met_at_once() {
    model(|| {
        let world = World::new();
        // There is room for two.
        assert!(world.walk(Loaded { number: 1, stretch: 0 }));
        assert!(world.walk(Loaded { number: 2, stretch: 1 }));
        let walks = [3, 1].map(|number| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.walk(Loaded { number, stretch: if number == 3 { 2 } else { 0 } }))
        });
        let _ = world.walk(Loaded { number: 2, stretch: 1 });
        for walk in walks {
            walk.join().unwrap();
        }
    });
}
