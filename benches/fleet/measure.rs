//! Merges dumps, and tells how long that took and how much memory.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backtrace_waker::bw_render::{DumpText, MergedTrees, Pprof, TaskTrees, Text};
use benches::measure::memory::peak_of;
use bw_dump::{Merge, RawDumpFile};
use bw_symbolize::{SymbolSources, Symbolizer};

use crate::generate::Template;
use crate::kinds;

/// Tasks of the process that a profile is written of.
const TASKS: u64 = 100_000;

/// Where the files are, and who removes them.
struct Folder {
    path: PathBuf,
    keeps: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keeps {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

pub(crate) fn measure(dumps: usize, keep: Option<PathBuf>) -> io::Result<()> {
    let template =
        Template::new(&kinds::dump()?).ok_or_else(|| io::Error::other("no modules are known here"))?;
    profile(&template)?;
    let keeps = keep.is_some();
    let path = keep.unwrap_or_else(|| std::env::temp_dir().join(format!("fleet-{}", std::process::id())));
    fs::create_dir_all(&path)?;
    let folder = Folder { path, keeps };
    let (mut bytes, mut files) = (0, Vec::new());
    for number in 0..dumps {
        let path = folder.path.join(format!("{number:05}.dump.gz"));
        template.process(number).write_gzip(File::create(&path)?)?;
        bytes += path.metadata()?.len();
        files.push(path);
    }
    println!("\n{dumps} dumps of {bytes} bytes in {}\n", folder.path.display());
    println!("dumps       tasks  traces  groups  read_s  add_s  finish_ms  symbolize_ms  text_ms  peak_mb");
    for count in [dumps / 10, dumps * 3 / 10, dumps] {
        merge(&files[..count])?;
    }
    Ok(())
}

fn merge(files: &[PathBuf]) -> io::Result<()> {
    let (peak, row) = peak_of(|| timed(files));
    println!("{} {:>8.1}", row?, peak.map_or(f64::NAN, mega));
    Ok(())
}

fn timed(files: &[PathBuf]) -> io::Result<String> {
    let (mut merge, mut reading, mut adding) = (Merge::new(), Duration::ZERO, Duration::ZERO);
    for path in files {
        let start = Instant::now();
        let file = read(path)?;
        reading += start.elapsed();
        let start = Instant::now();
        merge.add(&path.to_string_lossy(), &file);
        adding += start.elapsed();
    }
    let start = Instant::now();
    let dump = merge.finish();
    let finishing = start.elapsed();
    let start = Instant::now();
    let symbolizer = Symbolizer::for_modules(dump.modules().clone(), SymbolSources::new());
    let traces: Vec<_> = dump.traces().iter().map(|trace| symbolizer.symbolize(trace)).collect();
    let trees = MergedTrees::trees(&dump, &traces);
    let symbolizing = start.elapsed();
    let start = Instant::now();
    let text = DumpText::new(Text::new()).merged(MergedTrees::new(&dump, &trees)).to_string();
    let printing = start.elapsed();
    assert!(text.contains("async fn fleet::kinds::handle"), "names of the build that is here");
    assert_eq!(dump.groups().iter().map(bw_dump::MergedGroup::tasks).sum::<usize>(), dump.tasks());
    Ok(format!(
        "{:>5} {:>11} {:>7} {:>7} {:>7.2} {:>6.2} {:>10.1} {:>13.1} {:>8.1}",
        dump.dumps(),
        dump.tasks(),
        dump.traces().len(),
        dump.groups().len(),
        reading.as_secs_f64(),
        adding.as_secs_f64(),
        millis(finishing),
        millis(symbolizing),
        millis(printing)
    ))
}

fn read(path: &Path) -> io::Result<RawDumpFile<'static>> {
    RawDumpFile::read(File::open(path)?).map_err(io::Error::other)
}

/// A profile of many tasks, with names and without.
fn profile(template: &Template) -> io::Result<()> {
    let file = template.with_tasks(0, TASKS);
    let symbolizer = Symbolizer::for_modules(file.modules().clone(), SymbolSources::new());
    let trees = TaskTrees::trees(file.dump(), &symbolizer.symbolize_all(file.dump()));
    println!("profile of {TASKS} tasks  bytes  unpacked      ms  peak_mb");
    let all = Pprof::new(file.process(), file.modules());
    for (name, settings) in [
        ("names", all.clone()),
        ("addresses", all.clone().symbols(false)),
        ("alike together", all.each_task(false)),
    ] {
        let (peak, (took, bytes)) = peak_of(|| {
            let start = Instant::now();
            let bytes = TaskTrees::new(file.dump(), &trees).to_pprof(&settings);
            (start.elapsed(), bytes)
        });
        let unpacked = unpacked(&bytes);
        println!(
            "{name:<22} {:>8} {unpacked:>9} {:>7.1} {:>8.1}",
            bytes.len(),
            millis(took),
            peak.map_or(f64::NAN, mega)
        );
    }
    Ok(())
}

/// What gzip says at its end: the length, modulo 2^32.
fn unpacked(bytes: &[u8]) -> u32 {
    bytes.last_chunk().map_or(0, |length| u32::from_le_bytes(*length))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[allow(clippy::cast_precision_loss, reason = "it is printed with one digit behind the point")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
