//! Random words with random operands, by the interpreter and by the processor.

use std::collections::{BTreeMap, HashSet};

use super::interpreted::{CODE, FIRST, State, interpret, name};
use super::native::Processor;
use super::recorded;
use super::words;

/// Words of each pattern that are tried. Most of them are no instructions, or ones that were had before.
/// Unoptimized, it takes minutes for more.
const DRAWN: usize = if cfg!(debug_assertions) { 1_500 } else { 6_000 };
/// Words that are executed of each instruction, and how often each.
const MOST_WORDS: usize = if cfg!(debug_assertions) { 20 } else { 40 };
const ROUNDS: u64 = if cfg!(debug_assertions) { 2 } else { 4 };
/// Words that every instruction is executed of, at least.
const LEAST_WORDS: usize = 12;

#[test]
fn an_instruction_leaves_something_else_than_the_processor() {
    let mut processor = Processor::new();
    let mut known: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut unknown: HashSet<u32> = HashSet::new();
    for word in words::all(DRAWN) {
        match name(word) {
            Some(name) => {
                let list = known.entry(name).or_default();
                if list.len() < MOST_WORDS && !list.contains(&word) {
                    list.push(word);
                }
            }
            // Of those that touch no memory and do not jump.
            None if word >> 25 & 0b0111 == 0b0101 || word >> 25 & 0b0111 == 0b0111 => {
                unknown.insert(word);
            }
            None => {}
        }
    }
    let mut failures: BTreeMap<&str, String> = BTreeMap::new();
    let mut executed = 0_u64;
    let mut lines = Vec::new();
    for (name, list) in &known {
        for (number, word) in list.iter().enumerate() {
            let all: Vec<u32> = words::prefix(*word).into_iter().chain([*word]).collect();
            for round in 0..ROUNDS {
                let before = State::random(u64::from(*word) << 8 | round);
                let (signal, native) = processor.run(&all, &before);
                executed += 1;
                let failure = match interpret(&all, &before) {
                    _ if signal == libc::SIGILL => "  no instruction\n".to_owned(),
                    Ok(interpreted) => native.differences(&interpreted),
                    Err(stop) => format!("  {stop}\n"),
                };
                if !failure.is_empty() {
                    failures
                        .entry(name)
                        .or_insert_with(|| format!("{word:#010x} in round {round}\n{failure}"));
                } else if round == 0 && number < recorded::WORDS {
                    lines.push(recorded::line(&all, &native, name));
                }
            }
        }
    }
    println!("{} instructions, {executed} executions", known.len());
    let mut missing = BTreeMap::new();
    for word in unknown.iter().take(1_000) {
        let before = State::random(1);
        let (signal, after) = processor.run(&[*word], &before);
        if signal == libc::SIGTRAP && after.pc == CODE + FIRST as u64 + 4 {
            // Without the registers and the size.
            missing.entry(word & 0xbf20_fc00).or_insert(*word);
        }
    }
    println!("{} groups of words are instructions that the interpreter does not know:", missing.len());
    println!("{:08x?}", missing.values().collect::<Vec<_>>());
    let text: String = failures.iter().map(|(name, failure)| format!("{name}: {failure}")).collect();
    assert!(failures.is_empty(), "{} instructions differ from the processor:\n{text}", failures.len());
    // Those without operands have one word, or a few.
    let seldom = known.iter().filter(|(_, list)| list.len() < LEAST_WORDS).map(|(name, _)| name);
    println!("instructions with few words: {:?}", seldom.collect::<Vec<_>>());
    assert!(known.len() >= 300, "only {} instructions are covered", known.len());
    recorded::write_if_asked(&lines);
}
