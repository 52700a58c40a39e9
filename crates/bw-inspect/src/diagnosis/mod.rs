//! Looking for what is wrong with the tasks of a process.
//!
//! The first look finds suspects: rings among all tasks that wait, tasks that would go on if they were polled, tasks that block a thread. Then
//! the tasks of each suspect are looked at again, together and from memory that is read anew, and what that depends on is compared with
//! the process twice more. So what is found was there at one moment, and still is.

mod description;
mod suspects;

use std::collections::BTreeMap;
use std::ops::Range;

use bw_core::DumpSource;
use bw_dump::ModuleMap;
use bw_symbolize::{DebugFile, Symbolizer};

use crate::capture::limits::Limits;
use crate::capture::unwind_rules::UnwindRules;
use crate::decode::TypeKnowledge;
use crate::executor::found_task::FoundTask;
use crate::found_process::FoundProcess;
use crate::graph::{Examined, Examiner, Finding, NO_DEBUG_INFO, WaitGraph, WaitingTask, edges};
use crate::layout::ModuleTypes;
use crate::target::Target;
use crate::target::open_error::OpenError;
use crate::target::page_cache::PageCache;
use suspects::Suspect;

/// Suspects that are looked at again.
const MOST_SUSPECTS: usize = 1000;

/// What is wrong with the tasks of a process, and what was looked at. Plain data.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    findings: Vec<Finding>,
    tasks: usize,
    unknown: usize,
    waiting: usize,
    unchecked: BTreeMap<String, usize>,
}

impl Diagnosis {
    /// Returns what is wrong, the worst first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns how many tasks there are.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// Returns how many of them could be checked.
    #[must_use]
    pub fn checked(&self) -> usize {
        self.tasks.saturating_sub(self.unknown)
    }

    /// Returns how many of them wait for a lock or for another task, and for nothing else.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns why tasks could not be checked, and how many for each reason.
    #[must_use]
    pub fn unchecked(&self) -> &BTreeMap<String, usize> {
        &self.unchecked
    }

    /// Whether tasks could not be checked because the debug information of their module was not found.
    #[must_use]
    pub fn lacks_debug_info(&self) -> bool {
        self.unchecked.contains_key(NO_DEBUG_INFO)
    }

    fn add_unchecked(&mut self, reason: impl Into<String>, tasks: usize) {
        if tasks > 0 {
            *self.unchecked.entry(reason.into()).or_default() += tasks;
        }
    }
}

/// Looks for tasks that wait for each other, that missed a wake, or that block a thread. Nothing is written to the process, nothing in it is run,
/// and no thread of it is stopped. Takes at least 200 ms if there is something to be found.
///
/// The types in the debug information tell what each task waits for: `debug = 2` in the profile of the program. `symbolizer` makes what
/// finds that information, and functions and lines, for these modules. [`unchecked`](Diagnosis::unchecked) says what could not be decoded.
///
/// # Errors
///
/// When the process ended meanwhile, or its mappings may not be read.
pub fn diagnose(
    target: &dyn Target,
    limits: &Limits,
    symbolizer: impl FnOnce(ModuleMap) -> Symbolizer,
) -> Result<Diagnosis, OpenError> {
    let process = FoundProcess::find(target, limits)?;
    let symbolizer = symbolizer(process.modules.map());
    let files = debug_files(&process, &symbolizer);
    let types = ModuleTypes::new(&files);
    let memory = process.memory();
    let rules = UnwindRules::new(&memory, &process.modules);
    let emulator = process.emulator(&memory, &rules, limits);
    let known = TypeKnowledge::default();
    let instructions_left = limits.all_instructions;
    let examiner =
        Examiner { process: &process, types: &types, known, memory: &memory, emulator, instructions_left };
    let mut look =
        Look { examiner, memory: &memory, rules: &rules, symbolizer: &symbolizer, limits, beside_busy: 0 };
    let diagnosis = look.diagnose();
    diagnosis.filter(|_| !target.is_over()).ok_or(OpenError::Ended { pid: target.pid() })
}

