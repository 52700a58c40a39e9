//! One line in the program, and it can be asked where its async tasks wait: at any time, by an operator who did not write it.
//!
//! [`start`] begins a thread that answers on a unix socket of its own. It has a runtime of its own as well, so it answers while the
//! program's runtime is wedged: that is when it is asked. What it tells of are the tasks that are traced; see
//! [`backtrace_waker`] for how they become so.
//!
//! # What to do
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use backtrace_waker::TracedExt;
//! use tokio::sync::Mutex;
//!
//! #[tokio::main]
//! async fn main() {
//!     bw_agent::start_or_warn();
//!     let stock = Arc::new(Mutex::new(3));
//!     let _held = Arc::clone(&stock).lock_owned().await;
//!     for _ in 0..2 {
//!         tokio::spawn(sell(Arc::clone(&stock)).traced_as("seller"));
//!     }
//!     tokio::time::sleep(Duration::from_secs(3_600)).await;
//! }
//!
//! async fn sell(stock: Arc<Mutex<u32>>) {
//!     *stock.lock().await -= 1;
//! }
//! ```
//!
//! Then, with the command `backtrace-waker dump PID`, or where only curl is at hand:
//!
//! ```text
//! $ curl --unix-socket $XDG_RUNTIME_DIR/backtrace-waker/PID.sock http://localhost/debug/async/dump
//! 2 tasks: 2 suspended; taken at 2026-11-25T18:28:36Z in 0 ms
//! traced 2 of 2 tasks alive
//!
//! 2 tasks suspended for 4.2 s until this dump polled them: "seller" (1, 2)
//! spawned at src/main.rs:15:47
//! ╼ async fn shop::sell at src/main.rs:21:19
//!  └╼ async fn tokio::sync::mutex::Mutex<T>::lock at tokio-1.54.1/src/sync/mutex.rs:455:33
//!
//! (9 frames hidden: 3 hook, 6 library)
//! ```
//!
//! Start it inside of the runtime, as here, and dumps say how many of its tasks are traced. [`builder`] moves the socket, adds TCP,
//! changes timeouts and bounds. An app of axum that has a port for such things mounts [`router`] there instead, or as well.
//!
//! # Asking wakes the tasks
//!
//! Each dump, and each report on stuck tasks, wakes the tasks that it asks, and their executors poll them. A task whose wake had been lost
//! moves on in that poll: the dump cures it and shows the place after it. Every task that no other poll had reached for a second, healthy or not, is printed as
//! `suspended for 3.7 s until this dump polled it`, or `finished when this dump polled it, 3.7 s after its last poll`. The list of tasks
//! (`/debug/async/tasks`) and the stall watch, while it only checks ages, ask no task.
//!
//! # Features
//!
//! All off by default:
//!
//! | feature | adds | depends on |
//! |---|---|---|
//! | `axum` | [`router`], to mount the endpoints into an app; [`TraceRequests`], which traces each request of one | axum, tower's traits |
//! | `tracing` | [`Sink::tracing`](Sink::tracing()); warnings become events | tracing |
//! | `pprof` | `format=pprof` and `debug=0` | prost |
//!
//! # Where it listens
//!
//! On `backtrace-waker/PID.sock` in `$XDG_RUNTIME_DIR`, if that is a folder of this user's alone, or else on
//! `/tmp/backtrace-waker-UID/PID.sock`. The folder has the mode 0700 and belongs to the user, the socket has the mode 0600, and who
//! connects must be this user or root. Where the name is taken, by a second agent of the process or by a process of another pid
//! namespace, it is `PID.1.sock`, and so on. The agent removes its
//! socket when it stops, and when the process returns from `main` or calls `exit`. A signal that ends the process, SIGTERM included,
//! leaves the file behind: the agent installs no handler for such signals, which would change how the program ends. Nobody listens
//! at a file that was left; `backtrace-waker ps` passes over it, and the next agent of the user removes it.
//!
//! On TCP only when [told to](AgentBuilder::tcp), and then on loopback addresses only, unless there is a
//! [token](AgentBuilder::token).
//!
//! # Environment
//!
//! What the operator says wins over what the program says. A value that cannot be used, such as a port that is taken, is warned
//! of (as an event of `tracing` if somebody listens and the feature `tracing` is on, else on stderr), and ignored: the program starts as it would without it, and
//! the warning says where the agent listens instead. A variable whose name begins with `BACKTRACE_WAKER` and is not in the table
//! is warned of as well, with the nearest name that is.
//!
//! | variable | value | without it |
//! |---|---|---|
//! | `BACKTRACE_WAKER` | `on` or `1`, `off` or `0`: with the latter two [`start`] does nothing | on |
//! | `BACKTRACE_WAKER_SOCKET` | the path of the socket, also where the program said that there be none; each process needs its own | [see above](#where-it-listens) |
//! | `BACKTRACE_WAKER_TCP` | an address and a port to listen on as well, such as `127.0.0.1:6060`; with port 0, one that is free. Where it listens is said at the start, as warnings are | none |
//! | `BACKTRACE_WAKER_TOKEN` | what those who ask over TCP must send; without one, loopback addresses only | none |
//! | `BACKTRACE_WAKER_TIMEOUT_MS` | how long a dump waits for tasks, from 1 to 60000 | 2000 |
//! | `BACKTRACE_WAKER_SIGNAL` | `USR1`, `USR2` or `QUIT`: [reports](#reports) on that signal; `off` | as the program says |
//! | `BACKTRACE_WAKER_PANIC` | `on` or `1`: reports on a panic; `off` or `0` | as the program says |
//! | `BACKTRACE_WAKER_STALL_MS` | reports tasks that are stuck for so many milliseconds, 200 or more; `off` | as the program says |
//! | `BACKTRACE_WAKER_REPORTS` | a folder: reports are kept there as well, as raw dump files; turns no trigger on | as the program says |
//!
//! # Endpoints
//!
//! HTTP/1.1, `GET` and `HEAD`. One request for each connection.
//!
//! | path | answers | asks tasks | costs the process |
//! |---|---|---|---|
//! | `/debug/async/` | a page for browsers, which fetches a dump as HTML | no | nothing |
//! | `/debug/async/dump` | all tasks and where they wait | yes | a poll of each task, as [`bw_core::DumpFuture`] says; then symbolizing and printing beside the runtime: some milliseconds the first time |
//! | `/debug/async/dump?format=raw` | the same, to be symbolized elsewhere | yes | a poll of each task. Neither debug information nor names are looked at, so this is the one for a sick process, and what `backtrace-waker dump PID` uses |
//! | `/debug/async/tasks` | all tasks and what they are doing | no | a look at each task |
//! | `/debug/async/tasks/ID` | one task and where it waits | one | a poll of that task; symbolizing as above |
//! | `/debug/async/process` | which process this is | no | nothing |
//!
//! | parameter | of | values |
//! |---|---|---|
//! | `format` | `dump` | `text` (what a [`TaskDump`](backtrace_waker::TaskDump) prints), `json`, `folded` stacks, `pprof` (feature `pprof`), `html`, or `raw`: a raw dump file, compressed |
//! | | `tasks`, `tasks/ID` | `text`, `json` |
//! | `debug` | `dump` | Go's convention: `0` is `format=pprof`, `1` tasks that look alike together, `2` every task. Of `text`, 1 unless told |
//! | `filter` | `dump`, `tasks` | terms with commas between them: `name:PART`, `id:N`, `state:suspended`, `older:90s`, `for:5m`; see [`TaskFilter`](backtrace_waker::TaskFilter#impl-FromStr-for-TaskFilter). May be given several times: all must hold |
//! | `timeout_ms` | `dump`, `tasks/ID` | how long to wait for tasks, and before that for another dump, from 1 to 60000 |
//! | `paths` | `dump` (text, json, pprof), `tasks`, `tasks/ID` | `short`: without the folders of the build machine, and relative to the working folder; `full`: as in the debug information. `short` unless told |
//! | `detail` | `dump` (text, folded, pprof) | `user`, `library`, `full`: which [frames](bw_render::Detail) are shown |
//! | `symbols` | `dump` (pprof) | `yes`, or `no`: addresses alone, so that nothing is symbolized here |
//! | `tasks` | `dump` (pprof) | `each`: a sample for each task, or `alike`: one for those that wait at the same place. `each` unless told |
//!
//! | status | when |
//! |---|---|
//! | 200 | also if not all tasks answered in time: then with the header `backtrace-waker-partial: true`, and the dump says so itself |
//! | 400 | a parameter or a value that is not known, or does not apply; the valid ones are named |
//! | 401, 403 | over TCP: without the token; from a page of another site, or under a name that is not this machine's |
//! | 404, 405 | nothing is there, or not for that method |
//! | 503 | another dump, of other parameters, was still being taken after `timeout_ms`; or the answer is larger than the [bound](AgentBuilder::size_cap). With `Retry-After` |
//!
//! Errors are a line of text that says what to do.
//!
//! ## JSON
//!
//! `dump` and `tasks/ID` answer with the object that [`bw_render::json`] describes, the latter with one task; `tasks` with the one that
//! [`DumpText::list_json`](bw_render::DumpText::list_json) does. `process` answers with the object that
//! [`ProcessDescription`](bw_dump::contract::ProcessDescription) describes.
//!
#![doc = include_str!("reports.md")]
//!
//! # What it must not do to the program
//!
//! * It runs on threads of its own: one that answers, and up to four that take dumps, symbolize and print, for ten seconds after they were
//!   last needed. All signals but those of faults are blocked there, so handlers run where they did before.
//! * An agent takes one dump at a time. Requests for the same path with the same parameters share one dump: a request that arrives
//!   while an equal one is being answered gets the same answer. Other requests wait for their turn. An answer has at most 64 MiB unless told, and so have all together that clients have not read
//!   yet. At most 64 connections are open, for at most two minutes, and whoever does not send his request within 5 seconds, or more
//!   than 16 KiB of it, is cut off.
//! * What goes wrong in it stays in it: a panic is an answer with the status 500, or ends the agent with a warning. (Where panics
//!   abort, they abort.)
//! * After `fork` the child closes what it has of the agent's sockets and has no agent, nor are they inherited by programs that are
//!   started.
//! * Tasks that are asked are polled once more than they would have been: see [`backtrace_waker`].
//!
//! # What it is not for
//!
//! * Not for strangers. Whoever may ask learns the names of tasks and functions and, with `paths=full`, the folders of the build
//!   machine, and has every task polled. TCP is not encrypted.
//! * Not for a watch that never ends: a dump each second is fine, a dump in a loop keeps the executors busy.
//! * Start it when the program has put itself into the background, and given up what rights it gives up: a forked child has no agent,
//!   and the socket belongs to who the process was when it started.
//! * A process that is stopped (`SIGSTOP`, a debugger, a frozen container) does not answer, and who connects waits.
//! * Root of the host is another user to a process in a user namespace that does not know it (a rootless container): ask inside.
//! * On platforms other than Linux this is written, but not tested. Without unix sockets, as on Windows, use TCP.
//!
//! # Types of others
//!
//! Two types in this interface are of other crates, and their major versions are part of ours: axum's `Router` (feature `axum`), since
//! [`router`] is there to be mounted into one, and tokio's `Handle`, by which [`AgentBuilder::runtime`] is told of a runtime.
//! [`TraceRequests`] has the traits of tower.
//!
//! # Unsafe code
//!
//! `os/mod.rs` has what is done at exit, after `fork` and about signals. Everything else denies unsafe code.

