//! The tasks of all executors in a process, and the wakers in its memory.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::async_task_list;
use super::async_task_tables::AsyncTaskTables;
use super::child_wakers::{self, ChildWaker};
use super::old_async_tables;
use super::possible_wakers::PossibleWakers;
use super::task_list::{TaskList, TaskScan};
use super::task_vtables::TaskVtables;
use super::thread_blocks;
use super::waker_index::WakerIndex;
use crate::target::Target;
use crate::target::architecture::Architecture;
use crate::target::data_scan::DataScan;
use crate::target::mappings::Mapping;
use crate::target::memory::Memory;
use crate::target::modules::LoadedModules;
use crate::target::threads::Thread;

/// What is found of tasks.
pub(crate) struct ProcessTasks {
    /// Those of each executor behind each other.
    pub(crate) list: TaskList,
    /// The wakers of tasks.
    pub(crate) wakers: WakerIndex,
    /// What look like other wakers.
    pub(crate) others: Vec<ChildWaker>,
    /// Whether the process has code of tasks.
    pub(crate) has_code: bool,
}

impl ProcessTasks {
    /// Searches. `constants` has what does not change of the memory.
    pub(crate) fn find(
        target: &dyn Target,
        data: &DataScan,
        constants: &dyn Memory,
        modules: &mut LoadedModules,
        mappings: &[Mapping],
        threads: &[Thread],
    ) -> Self {
        let tables = TaskVtables::find(target, modules);
        if let Some((table, _)) = tables.extent() {
            modules.take_architecture_at(table);
        }
        let modules = &*modules;
        let mut scan = TaskScan::new(&tables);
        let mut possible = PossibleWakers::new(constants, modules, &tables);
        data.each(target, |start, words, count| {
            scan.look(start, words, count);
            possible.look(start, words, count);
        });
        let mut list = scan.into_list(target, mappings, threads);
        if modules.architecture() == Architecture::Aarch64 {
            list.thread_pointers = thread_blocks::find(target, data, threads);
        }
        let mut wakers = WakerIndex::of(&possible, &list.tasks);
        let others = child_wakers::of(&possible, &wakers);
        let clones: HashSet<u64> = others.iter().map(|waker| waker.functions.functions[0]).collect();
        let async_tables = AsyncTaskTables::find(constants, modules, &tables, &clones);
        let is_stack =
            |mapping: &&Mapping| threads.iter().any(|thread| thread.stack_in(&mapping.range).is_some());
        let stacks: Vec<Range<u64>> =
            mappings.iter().filter(is_stack).map(|mapping| mapping.range.clone()).collect();
        let async_tasks = async_task_list::scan(target, data, &async_tables, &others, &stacks);
        let headers: HashMap<u64, u64> =
            async_tasks.iter().map(|(task, clone)| (task.header, *clone)).collect();
        let is_of_task = |waker: &ChildWaker| headers.get(&waker.data) == Some(&waker.functions.functions[0]);
        let (of_tasks, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_of_task);
        wakers.add(&of_tasks);
        list.tasks.extend(async_tasks.into_iter().map(|(task, _)| task));
        let has_code = !tables.is_empty() || !async_tables.is_empty();
        Self { list, wakers, others, has_code }
    }
}

/// Whether a process may have code of tasks. What is certain needs its wakers, too.
pub(crate) fn may_have_code(memory: &dyn Memory, modules: &LoadedModules) -> bool {
    let tables = TaskVtables::find(memory, modules);
    !tables.is_empty()
        || !AsyncTaskTables::find(memory, modules, &tables, &HashSet::new()).is_empty()
        || old_async_tables::exist(memory, modules)
}
