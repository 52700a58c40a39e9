//! Decoded code, shared by many runs.

use core::fmt;
use core::ops::Range;
use std::collections::{BTreeMap, HashMap};

use super::fault::Fault;
use super::overlay::Overlay;
use super::processor::Processor;
use super::x86_64;

/// The most instructions of one block.
const LONGEST_BLOCK: usize = 64;
/// How many recently entered blocks are found without a hash table.
const RECENT: usize = 4096;

/// Instructions that are executed one after the other: only the last may jump.
#[derive(Debug)]
struct Block {
    /// Their addresses and themselves are here in the cache.
    steps: Range<usize>,
    /// The address behind the last.
    end: u64,
    /// How often the block was entered.
    entered: u64,
}

/// Decoded code, in blocks by address.
///
/// Thousands of tasks poll the same code: pass one cache to all runs over the memory of one process, and each block is decoded once.
/// Keys are addresses, so a cache must not be used for another process. Memory use grows with the code that runs, up to a limit at which
/// the cache forgets everything and begins anew.
pub struct CodeCache<P: Processor = x86_64::Cpu> {
    blocks: Vec<Block>,
    instructions: Vec<P::Instruction>,
    addresses: Vec<u64>,
    index: HashMap<u64, u32>,
    recent: Box<[(u64, u32)]>,
    most_instructions: usize,
}

/// A block to execute.
#[derive(Debug)]
pub(super) struct Steps<'c, I> {
    pub(super) addresses: &'c [u64],
    pub(super) instructions: &'c [I],
    pub(super) end: u64,
}

impl<P: Processor> CodeCache<P> {
    /// Makes an empty cache that holds about half a million instructions, 50 MB.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(500_000)
    }

    /// Makes an empty cache that holds about `most_instructions`.
    #[must_use]
    pub fn with_limit(most_instructions: usize) -> Self {
        Self {
            blocks: Vec::new(),
            instructions: Vec::new(),
            addresses: Vec::new(),
            index: HashMap::new(),
            // No block is at address 0 with an index that exists before the first one is decoded: see `enter`.
            recent: vec![(0, u32::MAX); RECENT].into(),
            most_instructions: most_instructions.min(u32::MAX as usize - LONGEST_BLOCK),
        }
    }

    /// Returns how many instructions are decoded.
    #[must_use]
    pub fn instruction_count(&self) -> usize {
        self.instructions.len()
    }

    /// Returns how often each mnemonic was executed, since the cache was made or began anew. Takes time with the size of the cache.
    ///
    /// A block that was left early counts as a whole.
    #[must_use]
    pub fn frequencies(&self) -> BTreeMap<String, u64> {
        let mut frequencies = BTreeMap::new();
        for block in &self.blocks {
            for instruction in self.instructions.get(block.steps.clone()).unwrap_or_default() {
                let count: &mut u64 = frequencies.entry(P::mnemonic(instruction)).or_default();
                *count = count.saturating_add(block.entered);
            }
        }
        frequencies
    }

    /// The block that begins at an address, decoded now if need be.
    #[inline]
    pub(super) fn enter(
        &mut self,
        at: u64,
        memory: &mut Overlay<'_>,
    ) -> Result<Steps<'_, P::Instruction>, Fault> {
        // Code is dense, and on most architectures not aligned: mix in higher bits.
        #[expect(clippy::cast_possible_truncation, reason = "the remainder of a small number")]
        let slot = ((at ^ (at >> 12)) % RECENT as u64) as usize;
        let place = match self.recent[slot] {
            (known, place) if known == at && place != u32::MAX => place,
            _ => {
                let place = match self.index.get(&at) {
                    Some(place) => *place,
                    None => self.decode(at, memory)?,
                };
                self.recent[slot] = (at, place);
                place
            }
        };
        // `place` is from `index` or `recent`, both of which are cleared together with `blocks`.
        let block = self.blocks.get_mut(place as usize).ok_or(Fault::Unknown)?;
        block.entered = block.entered.saturating_add(1);
        Ok(Steps {
            addresses: &self.addresses[block.steps.clone()],
            instructions: &self.instructions[block.steps.clone()],
            end: block.end,
        })
    }

    #[cold]
    fn decode(&mut self, at: u64, memory: &mut Overlay<'_>) -> Result<u32, Fault> {
        if self.instructions.len() >= self.most_instructions {
            self.blocks.clear();
            self.instructions.clear();
            self.addresses.clear();
            self.index.clear();
            self.recent.fill((0, u32::MAX));
        }
        let first = self.instructions.len();
        let mut next = at;
        let mut code = vec![0; P::LONGEST];
        for _ in 0..LONGEST_BLOCK {
            // An instruction may be the last before memory that cannot be read. Only its own bytes must be readable.
            let available = match memory.read(next, &mut code) {
                Ok(()) => code.len(),
                Err(fault) => {
                    let readable = (0..code.len())
                        .take_while(|len| memory.read(next, &mut code[..=*len]).is_ok())
                        .count();
                    if readable == 0 {
                        if self.instructions.len() > first {
                            break;
                        }
                        return Err(fault);
                    }
                    readable
                }
            };
            let Some(decoded) = P::decode(next, &code[..available]) else {
                if self.instructions.len() > first {
                    break;
                }
                return Err(Fault::Unreadable(next.wrapping_add(available as u64)));
            };
            self.addresses.push(next);
            self.instructions.push(decoded.instruction);
            next = next.wrapping_add(decoded.len as u64);
            if decoded.ends_block {
                break;
            }
        }
        let place = u32::try_from(self.blocks.len()).map_err(|_| Fault::Unknown)?;
        self.blocks.push(Block { steps: first..self.instructions.len(), end: next, entered: 0 });
        self.index.insert(at, place);
        Ok(place)
    }
}

impl<P: Processor> Default for CodeCache<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Processor> fmt::Debug for CodeCache<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeCache")
            .field("blocks", &self.blocks.len())
            .field("instructions", &self.instructions.len())
            .finish()
    }
}
