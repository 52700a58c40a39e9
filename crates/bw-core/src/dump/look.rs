//! What tasks are doing, without asking them.

use super::collector::Collector;
use crate::task::registry::Registry;
use crate::trace::raw_task_dump::RawTaskDump;
use crate::trace::task_filter::TaskFilter;
use crate::trace::task_record::NoTrace;

impl Registry {
    /// Returns what its tasks are doing, without asking or waking any: a dump without traces, in which every task has
    /// [`NoTrace::NotAsked`].
    ///
    /// Only tasks that pass the filter are in it; [`RawTaskDump::registered`] counts all. A look polls no task, so it is cheap enough to
    /// be done every second. Allocates about 200 bytes for each task that passes, and the list of all tasks; locks each shard while
    /// it is copied, and each task for a moment.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use bw_core::{Registry, TaskFilter};
    ///
    /// let minute = TaskFilter::new().in_state_for(Duration::from_secs(60));
    /// for task in Registry::global().look(&minute).tasks() {
    ///     println!("{} {}", task.id(), task.status());
    /// }
    /// ```
    #[must_use]
    pub fn look(&self, filter: &TaskFilter) -> RawTaskDump {
        let mut collector = Collector::begin(self, filter.clone(), usize::MAX, false);
        collector.ask_nobody(NoTrace::NotAsked);
        collector.advance();
        collector.finish()
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use std::future::{Future, pending, poll_fn};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::trace::state::TaskState;
    use crate::trace::task_record::TaskRecord;

    #[test]
    fn a_look_is_of_those_that_pass_and_asks_nobody() {
        let registry = Registry::new();
        let tracer = registry.tracer();
        let tasks: Vec<_> =
            (0..10).map(|n| tracer.clone().named(format!("task {n}")).trace(pending::<()>())).collect();
        let all = registry.look(&TaskFilter::new());
        assert!(all.tasks().iter().map(TaskRecord::id).eq(tasks.iter().map(|task| task.handle().id())));
        assert!(all.tasks().iter().all(|task| task.status().state == TaskState::NeverPolled));
        assert!(all.tasks().iter().all(|task| task.trace() == Err(NoTrace::NotAsked)));
        let one = registry.look(&TaskFilter::new().name_contains("task 7"));
        assert_eq!(one.tasks().iter().map(TaskRecord::name).collect::<Vec<_>>(), [Some("task 7")]);
        assert_eq!((one.registered(), one.unpolled()), (10, 10));
        // A task that was asked would be `Woken`.
        let mut polled = pin!(tracer.trace(poll_fn(|_| Poll::<()>::Pending)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(polled.as_mut().poll(&mut cx).is_pending());
        let suspended = TaskFilter::new().state(&TaskState::Suspended);
        assert_eq!([1, 1], [(); 2].map(|()| registry.look(&suspended).tasks().len()));
    }
}
