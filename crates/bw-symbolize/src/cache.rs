//! The frames of addresses that were asked for before.

use std::collections::HashMap;
use std::sync::Arc;

use bw_core::ReturnAddress;
use bw_dump::loaded::LoadGeneration;

use crate::frame::{Frame, PhysicalFrame};

/// Frames by address. When it is full, all of it goes: simple, rare, and everything can be found again.
#[derive(Debug)]
pub(crate) struct Cache {
    /// How many bytes of memory the frames may take.
    limit: usize,
    /// How many they take, about.
    bytes: usize,
    /// Every frame here holds for this generation.
    generation: LoadGeneration,
    frames: HashMap<ReturnAddress, Arc<PhysicalFrame>>,
}

impl Cache {
    /// An empty cache for so many bytes of frames.
    ///
    /// A large program has a few thousand places where a task can wait or call, of about a kilobyte each.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, generation: LoadGeneration::default(), frames: HashMap::new() }
    }

    /// The frame of an address, if it is known and the modules did not change since.
    pub(crate) fn get(
        &self,
        address: ReturnAddress,
        generation: LoadGeneration,
    ) -> Option<Arc<PhysicalFrame>> {
        if self.generation != generation {
            return None;
        }
        self.frames.get(&address).map(Arc::clone)
    }

    /// Moves to a later generation; frames that `outlives(frame, then, now)` denies are dropped.
    pub(crate) fn advance(
        &mut self,
        now: LoadGeneration,
        outlives: impl Fn(&PhysicalFrame, LoadGeneration, LoadGeneration) -> bool,
    ) {
        if now <= self.generation {
            return;
        }
        let then = self.generation;
        self.frames.retain(|_, frame| {
            let stays = outlives(frame, then, now);
            self.bytes -= if stays { 0 } else { bytes_of(frame) };
            stays
        });
        self.generation = now;
    }

    /// Remembers a frame found in `generation`. Returns the one to use: of two threads that found the same
    /// address at once, both get the first one's.
    pub(crate) fn insert(&mut self, frame: PhysicalFrame, generation: LoadGeneration) -> Arc<PhysicalFrame> {
        if generation != self.generation {
            return Arc::new(frame);
        }
        if let Some(known) = self.frames.get(&frame.address) {
            return Arc::clone(known);
        }
        let bytes = bytes_of(&frame);
        if self.bytes + bytes > self.limit {
            self.clear();
        }
        let frame = Arc::new(frame);
        // What is larger than the whole cache is not kept.
        if bytes <= self.limit {
            self.bytes += bytes;
            self.frames.insert(frame.address, Arc::clone(&frame));
        }
        frame
    }

    /// Forgets every frame.
    pub(crate) fn clear(&mut self) {
        self.frames = HashMap::new();
        self.bytes = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }
}

/// Bytes of memory that a frame takes, about. Paths of files are few, and shared by nearly all frames.
fn bytes_of(frame: &PhysicalFrame) -> usize {
    /// The frame itself, its count of references, its place in the map.
    const BASE: usize = size_of::<PhysicalFrame>() + 64;
    let names = frame.frames.iter().filter_map(|frame| frame.function.as_ref());
    let text: usize = names
        .map(|function| {
            let is_one = Arc::ptr_eq(&function.name, &function.path);
            function.path.len() + if is_one { 0 } else { function.name.len() }
        })
        .sum();
    BASE + frame.frames.len() * size_of::<Frame>() + text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Function;

    const FIRST: LoadGeneration = LoadGeneration::new(0, 0);
    const LATER: LoadGeneration = LoadGeneration::new(1, 1);

    fn frame(address: usize) -> PhysicalFrame {
        PhysicalFrame { address: ReturnAddress::new(address).unwrap(), module: None, frames: Vec::new() }
    }

    #[test]
    fn the_first_frame_of_an_address_stays() {
        let mut cache = Cache::new(1 << 20);
        let first = cache.insert(frame(1), FIRST);
        let second = cache.insert(frame(1), FIRST);
        assert!(Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&first, &cache.get(first.address, FIRST).unwrap()));
    }

    #[test]
    fn the_cache_is_bounded() {
        let room_for = 100;
        let mut cache = Cache::new(room_for * bytes_of(&frame(1)));
        for address in 1..=room_for {
            cache.insert(frame(address), FIRST);
        }
        assert_eq!(cache.len(), room_for);
        cache.insert(frame(1), FIRST);
        assert_eq!(cache.len(), room_for);
        let last = cache.insert(frame(room_for + 1), FIRST);
        assert_eq!(cache.len(), 1);
        assert!(cache.get(last.address, FIRST).is_some());
    }

    #[test]
    fn a_frame_larger_than_the_cache_is_not_kept() {
        let mut cache = Cache::new(4096);
        let name: Arc<str> = "x".repeat(5000).into();
        let function = Some(Function::new(Arc::clone(&name), name));
        let frames = vec![Frame { function, location: None, inlined: false }];
        let huge = cache.insert(PhysicalFrame { frames, ..frame(1) }, FIRST);
        assert_eq!((huge.frames.len(), cache.len()), (1, 0));
    }

    #[test]
    fn a_later_generation_drops_what_it_must() {
        let mut cache = Cache::new(1 << 20);
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
        let mut cache = Cache::new(1 << 20);
        cache.advance(LATER, |_, _, _| true);
        let late = cache.insert(frame(1), FIRST);
        assert!(cache.get(late.address, LATER).is_none());
        cache.advance(FIRST, |_, _, _| panic!("generations do not go back"));
    }
}
