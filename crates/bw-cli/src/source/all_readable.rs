//! All processes with async tasks whose memory this user may read.

use bw_dump::contract::ProcessDescription;
use bw_inspect::target::LiveProcess;
use bw_inspect::{Limits, count_tasks};

use super::agent::all_agents::Listed;
use super::agent::process::Process;

/// Bytes of the memory of a process in which tasks are counted. More take too long for a list.
const MOST_DATA_BYTES: u64 = 1 << 30;

/// Finds the processes that have code of an executor, but for those that `is_known` tells, and counts the tasks of each. By process. Reads
/// some pages of every process of this machine that may be read, and all memory of those found: a few milliseconds for each.
pub(crate) fn list(is_known: impl Fn(u32) -> bool) -> Vec<Listed> {
    let own = std::process::id();
    let mut limits = Limits::default();
    limits.data_bytes = MOST_DATA_BYTES;
    let mut listed: Vec<Listed> = Process::all()
        .filter(|process| process.pid() != own && !is_known(process.pid()))
        .filter_map(|process| {
            let live = LiveProcess::open(process.pid()).ok()?;
            let tasks = count_tasks(&live, &limits).ok()??;
            let mut description = ProcessDescription::new(&bw_dump::Process::running(process.pid()));
            description.executable = process.executable().map(|path| path.to_string_lossy().into_owned());
            description.pid = process.inner_pid();
            description.tasks = u64::try_from(tasks).ok();
            let uid = process.uid();
            Some(Listed { socket: None, process: Some(process), uid, description: Ok(description) })
        })
        .collect();
    listed.sort_by_key(|it| it.process.as_ref().map(Process::pid));
    listed
}
