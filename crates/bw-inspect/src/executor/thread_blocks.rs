//! The thread pointers of AArch64, found in the memory of a process.
//!
//! A thread pointer is the address of two words, of which no one has its own address. In front of them is the C library's description of the
//! thread, with the thread's number. The thread-local values of the program begin behind them, and a table that the description or the
//! first word leads to (`dtv`) has the address of these values. So an address is a thread pointer if it leads back to itself in this way.

use std::collections::HashMap;

use crate::target::Target;
use crate::target::data_scan::DataScan;
use crate::target::memory::Memory;
use crate::target::threads::Thread;
use crate::target::words::{word_at, words_of};

/// Bytes from the number of a thread to its thread pointer, at most: glibc has about 1,600, musl about 150.
const DESCRIPTION_BYTES: usize = 4096;
/// Bytes of the two words, and the most that the values are farther because of their alignment.
const WORDS_BYTES: u64 = 16;
const MOST_ALIGNMENT: u64 = 4096;
/// The highest count of modules, or of changes to their list.
const MOST_COUNT: u64 = 1 << 32;
/// Places of numbers that are looked at.
const MOST_PLACES: usize = 1 << 16;

/// Returns the thread pointers by the numbers of the threads. Takes one more pass over the memory of the process.
pub(crate) fn find(target: &dyn Target, data: &DataScan, threads: &[Thread]) -> HashMap<u64, u64> {
    let numbers: HashMap<u64, u64> = threads.iter().map(|thread| (thread.inner_id, thread.id)).collect();
    let (Some(first), Some(last)) = (numbers.keys().min(), numbers.keys().max()) else {
        return HashMap::new();
    };
    let mut places = Vec::new();
    data.each(target, |start, words, count| {
        let words = words.iter().take(count).map(|word| u64::from_le_bytes(*word));
        for (address, word) in (start..).step_by(8).zip(words) {
            // The upper half is another number, which is zero.
            if (first..=last).contains(&&word)
                && let Some(thread) = numbers.get(&word)
                && places.len() < MOST_PLACES
            {
                places.push((address, *thread));
            }
        }
    });
    let mut found = HashMap::new();
    for (place, thread) in places {
        if let Some(pointer) = behind(target, place) {
            found.entry(thread).or_insert(pointer);
        }
    }
    found
}

/// The first thread pointer behind a number.
fn behind(memory: &dyn Memory, place: u64) -> Option<u64> {
    let mut bytes = vec![0; DESCRIPTION_BYTES];
    // Shorter at the end of a mapping.
    let length = (1..=8).rev().map(|part| DESCRIPTION_BYTES / 8 * part);
    let length = length.into_iter().find(|length| memory.read(place, &mut bytes[..*length]).is_ok())?;
    let words: Vec<u64> = words_of(&bytes[..length]).collect();
    let candidates = (1..words.len()).filter(|at| (place + *at as u64 * 8).is_multiple_of(16));
    candidates.map(|at| (at, place + at as u64 * 8)).find_map(|(at, pointer)| {
        // glibc has the address of the table at the thread pointer, musl in front of it; and the address of the values in the second entry
        // of the table. An entry has two words with glibc, and one with musl.
        let glibc = words.get(at).map(|table| (*table, 16));
        let musl = words.get(at - 1).map(|table| (*table, 8));
        let leads_back = glibc.into_iter().chain(musl).any(|(table, entry)| {
            let word = |at: u64| word_at(memory, at).ok();
            // The values are behind the two words, as far as their alignment says. The first entry is a count.
            let is_behind = |values: u64| {
                let distance = values.wrapping_sub(pointer);
                distance.is_power_of_two() && (WORDS_BYTES..=MOST_ALIGNMENT).contains(&distance)
            };
            table.is_multiple_of(8)
                && table >= 4096
                && word(table).is_some_and(|count| count <= MOST_COUNT)
                && word(table.wrapping_add(entry)).is_some_and(is_behind)
        });
        leads_back.then_some(pointer)
    })
}
