//! What symbolizing costs, in time and memory, on this program: tokio, hyper and axum, `debug = 1`. Each figure is taken
//! by processes of its own, since who comes second finds the file in the page tables.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::time::Instant;

use bw_core::ReturnAddress;
use bw_dump::ModuleMap;
use bw_symbolize::Symbolizer;

use crate::figure::{Figure, Measure, Target};
use crate::measure::name;

/// How many addresses are symbolized, spread evenly over the program's code: many more places, and many more units of
/// debug information, than the tasks of a program wait at.
const ADDRESSES: usize = 1000;

/// What a child measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Milliseconds for the first address: opening included.
    First,
    /// Microseconds for each further one, on average.
    Cold,
    /// Microseconds for one that was asked for before.
    Cached,
    /// Megabytes of private memory after all of them, without what the process had before.
    Memory,
}

/// The row of a part.
#[must_use]
pub fn figure(part: Part) -> Figure {
    macro_rules! child {
        ($part:expr) => {
            Measure::Child { times: |effort| effort.children, names, child: |name| measure($part, name) }
        };
    }
    let (key, about, target, measure) = match part {
        Part::First => (
            "symbol_first_ms",
            "symbolizing the first address of this program, which has tokio, hyper and axum, debug = 1",
            8.0,
            child!(Part::First),
        ),
        Part::Cold => (
            "symbol_cold_us",
            "each further address, of 1,000 spread over the code, on average",
            300.0,
            child!(Part::Cold),
        ),
        Part::Cached => ("symbol_cached_us", "an address asked for before", 0.3, child!(Part::Cached)),
        Part::Memory => (
            "symbol_memory_mb",
            "private memory after those 1,000 addresses (RssAnon, in units of 1,000,000 bytes)",
            15.0,
            child!(Part::Memory),
        ),
    };
    Figure { key, about, target: Target::AtMost(target), measure }
}

/// Who takes part.
#[must_use]
pub fn names() -> &'static [&'static str] {
    &[name::OURS, name::BACKTRACE, name::LOADER]
}

/// The child: `None` for a name that takes no part.
///
/// # Panics
///
/// When nothing is symbolized: then nothing was measured.
#[must_use]
pub fn measure(part: Part, name: &str) -> Option<f64> {
    // Linked in, and nothing more: what is measured is the size of a real server.
    drop(black_box(server()));
    let (addresses, bias) = code();
    let before = private_bytes();
    // How many frames an address has.
    let mut symbolize: Box<dyn FnMut(usize) -> usize> = match name {
        name::OURS => {
            let symbolizer = Symbolizer::new();
            Box::new(move |address| {
                let address = ReturnAddress::new(address).expect("code is not at zero");
                symbolizer.symbolize_address(address).frames.len()
            })
        }
        name::BACKTRACE => Box::new(|address| {
            let mut frames = 0;
            backtrace::resolve(std::ptr::without_provenance_mut(address), |symbol| {
                // Names and positions are made here by everybody, so that everybody reads them.
                black_box((symbol.name().map(|name| name.to_string()), symbol.filename(), symbol.lineno()));
                frames += 1;
            });
            frames
        }),
        name::LOADER => {
            let mut opened = None;
            Box::new(move |address| {
                let loader = opened
                    .get_or_insert_with(|| addr2line::Loader::new("/proc/self/exe").expect("this program"));
                let mut frames = 0;
                // The call stands before the address it returns to.
                let svma = (address as u64).wrapping_sub(bias) - 1;
                let mut found = loader.find_frames(svma).expect("readable debug information");
                while let Some(frame) = found.next().expect("readable debug information") {
                    let name = frame.function.as_ref().map(|function| function.demangle().map(String::from));
                    black_box((name, frame.location.map(|location| location.file.map(str::to_owned))));
                    frames += 1;
                }
                frames
            })
        }
        _ => return None,
    };
    let start = Instant::now();
    let mut frames = symbolize(addresses[0]);
    let first = start.elapsed().as_secs_f64();
    if part == Part::First {
        assert!(frames > 0, "{name} found nothing");
        return Some(first * 1e3);
    }
    let start = Instant::now();
    frames += addresses[1..].iter().map(|&address| symbolize(address)).sum::<usize>();
    let cold = start.elapsed().as_secs_f64();
    assert!(frames > ADDRESSES, "{name} found {frames} frames");
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    match part {
        Part::First => None,
        Part::Cold => Some(cold * 1e6 / (ADDRESSES - 1) as f64),
        Part::Memory => Some(private_bytes().saturating_sub(before) as f64 / 1e6),
        Part::Cached => {
            const ROUNDS: usize = 100;
            let start = Instant::now();
            for _ in 0..ROUNDS {
                for &address in &addresses {
                    black_box(symbolize(address));
                }
            }
            Some(start.elapsed().as_secs_f64() * 1e6 / (ROUNDS * ADDRESSES) as f64)
        }
    }
}

/// Addresses in the code of this program, in an order in which neighbours are not, and its bias.
fn code() -> (Vec<usize>, u64) {
    let map = ModuleMap::of_this_process();
    let here = ReturnAddress::new(measure as fn(Part, &str) -> Option<f64> as usize + 1).expect("not zero");
    let module = &map.modules()[map.find(here).expect("this program is a module")];
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux");
    let code = maps.lines().filter(|line| line.contains(" r-xp ")).find_map(|line| {
        let (start, rest) = line.split_once('-')?;
        let (end, _) = rest.split_once(' ')?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        (start <= here.get() && here.get() < end).then_some(start..end)
    });
    let code = code.expect("code is mapped");
    let step = code.len() / ADDRESSES;
    // 617 has no factor in common with 1000: every place once. The first is one that is certainly in a function.
    let spread = (1..ADDRESSES).map(|number| code.start + step * (number * 617 % ADDRESSES) + step / 2);
    (std::iter::once(here.get()).chain(spread).collect(), module.bias())
}

/// Private memory in bytes.
fn private_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("Linux 4.5 or later");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number")
        * 1024
}

/// A server that nobody runs.
fn server() -> Pin<Box<dyn Future<Output = ()>>> {
    use axum::Router;
    use axum::routing::get;
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;

    Box::pin(async {
        let router = Router::new().route("/", get(async || "hello"));
        let (_client, server) = tokio::io::duplex(1024);
        let service = TowerToHyperService::new(router);
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
        drop(connection.await);
    })
}
