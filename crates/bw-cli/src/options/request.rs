//! What to ask a process for, and how long to wait for its answer.

use std::path::PathBuf;
use std::time::Duration;

use bw_core::DumpSource;
use bw_dump::contract::endpoints::{DEFAULT_TIMEOUT, DUMP, FILTER, FORMAT, RAW, TIMEOUT_MS};
use bw_dump::{RawDumpFile, RawDumpReader};
use clap::Args;

use super::filter::Filter;
use super::{number, time_limits};
use crate::output::failure::Failure;

/// How much longer than for its tasks a process is waited for: so that an answer can be put together and sent.
const GRACE: Duration = Duration::from_secs(6);

/// What to ask, and how long to wait for the answer.
#[derive(Args, Clone, Debug)]
pub(crate) struct RequestOptions {
    /// Only tasks that pass; may be given several times
    ///
    /// Terms with commas between them, all of which must hold: name:PART, id:N, state:suspended, older:90s (since it was
    /// wrapped), for:5m (in the state it is in). In memory and core files, most tasks have no name: name:PART is then a part of the type
    /// of the task, or of the first function in its trace.
    #[arg(long = "filter", value_name = "TERMS")]
    pub(crate) filters: Vec<Filter>,

    /// Read the memory of the process, even if it has an agent
    ///
    /// Without an agent that is done anyway. Nothing is stopped or woken.
    #[arg(long)]
    pub(crate) memory: bool,

    /// Stop all threads of the process for a moment, and read its memory as it is then
    ///
    /// Takes milliseconds; how long is printed. System calls that threads wait in may end with EINTR: epoll_wait does, and recv and
    /// accept on sockets with a timeout. Runtimes expect that, other code may not. Without --stop, no thread is stopped, and tasks
    /// that ran while they were read are read again.
    #[allow(clippy::doc_markdown, reason = "it is printed as help")]
    #[arg(long)]
    pub(crate) stop: bool,

    /// How long threads may be stopped, with its unit, such as 20ms; from 1ms to 1m
    ///
    /// Memory that is not copied by then is read while the threads run.
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = time_limits::pause, requires = "stop")]
    pub(crate) max_pause: Duration,

    /// The program that wrote the core file, if it is not where it was then
    ///
    /// Code is read from it, which core files leave out. It must be of the same build.
    #[arg(long, value_name = "FILE")]
    pub(crate) exe: Option<PathBuf>,

    /// How long tasks may take to answer an agent, such as 500ms, 5s or 1m [default: 2s]
    ///
    /// Those that do not are in the dump with what they are doing. The process itself is waited for a few seconds longer.
    #[arg(long, value_name = "TIME", value_parser = time_limits::timeout)]
    pub(crate) timeout: Option<Duration>,

    /// What the agent at a URL wants to be told; better given in the variable BACKTRACE_WAKER_TOKEN
    ///
    /// Others on this machine see a command line, but not the variables of a process. Never sent to a socket.
    #[allow(clippy::doc_markdown, reason = "it is printed as help")]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,

    /// How many bytes an answer or a raw dump file may have, decompressed [default: 1073741824]
    #[arg(long = "max-bytes", value_name = "BYTES", value_parser = number::bytes)]
    pub(crate) most_bytes: Option<usize>,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            memory: false,
            stop: false,
            max_pause: Duration::from_millis(100),
            exe: None,
            timeout: None,
            token: None,
            most_bytes: None,
        }
    }
}

impl RequestOptions {
    /// How long tasks may take to answer.
    fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    /// How many bytes an answer or a file may have.
    pub(crate) fn most_bytes(&self) -> usize {
        self.most_bytes.unwrap_or(RawDumpReader::MOST_BYTES)
    }

    /// What an agent is asked for.
    pub(crate) fn query(&self) -> String {
        let path = format!("{DUMP}?");
        let before = path.len();
        let mut query = form_urlencoded::Serializer::for_suffix(path, before);
        query.append_pair(FORMAT, RAW);
        query.append_pair(TIMEOUT_MS, &self.timeout().as_millis().to_string());
        for filter in &self.filters {
            query.append_pair(FILTER, filter.as_str());
        }
        query.finish()
    }

    /// A dump as an agent would have given it that was asked with these filters. Fails if they are by time, and the dump has no times.
    pub(crate) fn only(&self, file: RawDumpFile<'static>) -> Result<RawDumpFile<'static>, Failure> {
        let dump = file.dump();
        let has_times = dump.source() == DumpSource::Requests
            || dump.tasks().is_empty()
            || dump.tasks().iter().any(|task| task.status().age.is_some());
        if !has_times && self.filters.iter().any(|filter| filter.filter().needs_times()) {
            let failure =
                Failure::new("cannot filter by time: memory does not show how long these tasks wait");
            return Err(failure.with_help("leave out for: and older:, or wrap tasks with `traced`"));
        }
        Ok(self.filters.iter().fold(file, |file, filter| file.only(filter.filter())))
    }

    /// How long an agent may take for all of its answer: another dump may be before this one.
    pub(crate) fn answer_timeout(&self) -> Duration {
        2 * self.timeout() + GRACE
    }
}