#![deny(unsafe_code)]

mod agent;
mod launch;
mod listen;
mod os;
mod report;
mod settings;
mod surface;
#[cfg(feature = "axum")]
mod trace_requests;
mod trigger;

pub use agent::{Agent, builder, start, start_or_warn};
#[cfg(unix)]
pub use report::DumpSignal;
pub use report::{PanicNote, Reason, Report, ReportFolder, Sink, Stall, StalledGroup};
#[cfg(unix)]
pub use settings::OnSignal;
pub use settings::start_error::StartError;
pub use settings::{AgentBuilder, OnPanic, StallWatch};
#[cfg(feature = "axum")]
pub use surface::router;
#[cfg(feature = "axum")]
pub use trace_requests::{TraceRequests, TracedRequests};

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fmt::Debug;

    use super::*;

    #[test]
    fn public_types_have_the_traits_that_users_expect() {
        fn shared<T: Debug + Send + Sync>() {}
        fn data<T: Clone + Debug + Send + Sync>() {}
        fn error<T: Error + Send + Sync>() {}
        shared::<(Agent, AgentBuilder, Report)>();
        data::<(OnPanic, StallWatch, ReportFolder, Sink)>();
        data::<(Reason, PanicNote, Stall, StalledGroup)>();
        #[cfg(unix)]
        data::<(OnSignal, DumpSignal)>();
        #[cfg(feature = "axum")]
        data::<(TraceRequests, TracedRequests<()>)>();
        error::<StartError>();
    }
}
