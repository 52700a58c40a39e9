//! Whether a process has tables of functions of tasks of the crate `async-task` before 4.3. They have no layout that tells them from others.
//!
//! The function that clones a waker is the last in the table of its task, and the first in the table of the waker. It returns the address
//! of the latter, so its code names that address. No other tables are likely to be related in this way.

use std::collections::BTreeMap;

use super::async_task_tables::{CLONE, FUNCTIONS};
use super::task_vtables;
use crate::target::architecture::Architecture;
use crate::target::memory::Memory;
use crate::target::modules::{LoadedModule, LoadedModules};
use crate::target::words::bytes_at;

/// Functions in the table of a waker. The first clones it.
const WAKER_FUNCTIONS: usize = 4;
/// Bytes of a function in which an address is looked for.
const CODE_BYTES: usize = 512;
/// Functions whose code is read.
const MOST_READ: usize = 10_000;

/// Whether the constants of a process have such a table.
pub(super) fn exist(memory: &dyn Memory, modules: &LoadedModules) -> bool {
    let code = || modules.all().iter().flat_map(|module| module.module().code());
    let first = code().map(|code| code.start).min().unwrap_or(0);
    let last = code().map(|code| code.end).max().unwrap_or(0);
    let is_code = |word: u64| {
        // Cheap first.
        (first..last).contains(&word)
            && modules.find(word).is_some_and(|module: &LoadedModule| module.has_code_at(word))
    };
    let mut runs = FunctionRuns::default();
    task_vtables::each_constant(memory, modules, |start, words| runs.add(start, words, is_code));
    let architecture = modules.architecture();
    runs.related().take(MOST_READ).any(|(clone, waker)| {
        let end = code().find(|code| (code.start..code.end).contains(&clone)).map_or(clone, |code| code.end);
        let length = usize::try_from(end - clone).unwrap_or(CODE_BYTES).min(CODE_BYTES);
        let code = bytes_at(memory, clone, length);
        code.is_ok_and(|code| names_address(architecture, &code, clone, waker))
    })
}

/// Functions beside each other that may be tables of tasks and of wakers.
#[derive(Debug, Default)]
struct FunctionRuns {
    /// The first of so many as the table of a waker has, and where it stands.
    of_wakers: BTreeMap<u64, Vec<u64>>,
    /// The last of so many as the table of a task has, and where it stands.
    of_tasks: Vec<(u64, u64)>,
}

impl FunctionRuns {
    fn add(&mut self, start: u64, words: &[u64], is_code: impl Fn(u64) -> bool) {
        let mut run = 0;
        for (at, &word) in words.iter().enumerate() {
            run = if is_code(word) { run + 1 } else { 0 };
            let first = at.wrapping_sub(WAKER_FUNCTIONS - 1);
            if run >= WAKER_FUNCTIONS
                && let Some(&clone) = words.get(first)
                && self.of_wakers.len() < task_vtables::MOST_TABLES
            {
                self.of_wakers.entry(clone).or_default().push(start + (first * 8) as u64);
            }
            if run >= FUNCTIONS && self.of_tasks.len() < task_vtables::MOST_TABLES {
                self.of_tasks.push((word, start + (at * 8) as u64));
            }
        }
    }

    /// Returns functions that a table of a task and one of a waker have in common, each with the address of the latter.
    fn related(&self) -> impl Iterator<Item = (u64, u64)> {
        self.of_tasks.iter().flat_map(|&(clone, place)| {
            let own = place.saturating_sub((CLONE * 8) as u64)..=place;
            let wakers = self.of_wakers.get(&clone).into_iter().flatten();
            wakers.filter(move |waker| !own.contains(waker)).map(move |&waker| (clone, waker))
        })
    }
}

/// Whether code at `start` may name an address: relative to the next instruction or as a number, on AArch64 by the address of its page.
fn names_address(architecture: Architecture, code: &[u8], start: u64, address: u64) -> bool {
    let numbers = |step| code.windows(4).enumerate().step_by(step);
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes);
    match architecture {
        Architecture::X86_64 => numbers(1).any(|(at, bytes)| {
            let next = start.wrapping_add((at + bytes.len()) as u64);
            let distance = number(bytes).cast_signed();
            next.wrapping_add_signed(distance.into()) == address || u64::from(number(bytes)) == address
        }),
        Architecture::Aarch64 => numbers(4).any(|(at, bytes)| {
            let word = number(bytes);
            let is_adrp = word & 0x9f00_0000 == 0x9000_0000;
            // 21 bits, the lowest two of them apart, count pages.
            let pages = (word >> 3 & 0x1f_fffc | word >> 29 & 3) << 11;
            let distance = i64::from(pages.cast_signed() >> 11) << 12;
            let page = start.wrapping_add(at as u64) & !0xfff;
            is_adrp && page.wrapping_add_signed(distance) == address & !0xfff
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_a_layout_was_not_taken_for_code_of_tasks() {
        let related = |words: &[u64]| {
            let mut runs = FunctionRuns::default();
            runs.add(0x1000, words, |word| word >= 100);
            runs.related().collect::<Vec<_>>()
        };
        // A waker, what is between, and a task; and a waker right behind the task.
        let apart = related(&[107, 200, 201, 202, 8, 101, 102, 103, 104, 105, 106, 107]);
        assert_eq!(apart, [(107, 0x1000)]);
        assert_eq!(related(&[101, 102, 103, 104, 105, 106, 107, 107, 200, 201, 202]), [(107, 0x1038)]);
        // The clone of another task; three functions; only its own place.
        assert_eq!(related(&[108, 200, 201, 202, 8, 101, 102, 103, 104, 105, 106, 107]), []);
        assert_eq!(related(&[107, 200, 201, 8, 101, 102, 103, 104, 105, 106, 107]), []);
        assert_eq!(related(&[101, 102, 103, 104, 105, 106, 107, 108, 109, 110]), []);
    }

    #[test]
    fn code_names_the_table_that_it_returns() {
        let names =
            |architecture, code: &[u8], address| names_address(architecture, code, 0x40_1000, address);
        // push rax; lea rdx, [rip + 0x1234]; ret
        let relative = [0x50, 0x48, 0x8d, 0x15, 0x34, 0x12, 0, 0, 0xc3];
        assert!(names(Architecture::X86_64, &relative, 0x40_1008 + 0x1234));
        assert!(!names(Architecture::X86_64, &relative, 0x40_1008 + 0x1230));
        // mov edx, 0x403008
        assert!(names(Architecture::X86_64, &[0xba, 0x08, 0x30, 0x40, 0], 0x40_3008));
        // nop; adrp x1, +3 pages; and one page back.
        let forward = [0x1f, 0x20, 0x03, 0xd5, 0x01, 0, 0, 0xf0];
        assert!(names(Architecture::Aarch64, &forward, 0x40_4010));
        assert!(!names(Architecture::Aarch64, &forward, 0x40_5010));
        assert!(names(Architecture::Aarch64, &[0xe1, 0xff, 0xff, 0xf0], 0x40_0010));
    }
}
