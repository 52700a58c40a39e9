//! The labels of samples.

use bw_core::{TaskRecord, TaskState};
use bw_dump::{BuildId, MergedDump, MergedGroup};

use super::Pprof;
use super::profile::Profile;
use super::proto::Label;
use crate::text::escape::Shortened;

/// Names of tasks and threads, and paths in labels, longer than this many bytes are cut in the middle.
const NAME_BYTES: usize = 200;

/// The keys of the labels of tasks, as indices of strings.
pub(super) struct TaskKeys {
    state: i64,
    name: i64,
    spawned_at: i64,
    task: i64,
    parent: i64,
    thread: i64,
    thread_id: i64,
    /// Of ids. Without one, readers take the key for the unit, and print it behind each number.
    unit: i64,
}

impl TaskKeys {
    pub(super) fn new(profile: &mut Profile<'_>) -> Self {
        Self {
            state: profile.string("state"),
            name: profile.string("name"),
            spawned_at: profile.string("spawned_at"),
            task: profile.string("task id"),
            parent: profile.string("parent id"),
            thread: profile.string("thread"),
            thread_id: profile.string("thread id"),
            unit: profile.string("id"),
        }
    }

    pub(super) fn labels(
        &self,
        profile: &mut Profile<'_>,
        task: &TaskRecord,
        settings: &Pprof<'_>,
        labels: &mut Vec<Label>,
    ) {
        let text = |key, str| Label { key, str, num: 0, num_unit: 0 };
        let number = |key, num: u64| {
            // The same bits, as unsigned numbers above those of `i64` have no other form.
            Label { key, str: 0, num: num.cast_signed(), num_unit: self.unit }
        };
        labels.clear();
        labels.push(text(self.state, profile.string(task.status().state.name())));
        let short = |text| Shortened { text, most: NAME_BYTES, ellipsis: "…" };
        if let Some(name) = task.name().filter(|name| settings.each_task && !name.is_empty()) {
            labels.push(text(self.name, profile.string(&short(name).to_string())));
        }
        let at = task.spawned_at();
        let at = format!("{}:{}:{}", short(settings.path(at.file())), at.line(), at.column());
        labels.push(text(self.spawned_at, profile.string(&at)));
        if !settings.each_task {
            return;
        }
        if let TaskState::Polling(thread) = &task.status().state {
            if let Some(name) = thread.name() {
                labels.push(text(self.thread, profile.string(&short(name).to_string())));
            }
            if let Some(id) = thread.os_id() {
                labels.push(number(self.thread_id, id));
            }
        }
        labels.push(number(self.task, task.id().get()));
        if let Some(parent) = task.parent() {
            labels.push(number(self.parent, parent.get()));
        }
    }
}

/// The labels of tasks of many processes.
pub(super) fn of_merged_group(
    profile: &mut Profile<'_>,
    dump: &MergedDump,
    group: &MergedGroup,
    settings: &Pprof<'_>,
) -> Vec<Label> {
    let program = &dump.programs()[group.program()];
    let name = program.path().file_name().unwrap_or_default().to_string_lossy();
    let mut texts = vec![("state", group.state().name().to_owned()), ("program", name.into_owned())];
    texts.extend(program.build_id().map(|id| ("build_id", BuildId::to_string(id))));
    let mut places = group.spawned_at();
    if let (Some(at), None) = (places.next(), places.next()) {
        texts.push(("spawned_at", format!("{}:{}:{}", settings.path(at.file()), at.line(), at.column())));
    }
    let texts = texts.iter().filter(|(_, text)| !text.is_empty());
    let mut labels: Vec<_> = texts
        .map(|(key, text)| Label { key: profile.string(key), str: profile.string(text), num: 0, num_unit: 0 })
        .collect();
    labels.push(Label {
        key: profile.string("processes"),
        str: 0,
        num: i64::try_from(group.processes()).unwrap_or(i64::MAX),
        num_unit: profile.string("processes"),
    });
    labels
}
