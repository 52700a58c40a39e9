//! What the processor left, recorded: it is compared on every machine.
//!
//! `BW_RECORD=1 ci/aarch64 inspect` writes the file anew.

use super::interpreted::{State, interpret};

const FILE: &str = include_str!("recorded.txt");
/// Words that are recorded of each instruction.
#[cfg(target_arch = "aarch64")]
pub(crate) const WORDS: usize = 3;

/// The last of some words gives the operands.
fn seed(words: &[u32]) -> u64 {
    words.last().map_or(0, |word| u64::from(*word) << 8)
}

#[cfg(target_arch = "aarch64")]
pub(crate) fn line(words: &[u32], after: &State, name: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:08x}")).collect();
    format!("{} {:016x} {name}\n", words.join("+"), after.digest())
}

#[cfg(target_arch = "aarch64")]
pub(crate) fn write_if_asked(lines: &[String]) {
    if std::env::var_os("BW_RECORD").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aarch64/recorded.txt");
        std::fs::write(path, lines.concat()).unwrap();
    }
}

#[test]
fn an_instruction_leaves_something_else_than_what_was_recorded() {
    let mut failures = Vec::new();
    let mut count = 0;
    for line in FILE.lines() {
        let mut parts = line.splitn(3, ' ');
        let words = parts.next().unwrap().split('+').map(|word| u32::from_str_radix(word, 16).unwrap());
        let words: Vec<u32> = words.collect();
        let digest = u64::from_str_radix(parts.next().unwrap(), 16).unwrap();
        let after = interpret(&words, &State::random(seed(&words)));
        if after.as_ref().map(State::digest) != Ok(digest) {
            failures.push(format!("{line}: {:?}", after.err()));
        }
        count += 1;
    }
    assert!(failures.is_empty(), "{} of {count} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= 900, "only {count} are recorded");
}