/// The debug information of the modules whose functions poll tasks.
fn debug_files(process: &FoundProcess<'_>, symbolizer: &Symbolizer) -> Vec<(Range<u64>, DebugFile)> {
    let mut modules: Vec<Range<u64>> = Vec::new();
    let mut files: Vec<(Range<u64>, DebugFile)> = Vec::new();
    for task in &process.tasks.list.tasks {
        let poll = task.table.poll;
        if modules.iter().any(|range| range.contains(&poll)) {
            continue;
        }
        let Some(module) = process.modules.find(poll) else { continue };
        modules.push(module.module().range());
        files.extend(symbolizer.debug_file(poll).map(|file| (module.module().range(), file)));
    }
    files
}

/// A look at the tasks of one process.
struct Look<'l, 'd> {
    examiner: Examiner<'l, 'd>,
    memory: &'l PageCache<'l>,
    rules: &'l UnwindRules<'l>,
    symbolizer: &'l Symbolizer,
    limits: &'l Limits,
    /// Tasks that would go on if they were polled, in a runtime that has work.
    beside_busy: usize,
}

impl Look<'_, '_> {
    /// `None` if the process has ended.
    fn diagnose(&mut self) -> Option<Diagnosis> {
        let process = self.examiner.process;
        let tasks = process.tasks.list.tasks.iter().filter(|task| task.is_of_executor());
        let tasks: Vec<FoundTask> = tasks.copied().collect();
        let mut diagnosis = Diagnosis { tasks: tasks.len(), ..Diagnosis::default() };
        let mut waiting: Vec<WaitingTask> = Vec::new();
        let mut suspects = Vec::new();
        for task in &tasks {
            match self.examiner.examine(task) {
                Examined::Waits(task) => waiting.push(*task),
                Examined::GoesOn(_) => suspects.push(Suspect::GoesOn(*task)),
                Examined::Runs(_) => suspects.push(Suspect::Runs(*task)),
                Examined::Other => {}
                Examined::Unknown(reasons) => {
                    diagnosis.unknown += 1;
                    for reason in reasons {
                        diagnosis.add_unchecked(reason, 1);
                    }
                }
            }
        }
        diagnosis.waiting = waiting.len();
        for reason in self.examiner.find_holdings(&mut waiting) {
            diagnosis.add_unchecked(format!("what it holds is unknown: {reason}"), 1);
        }
        let graph = WaitGraph::new(waiting.len(), edges(&waiting));
        suspects.extend(graph.rings().into_iter().map(|ring| Suspect::Ring {
            stuck_behind: graph.stuck_behind(&ring),
            tasks: ring.iter().filter_map(|at| waiting.get(*at)).map(|it| it.task).collect(),
        }));
        if process.target.source() == DumpSource::CoreFile {
            let rings = suspects.len();
            suspects.retain(|suspect| matches!(suspect, Suspect::Ring { .. }));
            diagnosis.add_unchecked(
                "a core file shows one moment, which does not tell a missed wake or a blocked thread from a short wait",
                rings - suspects.len(),
            );
        }
        // Rings come last above, and are worst.
        suspects.reverse();
        diagnosis.add_unchecked(
            "there are too many suspects to look at them again",
            suspects.len().saturating_sub(MOST_SUSPECTS),
        );
        suspects.truncate(MOST_SUSPECTS);
        let (findings, moving) = self.confirmed(suspects)?;
        diagnosis.findings = findings;
        diagnosis.add_unchecked(
            "it would go on if it were polled, and its runtime, which has other work, may still wake it",
            self.beside_busy,
        );
        diagnosis.findings.sort_by_key(|finding| finding.kind);
        diagnosis.add_unchecked("it seemed to be stuck, and changed each time it was looked at", moving);
        Some(diagnosis)
    }
}
