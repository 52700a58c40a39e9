//! A few instructions with random operands, interpreted.

use std::collections::HashSet;
use std::sync::LazyLock;

#[cfg(target_arch = "aarch64")]
use bw_inspect::emulate::Processor;
use bw_inspect::emulate::aarch64::{Cpu, Nzcv};
use bw_inspect::emulate::{CodeCache, Machine, Overlay, Stop};
use bw_inspect::target::{Memory, Unreadable};

use super::operands::Random;

/// Where the code is: the same on every machine, so that results can be compared.
pub(crate) const CODE: u64 = 0x10_0000_0000;
/// Bytes of the code.
pub(crate) const CODE_BYTES: usize = 8192;
/// Where in the code the instructions are. Everything else is `brk`.
pub(crate) const FIRST: usize = 4096;
/// Where the data is.
pub(crate) const DATA: u64 = 0x10_0010_0000;
/// Bytes of the data.
pub(crate) const DATA_BYTES: usize = 8192;
/// The register that has the address of the middle of the data. So has the stack pointer.
pub(crate) const BASE: usize = 20;
/// The register with an offset that stays within the data.
pub(crate) const INDEX: usize = 21;
/// `brk #0`.
pub(crate) const BREAK: u32 = 0xd420_0000;

/// Registers and memory, before or after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) x: [u64; 31],
    pub(crate) sp: u64,
    pub(crate) pc: u64,
    pub(crate) nzcv: u8,
    pub(crate) v: [u128; 32],
    pub(crate) data: Vec<u8>,
}

impl State {
    /// Random registers and data, at the first instruction.
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let middle = DATA + DATA_BYTES as u64 / 2;
        let mut x = std::array::from_fn(|_| random.integer());
        x[BASE] = middle;
        x[INDEX] = random.word() % 200;
        if random.below(4) == 0 {
            x[INDEX] = x[INDEX].wrapping_neg();
        }
        // A vector is of one kind often, so that elements of one width are special together.
        let v = std::array::from_fn(|_| {
            let kind = random.below(4);
            let mut word = || match kind {
                0 => u64::from(random.single()) << 32 | u64::from(random.single()),
                1 => random.double(),
                _ => random.vector_word(),
            };
            u128::from(word()) << 64 | u128::from(word())
        });
        let nzcv = random.word() as u8 & 15;
        let data = random_data(&mut random);
        let mut state = Self { x, sp: middle, pc: CODE + FIRST as u64, nzcv, v, data };
        // Random numbers are seldom equal to what is in memory.
        if random.below(2) == 0 {
            let at = DATA_BYTES / 2;
            for register in [2, 3, 4, 5] {
                state.x[register] =
                    u64::from_le_bytes(*state.data[at + register % 2 * 8..].first_chunk().unwrap());
            }
        }
        state
    }

    /// What differs, for people. Empty if nothing does.
    #[cfg(target_arch = "aarch64")]
    pub(crate) fn differences(&self, interpreted: &Self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        for (n, (a, b)) in self.x.iter().zip(&interpreted.x).enumerate().filter(|(_, (a, b))| a != b) {
            let _ = writeln!(text, "  x{n}: processor {a:#x}, interpreter {b:#x}");
        }
        for (n, (a, b)) in self.v.iter().zip(&interpreted.v).enumerate().filter(|(_, (a, b))| a != b) {
            let _ = writeln!(text, "  v{n}: processor {a:#034x}, interpreter {b:#034x}");
        }
        for (name, a, b) in [
            ("sp", self.sp, interpreted.sp),
            ("pc", self.pc, interpreted.pc),
            ("nzcv", self.nzcv.into(), interpreted.nzcv.into()),
        ] {
            if a != b {
                let _ = writeln!(text, "  {name}: processor {a:#x}, interpreter {b:#x}");
            }
        }
        if let Some(at) = self.data.iter().zip(&interpreted.data).position(|(a, b)| a != b) {
            let part = at..(at + 16).min(DATA_BYTES);
            let (a, b) = (&self.data[part.clone()], &interpreted.data[part]);
            let _ = writeln!(text, "  memory from {at}: processor {a:x?}, interpreter {b:x?}");
        }
        text
    }

    /// A number that differs for different states.
    pub(crate) fn digest(&self) -> u64 {
        let registers = self.x.iter().chain([&self.sp, &self.pc]).flat_map(|word| word.to_le_bytes());
        let vectors = self.v.iter().flat_map(|vector| vector.to_le_bytes());
        let bytes = registers.chain(vectors).chain([self.nzcv]).chain(self.data.iter().copied());
        bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }
}

/// Random data. What is far from its middle is the same each time, since making it takes longer than everything else.
fn random_data(random: &mut Random) -> Vec<u8> {
    static FAR: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut random = Random::new(3);
        (0..DATA_BYTES / 8).flat_map(|_| random.word().to_le_bytes()).collect()
    });
    let mut data = FAR.clone();
    for word in data[DATA_BYTES / 2 - 64..DATA_BYTES / 2 + 128].chunks_exact_mut(8) {
        word.copy_from_slice(&random.vector_word().to_le_bytes());
    }
    data
}

/// The code: some words, and `brk` everywhere else.
pub(crate) fn code(words: &[u32]) -> Vec<u8> {
    static EMPTY: LazyLock<Vec<u8>> = LazyLock::new(|| BREAK.to_le_bytes().repeat(CODE_BYTES / 4));
    let mut code = EMPTY.clone();
    for (word, place) in words.iter().zip(code[FIRST..].chunks_exact_mut(4)) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    code
}

/// The name of an instruction. `None` if the interpreter does not know it.
#[cfg(target_arch = "aarch64")]
pub(crate) fn name(word: u32) -> Option<String> {
    let decoded = Cpu::decode(CODE, &word.to_le_bytes())?;
    Some(Cpu::mnemonic(&decoded.instruction)).filter(|name| !name.starts_with("0x"))
}

struct Copied<'a> {
    code: &'a [u8],
    data: &'a [u8],
}

impl Memory for Copied<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        for (start, bytes) in [(CODE, self.code), (DATA, self.data)] {
            let from = usize::try_from(address.wrapping_sub(start)).unwrap_or(usize::MAX);
            if let Some(found) = bytes.get(from..from.saturating_add(into.len())) {
                into.copy_from_slice(found);
                return Ok(());
            }
        }
        Err(Unreadable { address })
    }
}

/// Interprets words until one of them cannot be executed, or all are.
pub(crate) fn interpret(words: &[u32], before: &State) -> Result<State, Stop> {
    let code = code(words);
    let memory = Copied { code: &code, data: &before.data };
    let mut cpu = Cpu::default();
    (cpu.pc, cpu.flags, cpu.v) = (before.pc, Nzcv::from_bits(before.nzcv), before.v);
    for (number, value) in before.x.iter().enumerate() {
        cpu.set_x(number, *value);
    }
    cpu.set_stack_pointer(before.sp);
    let mut machine = Machine::with_cpu(cpu, Overlay::new(&memory, 16));
    match machine.run(&mut CodeCache::new(), &HashSet::new(), words.len() as u64) {
        Stop::OutOfBudget | Stop::Unreadable { .. } => {}
        stop => return Err(stop),
    }
    let mut data = vec![0; DATA_BYTES];
    machine.memory.read(DATA, &mut data).expect("the data is readable");
    let cpu = &machine.cpu;
    let x = std::array::from_fn(|number| cpu.x(number));
    Ok(State { x, sp: cpu.stack_pointer(), pc: cpu.pc, nzcv: cpu.flags.bits(), v: cpu.v, data })
}
