//! Copies of the program whose memory was changed to do harm. A look at one must end, within its limits and without a panic.

use bw_inspect::target::{FrozenCopy, Mapping, Memory as _, Target as _};
use bw_inspect::{Inspection, Limits, inspect};

use super::started::Started;

/// Bytes of a copy: more than the program has.
const MOST_BYTES: usize = 1 << 30;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.poll_instructions = 200_000;
    limits
}

fn copy(program: &Started) -> FrozenCopy {
    program.inspect_when_idle();
    FrozenCopy::of(&program.open(), MOST_BYTES).unwrap()
}

/// A number that depends on nothing but the one before.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 16
}

fn traced(inspection: &Inspection) -> usize {
    let tasks = inspection.dump().tasks().iter();
    tasks.filter(|task| task.trace().is_ok() && task.incomplete().is_none()).count()
}

#[test]
fn a_copy_shows_something_else_than_the_process() {
    let program = Started::new();
    let copy = copy(&program);
    let (of_copy, of_process) = (inspect(&copy, &limits()).unwrap(), program.inspect_when_idle());
    let traces = |inspection: &Inspection| {
        let tasks = inspection.dump().tasks().iter().filter(|task| task.trace().is_ok());
        tasks.map(|task| (task.id(), inspection.dump().trace_of(task).cloned())).collect::<Vec<_>>()
    };
    assert_eq!(traces(&of_copy), traces(&of_process));
}

#[test]
fn damaged_words_in_tasks_and_in_what_they_point_to_do_harm() {
    let program = Started::new();
    let whole = copy(&program);
    let before = traced(&inspect(&whole, &limits()).unwrap());
    assert!(before > 0);
    let data: Vec<_> = whole.mappings().unwrap().into_iter().filter(Mapping::may_hold_tasks).collect();
    let mut random = 7;
    let mut seldom_traced = 0;
    for round in 0..12 {
        let mut damaged = whole.clone();
        for range in data.iter().flat_map(|mapping| whole.filled(mapping)) {
            let mut at = range.start;
            while at < range.end {
                // Addresses of the process itself, so that lists become circles; small and huge numbers.
                let word = match next(&mut random) % 4 {
                    0 => at,
                    1 => range.start + next(&mut random) % (range.end - range.start) / 8 * 8,
                    2 => next(&mut random) % 64,
                    _ => u64::MAX - next(&mut random) % 64,
                };
                damaged.overwrite(at / 8 * 8, &word.to_le_bytes());
                at += 8 * (1 + next(&mut random) % (1 << (3 + round)));
            }
        }
        let inspection = inspect(&damaged, &limits()).unwrap();
        assert!(inspection.dump().tasks().len() < 10_000);
        seldom_traced += usize::from(traced(&inspection) < before);
    }
    // Or else nothing was damaged.
    assert!(seldom_traced > 0);
}

#[test]
fn code_that_is_no_code_does_harm() {
    let program = Started::new();
    let whole = copy(&program);
    let mut random = 11;
    for _ in 0..4 {
        let mut damaged = whole.clone();
        for mapping in whole.mappings().unwrap().into_iter().filter(|mapping| mapping.is_executable) {
            for page in mapping.range.step_by(4096) {
                let mut bytes = [0; 64];
                bytes.iter_mut().for_each(|byte| *byte = next(&mut random).to_le_bytes()[0]);
                damaged.overwrite(page + next(&mut random) % 4000, &bytes);
            }
        }
        inspect(&damaged, &limits()).unwrap();
    }
}

#[test]
fn unwind_rules_that_are_damaged_do_harm() {
    let program = Started::new();
    let whole = copy(&program);
    let mut random = 13;
    let mut damaged = whole.clone();
    // Headers of modules, notes, unwind information and tables of functions are all read-only.
    for mapping in whole.mappings().unwrap() {
        if mapping.is_executable || mapping.is_writable || mapping.file.is_none() {
            continue;
        }
        for at in mapping.range.step_by(256) {
            let mut known = [0; 8];
            if damaged.read(at, &mut known).is_ok() {
                damaged.overwrite(at + next(&mut random) % 248, &next(&mut random).to_le_bytes());
            }
        }
    }
    inspect(&damaged, &limits()).unwrap();
}

#[test]
fn nothing_at_all_does_harm() {
    assert!(inspect(&FrozenCopy::default(), &limits()).unwrap().dump().tasks().is_empty());
}
