//! The memory of a process as a source: for programs without an agent.

use bw_dump::RawDumpFile;
use bw_inspect::target::{LiveProcess, OpenError, Target as _};
use bw_inspect::{Inspection, Limits, inspect, inspect_stopped, runs_tasks};
use bw_symbolize::Symbolizer;

use super::agent::process::Process;
use super::task_names::TaskNames;
use crate::options::request::RequestOptions;
use crate::output::failure::Failure;

/// A process whose memory is read each time.
#[derive(Debug)]
pub(crate) struct ProcessMemory {
    live: LiveProcess,
    process: Process,
    names: TaskNames,
}

/// The executors whose tasks are found in memory.
pub(super) const EXECUTORS: &str = "tokio (1.28 or later) nor async-task (smol, async-std)";

impl ProcessMemory {
    /// Opens the memory of a process. Reads a page of it, and finds no tasks yet.
    pub(crate) fn open(pid: u32) -> Result<Self, Failure> {
        let live = LiveProcess::open(pid).map_err(|error| failure(&error))?;
        Ok(Self { live, process: Process::new(pid), names: TaskNames::default() })
    }

    /// Opens the memory of a process whose agent cannot be asked for this reason. Where reading memory would show nothing either, the
    /// reason stays.
    pub(crate) fn instead_of_agent(pid: u32, no_agent: Failure) -> Result<Self, Failure> {
        let live = match LiveProcess::open(pid) {
            Ok(live) => live,
            Err(OpenError::OtherUser { .. } | OpenError::Unsupported) => return Err(no_agent),
            Err(error) => return Err(failure(&error)),
        };
        match runs_tasks(&live) {
            Ok(true) => Ok(Self { live, process: Process::new(pid), names: TaskNames::default() }),
            Ok(false) => {
                let failure = Failure::new(format!(
                    "{no_agent}; and it uses neither {EXECUTORS}, so reading its memory would show no task"
                ));
                Err(match no_agent.help() {
                    Some(help) => failure.with_help(help),
                    None => failure,
                })
            }
            Err(error) => Err(failure(&error)),
        }
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to be read.
    pub(crate) fn live(&self) -> &LiveProcess {
        &self.live
    }

    /// Reads it.
    pub(crate) fn inspect(&self, request: &RequestOptions) -> Result<Inspection, Failure> {
        let limits = Limits::default();
        let inspection = if request.stop {
            inspect_stopped(&self.live, &limits, request.max_pause)
        } else {
            inspect(&self.live, &limits)
        };
        inspection.map_err(|error| failure(&error))
    }

    /// Returns a dump whose tasks have names.
    pub(crate) fn file(&mut self, inspection: Inspection, symbolizer: &Symbolizer) -> RawDumpFile<'static> {
        let mut described = bw_dump::Process::running(self.live.pid());
        // Without what the kernel says of a file that was replaced.
        described.executable = self.process.executable();
        self.names.name(inspection, symbolizer).into_file(described)
    }
}

/// Says why memory cannot be read, and what to do.
pub(super) fn failure(error: &OpenError) -> Failure {
    let failure =
        if error.is_end() { Failure::ended(error.to_string()) } else { Failure::new(error.to_string()) };
    match error.help() {
        Some(help) => failure.with_help(help),
        None => failure,
    }
}
