//! Profiles of many processes.

use std::io;

use bw_core::TaskState;
use bw_dump::{BuildId, MergedDump, MergedGroup};

use super::profile::Profile;
use super::proto::Label;
use super::stacks::Stacks;
use super::{Pprof, finish};
use crate::merged::MergedTrees;

/// See [`MergedTrees::to_pprof`].
pub(crate) fn write(trees: MergedTrees<'_>, settings: &Pprof<'_>) -> io::Result<Vec<u8>> {
    let dump = trees.dump();
    let program = dump.programs().first().map(|program| (program.path(), program.build_id()));
    let program = dump.modules().modules().iter().position(|it| Some((it.path(), it.build_id())) == program);
    let mut profile = Profile::new(dump.modules(), program);
    let mut stacks = Stacks::new(trees.all_trees(), dump.traces(), settings);
    for group in dump.groups() {
        let labels = labels(&mut profile, dump, group, settings);
        let suspended = match group.state() {
            TaskState::Suspended => group.together().as_nanos(),
            _ => 0,
        };
        let number = |number| i64::try_from(number).unwrap_or(i64::MAX);
        let value = [number(group.tasks() as u128), number(suspended)];
        for stack in stacks.of(group.trace(), &mut profile) {
            profile.sample(stack, &value, &labels)?;
        }
    }
    let mut comments = vec![format!("backtrace-waker: async tasks of {} processes", dump.dumps())];
    if dump.partial() > 0 {
        comments.push(format!("partial: {} of {} dumps", dump.partial(), dump.dumps()));
    }
    finish(profile, dump.taken().map(|(_, last)| last), &comments)
}

fn labels(
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
