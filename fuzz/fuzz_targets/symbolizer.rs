//! Any bytes as the file of a module: its debug information is looked for, and addresses in it are symbolized.
//!
//! Nothing may panic, overflow the stack, hang or take much memory. Mutations are mostly in the sections that are read,
//! so that the file stays one.
#![no_main]

#[path = "../../crates/bw-symbolize/tests/hostile/ask.rs"]
mod ask;

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use object::{Object, ObjectSection};

/// In memory, where there is such a folder: a file is written in every run.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    folder.join(format!("fuzz-symbolizer-{}", std::process::id()))
});

fuzz_target!(|bytes: &[u8]| {
    ask::everywhere(bytes, &FILE);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // One in eight changes anything, lengths included.
    if seed % 8 != 0
        && let Some(range) = section(&data[..size], seed / 8)
    {
        let part = &mut data[range];
        let length = part.len();
        // Grows and shrinks to nothing but the section's own length, so that what follows stays in its place.
        let mut copy = part.to_vec();
        let mutated = fuzzer_mutate(&mut copy, length, length);
        part[..mutated].copy_from_slice(&copy[..mutated]);
        return size;
    }
    fuzzer_mutate(data, size, max_size)
});

/// Where in the file a section is, one of those with debug information and symbols.
fn section(bytes: &[u8], seed: u32) -> Option<std::ops::Range<usize>> {
    let object = object::File::parse(bytes).ok()?;
    let ranges: Vec<_> = object
        .sections()
        .filter(|section| section.name().is_ok_and(|name| name.contains("debug") || name.contains("tab")))
        .filter_map(|section| section.file_range())
        .filter_map(|(start, length)| {
            let range = usize::try_from(start).ok()?..usize::try_from(start.checked_add(length)?).ok()?;
            (!range.is_empty() && range.end <= bytes.len()).then_some(range)
        })
        .collect();
    ranges.get(seed as usize % ranges.len().max(1)).cloned()
}
