//! Copies of the program and debug information that were changed to do harm. A diagnosis must end, within its limits and without a panic.

use std::path::{Path, PathBuf};

use bw_inspect::target::{FrozenCopy, Mapping, Target as _};
use bw_inspect::{Limits, diagnose};
use bw_symbolize::{SymbolSources, Symbolizer};
use object::{Object as _, ObjectSection as _};

use super::Started;

/// Bytes of a copy: more than the program has.
const MOST_BYTES: usize = 1 << 30;
const ROUNDS: u32 = 3;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.poll_instructions = 100_000;
    limits
}

/// A number that depends on nothing but the one before.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 16
}

fn copy() -> FrozenCopy {
    let program = Started::new("broken");
    program.diagnose_until_found();
    FrozenCopy::of(&program.open(), MOST_BYTES).unwrap()
}

#[test]
fn damaged_words_in_futures_do_harm() {
    let whole = copy();
    let data: Vec<_> = whole.mappings().unwrap().into_iter().filter(Mapping::may_hold_tasks).collect();
    let symbolizer = |modules| Symbolizer::for_modules(modules, SymbolSources::new());
    let before = diagnose(&whole, &limits(), symbolizer).unwrap().findings().len();
    let mut random = 5;
    let mut seldom_found = 0;
    for round in 0..ROUNDS {
        let mut damaged = whole.clone();
        for range in data.iter().flat_map(|mapping| whole.filled(mapping)) {
            let mut at = range.start;
            while at < range.end {
                let word = match next(&mut random) % 3 {
                    0 => range.start + next(&mut random) % (range.end - range.start) / 8 * 8,
                    1 => next(&mut random) % 64,
                    _ => u64::MAX - next(&mut random) % 64,
                };
                damaged.overwrite(at / 8 * 8, &word.to_le_bytes());
                at += 8 * (1 + next(&mut random) % (1 << (4 + round)));
            }
        }
        let found = diagnose(&damaged, &limits(), symbolizer).unwrap().findings().len();
        seldom_found += u32::from(found < before);
    }
    // Or else nothing was damaged.
    assert!(seldom_found > 0);
}

/// A file with this program's debug information, in which bytes of a section were changed.
fn damaged_debug_info(section: &str, seed: u64, folder: &Path) -> PathBuf {
    let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let range = object::File::parse(&*bytes).unwrap().section_by_name(section).unwrap().file_range().unwrap();
    let mut random = seed;
    for _ in 0..range.1 / 200 {
        let at = usize::try_from(range.0 + next(&mut random) % range.1).unwrap();
        bytes[at] = next(&mut random).to_le_bytes()[0];
    }
    let path = folder.join(format!("damaged-{}-{seed}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn damaged_types_do_harm() {
    let whole = copy();
    let folder = std::env::temp_dir();
    let mut unchecked = 0;
    for (section, seed) in
        [(".debug_info", 1), (".debug_info", 2), (".debug_abbrev", 3), (".debug_aranges", 4)]
    {
        let path = damaged_debug_info(section, seed, &folder);
        let sources = SymbolSources::none().debug_file(&path);
        let diagnosis =
            diagnose(&whole, &limits(), |modules| Symbolizer::for_modules(modules, sources)).unwrap();
        std::fs::remove_file(&path).unwrap();
        unchecked += diagnosis.unchecked().len();
    }
    // Or else nothing was damaged.
    assert!(unchecked > 0);
}

#[test]
fn nothing_at_all_does_harm() {
    let symbolizer = |modules| Symbolizer::for_modules(modules, SymbolSources::none());
    let diagnosis = diagnose(&FrozenCopy::default(), &limits(), symbolizer).unwrap();
    assert!(diagnosis.findings().is_empty() && diagnosis.tasks() == 0);
}

#[test]
fn a_program_without_types_is_said_to_be_sound() {
    let symbolizer = |modules| Symbolizer::for_modules(modules, SymbolSources::none());
    let diagnosis = diagnose(&copy(), &limits(), symbolizer).unwrap();
    let rings = diagnosis
        .findings()
        .iter()
        .filter(|finding| finding.tasks.iter().any(|task| !task.blockers.is_empty()));
    assert_eq!(rings.count(), 0);
    assert!(diagnosis.lacks_debug_info(), "{diagnosis:#?}");
}
