//! Instructions about the processor and the system: hints, fences, questions, stops and single flags.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::{Cpu, RAX, RBX, RCX, RDX};
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        // There is one thread and no cache, so fences and hints do nothing. Without a shadow stack, `rdssp` is a `nop`.
        M::Nop
        | M::Fnop
        | M::Endbr64
        | M::Pause
        | M::Lfence
        | M::Mfence
        | M::Sfence
        | M::Prefetch
        | M::Prefetchw
        | M::Prefetchnta
        | M::Prefetcht0
        | M::Prefetcht1
        | M::Prefetcht2
        | M::Prefetchwt1
        | M::Clflush
        | M::Clflushopt
        | M::Clwb
        | M::Cldemote
        | M::Serialize
        | M::Rdsspd
        | M::Rdsspq => |_, _, _| Ok(()),
        M::Cpuid => cpuid,
        M::Rdtsc => |cpu, _, _| read_clock(cpu),
        M::Rdtscp => |cpu, _, _| {
            cpu.gpr[RCX] = 0;
            read_clock(cpu)
        },
        M::Xgetbv => |cpu, _, _| {
            // The state that the system saves: x87, SSE and AVX.
            cpu.gpr[RAX] = 0b111;
            cpu.gpr[RDX] = 0;
            Ok(())
        },
        // Never within a transaction.
        M::Xtest => |cpu, _, _| {
            cpu.flags.set(Flags::ARITHMETIC, false);
            cpu.flags.set(Flags::ZERO, true);
            Ok(())
        },
        M::Rdfsbase => |cpu, memory, form| form.store(cpu, memory, 0, cpu.fs_base),
        M::Rdgsbase => |cpu, memory, form| form.store(cpu, memory, 0, cpu.gs_base),
        M::Rdpid => |cpu, memory, form| form.store(cpu, memory, 0, 0),
        M::Clc => |cpu, _, _| set(cpu, Flags::CARRY, false),
        M::Stc => |cpu, _, _| set(cpu, Flags::CARRY, true),
        M::Cmc => |cpu, _, _| set(cpu, Flags::CARRY, !cpu.flags.has(Flags::CARRY)),
        M::Cld => |cpu, _, _| set(cpu, Flags::DIRECTION, false),
        M::Std => |cpu, _, _| set(cpu, Flags::DIRECTION, true),
        M::Syscall => |_, _, _| Err(Fault::SystemCall),
        M::Ud0 | M::Ud1 | M::Ud2 | M::Int3 | M::Int1 | M::Hlt => |_, _, _| Err(Fault::Halted),
        _ => return None,
    };
    Some(handler)
}

fn set(cpu: &mut Cpu, flag: u64, on: bool) -> Result<(), Fault> {
    cpu.flags.set(flag, on);
    Ok(())
}

/// `rdtsc`: the same time always. A loop that waits for time to pass ends by its budget.
fn read_clock(cpu: &mut Cpu) -> Result<(), Fault> {
    cpu.gpr[RAX] = 0;
    cpu.gpr[RDX] = 1;
    Ok(())
}

/// `cpuid`: a processor with what the interpreter covers, for code that chooses by it.
fn cpuid(cpu: &mut Cpu, _: &mut Overlay<'_>, _: &Form) -> Result<(), Fault> {
    /// SSE3, PCLMULQDQ off, SSSE3, FMA, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT, XSAVE, OSXSAVE, AVX.
    const LEAF_1_ECX: u64 =
        1 | 1 << 9 | 1 << 12 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 22 | 1 << 23 | 1 << 26 | 1 << 27 | 1 << 28;
    /// FPU, TSC, CX8, CMOV, FXSR, SSE, SSE2.
    const LEAF_1_EDX: u64 = 1 | 1 << 4 | 1 << 8 | 1 << 15 | 1 << 24 | 1 << 25 | 1 << 26;
    /// BMI1, AVX2, BMI2, ERMS, ADX.
    const LEAF_7_EBX: u64 = 1 << 3 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 19;
    /// LAHF, LZCNT.
    const EXTENDED_ECX: u64 = 1 | 1 << 5;
    /// SYSCALL, long mode.
    const EXTENDED_EDX: u64 = 1 << 11 | 1 << 29;
    let four = |text: &[u8; 4]| u64::from(u32::from_le_bytes(*text));
    let (eax, ebx, ecx, edx) = match (cpu.low(RAX, Width::Double), cpu.low(RCX, Width::Double)) {
        (0, _) => (7, four(b"Genu"), four(b"ntel"), four(b"ineI")),
        (1, _) => (0x0003_06c3, 0, LEAF_1_ECX, LEAF_1_EDX),
        (7, 0) => (0, LEAF_7_EBX, 0, 0),
        (0x8000_0000, _) => (0x8000_0001, 0, 0, 0),
        (0x8000_0001, _) => (0, 0, EXTENDED_ECX, EXTENDED_EDX),
        _ => (0, 0, 0, 0),
    };
    for (register, value) in [(RAX, eax), (RBX, ebx), (RCX, ecx), (RDX, edx)] {
        cpu.gpr[register] = value;
    }
    Ok(())
}
