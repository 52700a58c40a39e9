//! The phases, in turn, and what came of them.

use std::net::TcpListener;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use backtrace_waker::{RawDumpFile, TaskDump};
use benches::median;
use tokio::runtime::{Builder, Handle};

use crate::args::{Args, CLIENT};
use crate::asked::Asked;
use crate::helper_process::HelperProcess;
use crate::looker::{Look, Looker};
use crate::open_files;
use crate::percentiles::Percentiles;
use crate::server::{self, App};

/// What happens besides the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Without,
    Dump,
    DumpAndText,
    Agent,
    Look(Look),
}

/// Those of dumps from inside.
const INSIDE: [Kind; 4] = [Kind::Without, Kind::Dump, Kind::DumpAndText, Kind::Agent];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Without => "no dump",
            Self::Dump => "a dump every second",
            Self::DumpAndText => "the same, printed in groups",
            Self::Agent => "a raw one from the agent",
            Self::Look(Look::Memory) => "a look every second",
            Self::Look(Look::Stop) => "the same, with a stop",
        }
    }
}

/// Seconds of one phase. Longer is steadier; but what else the machine does should fall on all kinds alike.
const PHASE: u32 = 3;

/// See `main`.
pub(crate) fn measure(args: &Args) -> Result<(), String> {
    if cfg!(debug_assertions) {
        eprintln!("latency: this is a debug build, so the figures mean nothing; use --release");
    }
    open_files::allow(args.connections)?;
    let failed = |error: std::io::Error| error.to_string();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(failed)?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let app = App::new();
    let router = server::router(app.clone());
    let _server = runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
        server::serve(listener, router).await
    });

    let mut client = Client::start(&address.to_string(), args)?;
    // Warm, and what a first dump costs, which opens the program's debug information, told apart from the rest.
    client.load(PHASE)?;
    // Debug information in its heap would be searched by each look.
    if args.looks.is_empty() {
        let start = Instant::now();
        let dump = TaskDump::take().alive(runtime.metrics().num_alive_tasks()).blocking();
        let text = dump.to_string();
        println!("the first dump, printed: {:.0} ms\n\n{}\n", millis(start.elapsed()), cut(&text));
        if let Some(file) = &args.json {
            std::fs::write(file, dump.to_json()).map_err(|error| format!("cannot write {file}: {error}"))?;
        }
        drop((dump, text));
    }
    client.load(PHASE)?;

    let others = Others { agent: Asked::start()?, looker: Arc::new(Mutex::new(Looker::start()?)) };
    let kinds: Vec<Kind> = match &*args.looks {
        [] => INSIDE.to_vec(),
        looks => std::iter::once(Kind::Without).chain(looks.iter().copied().map(Kind::Look)).collect(),
    };
    let count = u32::try_from(kinds.len()).unwrap_or(u32::MAX);
    let rounds = (args.seconds / PHASE / count).max(1);
    let mut taken: Vec<(Kind, Percentiles, Dumps)> = Vec::new();
    println!("phase                        p50 ms   p99 ms p99.9 ms   max ms  requests");
    for round in 0..rounds {
        for turn in 0..count {
            // Each begins in turn.
            let kind = kinds[((round + turn) % count) as usize];
            let dumper = (kind != Kind::Without).then(|| Dumper::start(kind, runtime.handle(), &others));
            let load = client.load(PHASE);
            let dumps = dumper.map_or_else(|| Ok(Dumps::default()), Dumper::stop)?;
            let (load, dumps) = (load?, dumps.look_into()?);
            println!("{}", row(kind.name(), load, load.requests));
            if load.errors > 0 {
                return Err(format!("{} requests failed", load.errors));
            }
            taken.push((kind, load, dumps));
        }
    }
    app.tell();
    drop(client);
    sum_up(&kinds, &taken, args);
    runtime.shutdown_background();
    Ok(())
}

fn sum_up(kinds: &[Kind], taken: &[(Kind, Percentiles, Dumps)], args: &Args) {
    println!(
        "\nmedians over the phases; {} connections besides, {} requests a second\n",
        args.connections, args.rate
    );
    println!("                             p50 ms   p99 ms p99.9 ms   max ms  requests");
    let of = |kind| taken.iter().filter(move |phase| phase.0 == kind);
    let medians = kinds.iter().copied().map(|kind| {
        let middle = |part: fn(&Percentiles) -> f64| median(of(kind).map(|phase| part(&phase.1)).collect());
        let requests = of(kind).map(|phase| phase.1.requests).sum();
        let medians = Percentiles {
            p50: middle(|phase| phase.p50),
            p99: middle(|phase| phase.p99),
            p999: middle(|phase| phase.p999),
            max: middle(|phase| phase.max),
            requests,
            errors: 0,
        };
        println!("{}", row(kind.name(), medians, requests));
        medians
    });
    let medians: Vec<Percentiles> = medians.collect();
    println!();
    for (kind, with) in kinds.iter().copied().zip(&medians).skip(1) {
        let dumps: Vec<_> = of(kind).flat_map(|phase| &phase.2.took).collect();
        let tasks = of(kind).map(|phase| phase.2.tasks).max().unwrap_or(0);
        let partial: usize = of(kind).map(|phase| phase.2.partial).sum();
        let took = |part: fn(&(f64, f64)) -> f64| median(dumps.iter().map(|took| part(took)).collect());
        println!(
            "{}: {:+.2} ms p99, {:+.2} ms p50; {} dumps of {tasks} tasks ({partial} partial), \
             {:.1} ms each to capture, {:.1} ms to print",
            kind.name(),
            with.p99 - medians[0].p99,
            with.p50 - medians[0].p50,
            dumps.len(),
            took(|took| took.0),
            took(|took| took.1)
        );
        let pauses: Vec<f64> = of(kind).flat_map(|phase| phase.2.pauses.iter().copied()).collect();
        if kind == Kind::Look(Look::Stop) {
            let longest = pauses.iter().copied().fold(0.0, f64::max);
            println!("its pause: {:.2} ms, {longest:.2} ms at most", median(pauses));
        }
    }
}

