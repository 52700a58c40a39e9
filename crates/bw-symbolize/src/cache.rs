//! The frames of addresses that were asked for before.

use std::collections::HashMap;
use std::sync::Arc;

use bw_core::ReturnAddress;

use crate::frame::PhysicalFrame;
use crate::resolver::Generation;

/// How many addresses are remembered.
///
/// A large program has a few thousand places where a task can wait or call; 64 Ki leaves room for all of them.
/// A frame takes about 150 bytes for each function inlined there, its names and paths shared with other frames.
pub(crate) const CAPACITY: usize = 64 * 1024;

/// Frames by address. When it is full, all of it goes: simple, rare, and everything can be found again.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// Every frame here holds for this generation.
    generation: Generation,
    frames: HashMap<ReturnAddress, Arc<PhysicalFrame>>,
}

impl Cache {
    /// The frame of an address, if it is known and the modules did not change since.
    pub(crate) fn get(&self, address: ReturnAddress, generation: Generation) -> Option<Arc<PhysicalFrame>> {
        if self.generation != generation {
            return None;
        }
        self.frames.get(&address).map(Arc::clone)
    }

    /// Moves to a later generation; frames that `outlives(frame, then, now)` denies are dropped.
    pub(crate) fn advance(
        &mut self,
        now: Generation,
        outlives: impl Fn(&PhysicalFrame, Generation, Generation) -> bool,
    ) {
        if now <= self.generation {
            return;
        }
        let then = self.generation;
        self.frames.retain(|_, frame| outlives(frame, then, now));
        self.generation = now;
    }

    /// Remembers a frame found in `generation`. Returns the one to use: of two threads that found the same
    /// address at once, both get the first one's.
    pub(crate) fn insert(&mut self, frame: PhysicalFrame, generation: Generation) -> Arc<PhysicalFrame> {
        if generation != self.generation {
            return Arc::new(frame);
        }
        if self.frames.len() >= CAPACITY && !self.frames.contains_key(&frame.address) {
            self.frames = HashMap::new();
        }
        Arc::clone(self.frames.entry(frame.address).or_insert_with_key(|_| Arc::new(frame)))
    }

    /// Forgets every frame.
    pub(crate) fn clear(&mut self) {
        self.frames = HashMap::new();
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Generation = Generation { loads: 0, unloads: 0 };
    const LATER: Generation = Generation { loads: 1, unloads: 1 };

    fn frame(address: usize) -> PhysicalFrame {
        PhysicalFrame { address: ReturnAddress::new(address).unwrap(), module: None, frames: Vec::new() }
    }

    #[test]
    fn the_first_frame_of_an_address_stays() {
        let mut cache = Cache::default();
        let first = cache.insert(frame(1), FIRST);
        let second = cache.insert(frame(1), FIRST);
        assert!(Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&first, &cache.get(first.address, FIRST).unwrap()));
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut cache = Cache::default();
        for address in 1..=CAPACITY {
            cache.insert(frame(address), FIRST);
        }
        assert_eq!(cache.len(), CAPACITY);
        cache.insert(frame(1), FIRST);
        assert_eq!(cache.len(), CAPACITY);
        let last = cache.insert(frame(CAPACITY + 1), FIRST);
        assert_eq!(cache.len(), 1);
        assert!(cache.get(last.address, FIRST).is_some());
    }

    #[test]
    fn a_later_generation_drops_what_it_must() {
        let mut cache = Cache::default();
        let gone = cache.insert(frame(1), FIRST);
        let kept = cache.insert(frame(2), FIRST);
        assert!(cache.get(kept.address, LATER).is_none());
        cache.advance(LATER, |frame, then, now| {
            assert_eq!((then, now), (FIRST, LATER));
            frame.address == kept.address
        });
        assert!(cache.get(gone.address, LATER).is_none());
        assert!(cache.get(kept.address, LATER).is_some());
        assert!(cache.get(kept.address, FIRST).is_none());
    }

    #[test]
    fn a_frame_found_too_late_is_not_remembered() {
        let mut cache = Cache::default();
        cache.advance(LATER, |_, _, _| true);
        let late = cache.insert(frame(1), FIRST);
        assert!(cache.get(late.address, LATER).is_none());
        cache.advance(FIRST, |_, _, _| panic!("generations do not go back"));
    }
}
