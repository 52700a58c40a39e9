//! Which instructions of whole programs the interpreter knows, whether they run here or not.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bw_inspect::emulate::{CodeCache, Machine, Overlay, Stop};
use bw_inspect::target::{Memory, Unreadable};
use iced_x86::{Code, Decoder, DecoderOptions, FlowControl};

/// Where the instruction is, in memory that has nothing else.
const AT: u64 = 0x40_0000;

/// One instruction, at the beginning of a page.
struct One<'a>(&'a [u8]);

impl Memory for One<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        if address != AT || into.len() < self.0.len() {
            return Err(Unreadable { address });
        }
        into[..self.0.len()].copy_from_slice(self.0);
        Ok(())
    }
}

/// Whether the interpreter knows an instruction. It may fail for want of memory.
fn is_known(bytes: &[u8]) -> bool {
    let memory = One(bytes);
    let mut machine = Machine::new(Overlay::new(&memory, 4));
    machine.cpu.rip = AT;
    let stop = machine.run(&mut CodeCache::new(), &HashSet::new(), 1);
    !matches!(stop, Stop::Unknown { .. })
}

/// How many instructions there are, and the unknown ones among them.
#[derive(Debug, Default)]
struct Coverage {
    all: u64,
    unknown: BTreeMap<String, u64>,
}

impl Coverage {
    /// The share of instructions that are known.
    fn share(&self) -> f64 {
        1.0 - self.unknown.values().sum::<u64>() as f64 / self.all as f64
    }
}

/// Decodes code from its beginning to its end. Tables in between decode to something, too: bytes that are no instruction do not count.
fn sweep(code: &[u8]) -> Coverage {
    let mut coverage = Coverage::default();
    let mut known: BTreeMap<Code, bool> = BTreeMap::new();
    let mut decoder = Decoder::with_ip(64, code, AT, DecoderOptions::NONE);
    while decoder.can_decode() {
        let start = decoder.position();
        let instruction = decoder.decode();
        if instruction.is_invalid()
            || instruction.is_privileged()
            || instruction.flow_control() == FlowControl::Interrupt
        {
            continue;
        }
        coverage.all += 1;
        let bytes = &code[start..decoder.position()];
        if !*known.entry(instruction.code()).or_insert_with(|| is_known(bytes)) {
            *coverage.unknown.entry(format!("{:?}", instruction.mnemonic()).to_lowercase()).or_default() += 1;
        }
    }
    coverage
}

/// The executable parts of the files that this process has mapped and whose path ends so.
fn code_of(memory: &impl Memory, is_wanted: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("there is a list of mappings");
    let mut parts = Vec::new();
    for line in maps.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [range, "r-xp", _, _, _, path] = fields[..] else { continue };
        if !is_wanted(path) {
            continue;
        }
        let (start, end) = range.split_once('-').expect("a range has two ends");
        let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).expect("an address"));
        let mut code = vec![0; (end - start) as usize];
        for (page, address) in code.chunks_mut(4096).zip((start..).step_by(4096)) {
            memory.read(address, page).expect("code is readable");
        }
        parts.push(code);
    }
    parts
}

#[test]
fn a_program_has_instructions_that_are_unknown() {
    let memory = super::Frozen::fork();
    let own = std::env::current_exe().expect("this program has a path");
    let own_name = own.to_string_lossy().into_owned();
    let mut seen = BTreeSet::new();
    for (name, least) in
        [(own_name.as_str(), 0.9995), ("/libc.so.6", 0.985), ("/ld-linux-x86-64.so.2", 0.985)]
    {
        for code in code_of(&memory, |path| path.ends_with(name)) {
            let coverage = sweep(&code);
            let mut unknown: Vec<_> = coverage.unknown.iter().collect();
            unknown.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let file = name.rsplit('/').next().unwrap_or(name);
            println!(
                "{file}: {} instructions, {:.4} % known, unknown {unknown:?}",
                coverage.all,
                100.0 * coverage.share()
            );
            assert!(coverage.share() >= least, "{file}: {:.4} % are known", 100.0 * coverage.share());
            seen.insert(file.to_owned());
        }
    }
    assert!(seen.len() >= 2, "only {seen:?} are mapped");
}
