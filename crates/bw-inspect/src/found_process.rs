//! A process as it was found: its mappings, modules and threads, its tasks and their wakers.

use std::ops::Range;

use crate::capture::emulated_poll::PollEmulator;
use crate::capture::limits::Limits;
use crate::capture::unwind_rules::UnwindRules;
use crate::executor::process_tasks::ProcessTasks;
use crate::executor::runtime_threads::RuntimeThreads;
use crate::executor::worker_tasks;
use crate::executor::wrapped_tasks::WrappedTasks;
use crate::target::Target;
use crate::target::data_scan::DataScan;
use crate::target::mappings::Mapping;
use crate::target::modules::LoadedModules;
use crate::target::open_error::OpenError;
use crate::target::page_cache::PageCache;
use crate::target::threads::Thread;

/// A process as it was found.
pub(crate) struct FoundProcess<'t> {
    pub(crate) target: &'t dyn Target,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) modules: LoadedModules,
    pub(crate) threads: Vec<Thread>,
    pub(crate) tasks: ProcessTasks,
    pub(crate) wrapped: WrappedTasks,
    pub(crate) runtime_threads: RuntimeThreads,
    /// Bytes of memory that were searched for tasks, and bytes that were left out.
    pub(crate) searched: (u64, u64),
}

impl<'t> FoundProcess<'t> {
    /// Reads all memory in which tasks may lie.
    pub(crate) fn find(target: &'t dyn Target, limits: &Limits) -> Result<Self, OpenError> {
        let mappings = target.mappings()?;
        let constants = PageCache::new(target, constant_ranges(&mappings));
        let mut modules = LoadedModules::read(&constants, &mappings);
        let threads = target.threads();
        let data = DataScan::new(target, &mappings, limits.data_bytes);
        let mut tasks = ProcessTasks::find(target, &data, &constants, &mut modules, &mappings, &threads);
        // The threads of a runtime are tasks of its blocking pool, and none of the program's.
        let workers = worker_tasks::tables(target, &mappings, &modules, &tasks.list);
        tasks.list.tasks.retain(|task| task.is_of_executor() || !workers.contains(&task.table));
        let wrapped = WrappedTasks::find(target, &modules);
        let runtime_threads = RuntimeThreads::find(target, &mappings, &tasks.list, &threads);
        let searched = (data.bytes(), data.skipped());
        Ok(Self { target, mappings, modules, threads, tasks, wrapped, runtime_threads, searched })
    }

    /// Memory for one thread that looks at the tasks.
    pub(crate) fn memory(&self) -> PageCache<'t> {
        let mut memory = PageCache::new(self.target, constant_ranges(&self.mappings));
        memory.ignore(self.wrapped.clocks());
        memory
    }

    /// What polls the tasks, over this memory.
    pub(crate) fn emulator<'m>(
        &'m self,
        memory: &'m PageCache<'_>,
        rules: &'m UnwindRules<'m>,
        limits: &Limits,
    ) -> PollEmulator<'m> {
        let process = (self.target.pid(), self.target.clocks());
        PollEmulator::new(memory, &self.mappings, rules, &self.tasks.wakers, &self.wrapped, process, *limits)
    }
}

/// Memory that the process cannot write.
fn constant_ranges(mappings: &[Mapping]) -> Vec<Range<u64>> {
    let constant = mappings.iter().filter(|it| it.is_readable && !it.is_writable);
    constant.map(|it| it.range.clone()).collect()
}