fn row(name: &str, of: Percentiles, requests: usize) -> String {
    let Percentiles { p50, p99, p999, max, .. } = of;
    format!("{name:<27} {p50:8.2} {p99:8.2} {p999:8.2} {max:8.2} {requests:9}")
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    const LINES: usize = 60;
    let mut lines: Vec<_> = text.lines().take(LINES).collect();
    let rest = text.lines().count() - lines.len();
    let rest = format!("… and {rest} lines more");
    if text.lines().count() > LINES {
        lines.push(&rest);
    }
    lines.join("\n")
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What the dumps of one phase took.
#[derive(Default)]
struct Dumps {
    /// Milliseconds to capture, and to print.
    took: Vec<(f64, f64)>,
    /// In the largest.
    tasks: usize,
    /// How many of them their deadline ended: the machine had other things to do.
    partial: usize,
    /// Milliseconds for which each look stopped the threads.
    pauses: Vec<f64>,
    /// The first error of a look.
    failure: Option<String>,
    /// Raw dump files that the agent sent, to be looked into when nothing is measured.
    answers: Vec<Result<Vec<u8>, String>>,
}

impl Dumps {
    fn look_into(mut self) -> Result<Self, String> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        for answer in std::mem::take(&mut self.answers) {
            let file = RawDumpFile::read(&*answer?).map_err(|error| format!("the agent's dump {error}"))?;
            self.partial += usize::from(file.dump().is_partial());
            self.tasks = self.tasks.max(file.dump().tasks().len());
        }
        Ok(self)
    }
}

/// Who is asked besides the process itself.
#[derive(Clone)]
struct Others {
    agent: Asked,
    looker: Arc<Mutex<Looker>>,
}

/// A thread that takes a dump every second.
struct Dumper {
    thread: JoinHandle<Dumps>,
    stop: Sender<()>,
}

impl Dumper {
    fn start(kind: Kind, runtime: &Handle, others: &Others) -> Self {
        let (metrics, others) = (runtime.metrics(), others.clone());
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut dumps = Dumps::default();
            let mut wait = Duration::from_millis(500);
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let start = Instant::now();
                if let Kind::Look(look) = kind {
                    let looked = others.looker.lock().map_err(|error| error.to_string());
                    match looked.and_then(|mut looker| looker.look(look)) {
                        Ok(took) => {
                            dumps.took.push((took.all, 0.0));
                            dumps.pauses.push(took.pause);
                            dumps.tasks = dumps.tasks.max(took.tasks);
                        }
                        Err(failure) => {
                            dumps.failure = Some(failure);
                            break;
                        }
                    }
                    wait = Duration::from_secs(1).saturating_sub(start.elapsed());
                    continue;
                }
                if kind == Kind::Agent {
                    let answer = others.agent.dump();
                    dumps.took.push((millis(start.elapsed()), 0.0));
                    wait = Duration::from_secs(1).saturating_sub(start.elapsed());
                    dumps.answers.push(answer);
                    continue;
                }
                let dump = TaskDump::take().alive(metrics.num_alive_tasks()).blocking();
                let captured = start.elapsed();
                dumps.partial += usize::from(dump.raw().is_partial());
                let text = if kind == Kind::DumpAndText { dump.to_string() } else { String::new() };
                let printed = start.elapsed();
                dumps.took.push((millis(captured), millis(printed.saturating_sub(captured))));
                dumps.tasks = dumps.tasks.max(dump.raw().tasks().len());
                drop((dump, text));
                wait = Duration::from_secs(1).saturating_sub(start.elapsed());
            }
            dumps
        });
        Self { thread, stop }
    }

    fn stop(self) -> Result<Dumps, String> {
        drop(self.stop);
        self.thread.join().map_err(|_| "the thread that takes dumps panicked".to_owned())
    }
}

/// The client's process.
struct Client(HelperProcess);

impl Client {
    fn start(address: &str, args: &Args) -> Result<Self, String> {
        let (connections, rate) = (args.connections.to_string(), args.rate.to_string());
        let arguments = [CLIENT, address, "--connections", &connections, "--rate", &rate];
        HelperProcess::start(&arguments).map(Self)
    }

    /// So many seconds of load.
    fn load(&mut self, seconds: u32) -> Result<Percentiles, String> {
        self.0.ask(&seconds.to_string())?.parse()
    }
}
