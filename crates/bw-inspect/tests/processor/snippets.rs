//! What one instruction alone cannot show: jumps, the stack, strings, faults of divisions.

use std::collections::HashSet;

use bw_inspect::emulate::x86_64::Cpu;
use bw_inspect::emulate::{CodeCache, Machine, Overlay, Stop};
use bw_inspect::target::{Memory, Unreadable};

use super::differential::{Copied, differences, interpret};
use super::native::{Arena, DATA, Registers};
use super::operands::Random;

const DEFINED: u64 = 0x8d5;
const ALL: u64 = 0xcd5;
const RCX: usize = 1;
const RSI: usize = 6;
const RDI: usize = 7;
const R14: usize = 14;

/// Executes code with random registers, by both, and compares all.
fn compare(name: &str, code: &[u8], flags: u64, prepare: impl Fn(&mut Registers, u64, &mut Random)) {
    let mut arena = Arena::new(&[code, &[0xc3]].concat());
    let mut cache = CodeCache::new();
    let mut random = Random::new(code.len() as u64 * 77 + 5);
    for _ in 0..200 {
        let mut registers = Registers::random(&mut random);
        let middle = arena.data_address() + DATA as u64 / 2;
        registers.gpr[R14] = middle;
        prepare(&mut registers, middle, &mut random);
        for word in arena.data().chunks_exact_mut(8) {
            // Few different bytes, so that searches find and comparisons agree for a while.
            let byte = random.word() as u8 & 1;
            word.copy_from_slice(&[byte, 0, 0, 0, 0, 0, byte, 0]);
        }
        let data = arena.data().to_vec();
        let memory =
            Copied { code: (arena.code_address(), arena.code()), data: (arena.data_address(), &data) };
        let (emulated, written) = match interpret(&memory, &mut cache, arena.code_address(), &registers) {
            Ok(done) => done,
            Err(stop) => panic!("{name}: {stop}"),
        };
        let mut native = registers;
        arena.run(0, &mut native);
        let differences = differences(&native, arena.data(), &emulated, &written, flags);
        assert!(differences.is_empty(), "{name} with {registers:x?}\n{differences}");
    }
}

#[test]
fn a_jump_goes_elsewhere() {
    for condition in 0..16 {
        // jcc +6; mov ebx, 1; nop
        compare("jcc short", &[0x70 | condition, 6, 0xbb, 1, 0, 0, 0, 0x90], ALL, |_, _, _| {});
        compare("jcc near", &[0x0f, 0x80 | condition, 6, 0, 0, 0, 0xbb, 1, 0, 0, 0, 0x90], ALL, |_, _, _| {});
    }
    let small =
        |registers: &mut Registers, _: u64, random: &mut Random| registers.gpr[RCX] = random.word() % 5;
    // jrcxz / jecxz +5; mov ebx, 1
    compare("jrcxz", &[0xe3, 5, 0xbb, 1, 0, 0, 0], ALL, small);
    compare("jecxz", &[0x67, 0xe3, 5, 0xbb, 1, 0, 0, 0], ALL, |registers, _, random| {
        registers.gpr[RCX] = (random.word() << 32) | (random.word() % 2);
    });
    let counted =
        |registers: &mut Registers, _: u64, random: &mut Random| registers.gpr[RCX] = 1 + random.word() % 50;
    // inc rax; loop -5
    compare("loop", &[0x48, 0xff, 0xc0, 0xe2, 0xfb], ALL, counted);
    // add al, 0x10; loope / loopne -4
    compare("loope", &[0x04, 0x10, 0xe1, 0xfc], ALL, counted);
    compare("loopne", &[0x04, 0x10, 0xe0, 0xfc], ALL, counted);
    // lea rax, [rip + 4]; jmp rax; mov ebx, 1 (skipped in part)
    compare(
        "jmp rax",
        &[0x48, 0x8d, 0x05, 7, 0, 0, 0, 0xff, 0xe0, 0xbb, 1, 0, 0, 0, 0x90],
        ALL,
        |_, _, _| {},
    );
    // mov [r14], address of the nop; jmp [r14]; mov ebx, 1; nop
    let through_memory =
        [0x48, 0x8d, 0x05, 11, 0, 0, 0, 0x49, 0x89, 0x06, 0x41, 0xff, 0x26, 0xbb, 1, 0, 0, 0, 0x90];
    let mut arena = Arena::new(&[&through_memory[..], &[0xc3]].concat());
    let mut native = Registers::default();
    native.gpr[R14] = arena.data_address();
    let data = arena.data().to_vec();
    let memory = Copied { code: (arena.code_address(), arena.code()), data: (arena.data_address(), &data) };
    let emulated =
        interpret(&memory, &mut CodeCache::new(), arena.code_address(), &native).expect("runs to its end").0;
    arena.run(0, &mut native);
    assert_eq!(emulated.gpr, native.gpr, "a jump through memory");
}

#[test]
fn the_stack_has_something_else() {
    let none = |_: &mut Registers, _: u64, _: &mut Random| {};
    compare("push rbx; pop rcx", &[0x53, 0x59], ALL, none);
    compare(
        "push r9w; push bx; pop rdx to ecx",
        &[0x66, 0x41, 0x51, 0x66, 0x53, 0x66, 0x5a, 0x66, 0x59],
        ALL,
        none,
    );
    compare("push imm8; pop rax", &[0x6a, 0x80, 0x58], ALL, none);
    compare("push imm32; pop rax", &[0x68, 0x78, 0x56, 0x34, 0x92, 0x58], ALL, none);
    compare("push [r14]; pop [r14 + 8]", &[0x41, 0xff, 0x36, 0x41, 0x8f, 0x46, 8], ALL, none);
    // push rbx; push rcx; pop [rsp + 8]; pop rdx. The address of the second pop is relative to the new stack pointer.
    compare("pop [rsp]", &[0x53, 0x51, 0x8f, 0x04, 0x24, 0x5a], ALL, none);
    // push rbx; push rsp; pop rcx; sub rcx, rsp; pop rbx
    compare("push rsp", &[0x53, 0x54, 0x59, 0x48, 0x29, 0xe1, 0x5b], DEFINED, none);
    // The flags of these depend on the address of the stack.
    // mov rcx, rsp; push rbx; push rcx; pop rsp; sub rsp, 8; pop rdx; mov ecx, 0
    compare(
        "pop rsp",
        &[0x48, 0x89, 0xe1, 0x53, 0x51, 0x5c, 0x48, 0x83, 0xec, 8, 0x5a, 0xb9, 0, 0, 0, 0],
        0,
        none,
    );
    // push rbp; mov rbp, rsp; sub rsp, 64; push rbx; leave
    compare("leave", &[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x40, 0x53, 0xc9], 0, none);
    // enter 32, 0; leave
    compare("enter", &[0xc8, 0x20, 0, 0, 0xc9], ALL, none);
    // pushfq; pop rax; and eax, 0xcd5; and rax has flags
    compare("pushfq", &[0x9c, 0x58, 0x25, 0xd7, 0x0e, 0, 0], DEFINED, none);
    // and ebx, 0xcd5 (no trap flag); push rbx; popfq
    compare("popfq", &[0x81, 0xe3, 0xd5, 0x0c, 0, 0, 0x53, 0x9d], ALL, none);
    // push rbx; call +1; nop; inc rax; add rsp, 8; pop rcx: the return address is dropped
    compare("call", &[0x53, 0xe8, 1, 0, 0, 0, 0x90, 0x48, 0xff, 0xc0, 0x48, 0x83, 0xc4, 8, 0x59], 0, none);
    // push rbx; call f; pop rcx... f: ret 0 at the end
    compare("ret imm", &[0x53, 0x53, 0xe8, 2, 0, 0, 0, 0xeb, 3, 0xc2, 8, 0, 0x59], ALL, none);
}

#[test]
fn a_string_instruction_does_something_else() {
    let operations: [(&str, u8); 5] =
        [("movs", 0xa4), ("stos", 0xaa), ("lods", 0xac), ("scas", 0xae), ("cmps", 0xa6)];
    let prefixes: [(&str, &[u8]); 3] = [("", &[]), ("rep ", &[0xf3]), ("repne ", &[0xf2])];
    let widths: [(&str, &[u8], u8); 4] = [("b", &[], 0), ("w", &[0x66], 1), ("d", &[], 1), ("q", &[0x48], 1)];
    for (operation, opcode) in operations {
        for (prefix, bytes) in prefixes {
            for (width, size, wide) in widths {
                for backwards in [false, true] {
                    // `repne` is for comparisons.
                    if prefix == "repne " && opcode & 6 != 6 {
                        continue;
                    }
                    // std or cld first; the prefix `66` before `f3`, REX last.
                    let direction: &[u8] = if backwards { &[0xfd] } else { &[0xfc] };
                    let (first, second) = if size == [0x66] { (size, bytes) } else { (bytes, size) };
                    let code = [direction, first, second, &[opcode | wide], &[0xfc]].concat();
                    let name = format!("{prefix}{operation}{width}, backwards: {backwards}");
                    compare(&name, &code, ALL, |registers, middle, random| {
                        registers.gpr[RCX] = random.word() % 150;
                        registers.gpr[RSI] = middle + random.word() % 32 - 16;
                        registers.gpr[RDI] = middle + random.word() % 32;
                        if opcode | 1 == 0xaf {
                            registers.gpr[0] = random.word() & 1;
                        }
                    });
                }
            }
        }
    }
}

#[test]
fn control_of_vector_arithmetic_is_lost() {
    // mov dword [r14], 0x1fa0; ldmxcsr [r14]; stmxcsr [r14 + 4]; mov dword [r14], 0x1f80; ldmxcsr [r14]
    let code = [
        0x41, 0xc7, 0x06, 0xa0, 0x1f, 0, 0, 0x41, 0x0f, 0xae, 0x16, 0x41, 0x0f, 0xae, 0x5e, 4, 0x41, 0xc7,
        0x06, 0x80, 0x1f, 0, 0, 0x41, 0x0f, 0xae, 0x16,
    ];
    compare("ldmxcsr, stmxcsr", &code, ALL, |_, _, _| {});
}

#[test]
fn vector_registers_are_not_restored() {
    // lea rdi, [r14 - 1024]; mov ecx, 832; xor eax, eax; rep stosb: an area that is zero.
    const CLEAR: [u8; 16] =
        [0x49, 0x8d, 0xbe, 0, 0xfc, 0xff, 0xff, 0xb9, 0x40, 3, 0, 0, 0x31, 0xc0, 0xf3, 0xaa];
    // vpxor ymm1, ymm1, ymm1; vpcmpeqb xmm9, xmm9, xmm9; pxor xmm3, xmm3
    const CHANGE: [u8; 13] = [0xc5, 0xf5, 0xef, 0xc9, 0xc4, 0x41, 0x31, 0x74, 0xc9, 0x66, 0x0f, 0xef, 0xdb];
    let saves: [(&str, [u8; 4]); 3] = [
        ("xsave", [0x49, 0x0f, 0xae, 0xa6]),
        ("xsavec", [0x49, 0x0f, 0xc7, 0xa6]),
        ("fxsave", [0x49, 0x0f, 0xae, 0x86]),
    ];
    for (name, save) in saves {
        for components in [7, 2, 4, 6] {
            let area = [0, 0xfc, 0xff, 0xff];
            let restore: [u8; 4] =
                if name == "fxsave" { [0x49, 0x0f, 0xae, 0x8e] } else { [0x49, 0x0f, 0xae, 0xae] };
            // mov eax, components; xor edx, edx
            let choose = [0xb8, components, 0, 0, 0, 0x31, 0xd2];
            let code = [&CLEAR[..], &choose, &save, &area, &CHANGE, &restore, &area, &CLEAR].concat();
            compare(name, &code, ALL, |_, _, _| {});
        }
    }
}

/// Code at an address, and nothing else.
struct Bytes(Vec<u8>);

const AT: u64 = 0x40_0000;

impl Memory for Bytes {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let from = usize::try_from(address.wrapping_sub(AT)).unwrap_or(usize::MAX);
        let found = self.0.get(from..from.saturating_add(into.len())).ok_or(Unreadable { address })?;
        into.copy_from_slice(found);
        Ok(())
    }
}

/// Runs code that this processor must not execute, for a while.
fn run(code: &[u8], prepare: impl Fn(&mut Cpu)) -> (Stop, Cpu) {
    let mut page = code.to_vec();
    page.resize(4096, 0x90);
    let memory = Bytes(page);
    let mut overlay = Overlay::new(&memory, 8);
    overlay.map(0x1000, 0x1000);
    let mut cpu = Cpu { rip: AT, ..Cpu::default() };
    cpu.set_stack_pointer(0x1800);
    prepare(&mut cpu);
    let mut machine = Machine::with_cpu(cpu, overlay);
    let stop = machine.run(&mut CodeCache::new(), &HashSet::new(), 100);
    (stop, machine.cpu)
}

#[test]
fn a_division_that_traps_gives_a_result() {
    // div ecx, idiv ecx, div rcx, idiv rcx, div cl, idiv cl
    let divisions: [(&[u8], bool, u32); 6] = [
        (&[0xf7, 0xf1], false, 32),
        (&[0xf7, 0xf9], true, 32),
        (&[0x48, 0xf7, 0xf1], false, 64),
        (&[0x48, 0xf7, 0xf9], true, 64),
        (&[0xf6, 0xf1], false, 8),
        (&[0xf6, 0xf9], true, 8),
    ];
    let mut random = Random::new(9);
    for (code, signed, width) in divisions {
        let (mut trapped, mut divided) = (0, 0);
        for _ in 0..2000 {
            let (rax, rdx, rcx) = (
                random.integer(),
                if random.word().is_multiple_of(2) { random.word() % 3 } else { random.integer() },
                random.integer(),
            );
            let (stop, cpu) = run(code, |cpu| {
                cpu.gpr[0] = rax;
                cpu.gpr[2] = rdx;
                cpu.gpr[1] = rcx;
            });
            // The definition, in wider numbers.
            let mask = u128::MAX >> (128 - width);
            let high = if width == 8 { u128::from(rax >> 8) & mask } else { u128::from(rdx) & mask };
            let dividend = high << width | u128::from(rax) & mask;
            let extend = |value: u128, bits: u32| (value << (128 - bits)) as i128 >> (128 - bits);
            let divisor = u128::from(rcx) & mask;
            let fits = if signed {
                let quotient = extend(dividend, 2 * width).checked_div(extend(divisor, width));
                quotient.is_some_and(|quotient| extend(quotient as u128, width) == quotient)
            } else {
                dividend.checked_div(divisor).is_some_and(|quotient| quotient <= mask)
            };
            if fits {
                divided += 1;
                assert_ne!(stop, Stop::DivideError { at: AT }, "{code:x?} {rax:#x} {rdx:#x} by {rcx:#x}");
            } else {
                trapped += 1;
                assert_eq!(stop, Stop::DivideError { at: AT }, "{code:x?} {rax:#x} {rdx:#x} by {rcx:#x}");
                assert_eq!((cpu.gpr[0], cpu.gpr[2], cpu.rip), (rax, rdx, AT), "a fault changed a register");
            }
        }
        assert!(trapped > 100 && divided > 100, "{code:x?}: {trapped} trapped, {divided} divided");
    }
}

#[test]
fn an_instruction_that_ends_a_run_is_executed() {
    let stop = |code: &[u8]| {
        let (stop, cpu) = run(code, |_| {});
        assert_eq!(cpu.rip, AT, "{code:x?}: the program counter is not at the instruction");
        stop
    };
    assert_eq!(stop(&[0x0f, 0x05]), Stop::SystemCall { at: AT });
    assert_eq!(stop(&[0x0f, 0x0b]), Stop::Halted { at: AT });
    assert_eq!(stop(&[0xcc]), Stop::Halted { at: AT });
    assert_eq!(stop(&[0xf4]), Stop::Halted { at: AT });
    assert_eq!(stop(&[0xd9, 0xe8]), Stop::Unknown { at: AT, mnemonic: "fld1".into() });
    assert_eq!(stop(&[0x06]), Stop::Unknown { at: AT, mnemonic: "invalid".into() });
    // lodsq from fs:[rsi]; lodsq from [esi]; loop that counts in ecx
    assert_eq!(stop(&[0x64, 0x48, 0xad]), Stop::Unknown { at: AT, mnemonic: "lodsq".into() });
    assert_eq!(stop(&[0x67, 0x48, 0xad]), Stop::Unknown { at: AT, mnemonic: "lodsq".into() });
    assert_eq!(stop(&[0x67, 0xe2, 0xfd]), Stop::Unknown { at: AT, mnemonic: "loop".into() });
    // mov rax, [0]
    assert_eq!(stop(&[0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0]), Stop::Unreadable { at: AT, address: 0 });
    // jmp $
    assert_eq!(stop(&[0xeb, 0xfe]), Stop::OutOfBudget);
}

#[test]
fn the_prefix_of_a_segment_is_ignored() {
    // mov rax, fs:[0x10]; mov rbx, gs:[rcx]; lea rdx, fs:[0x10]; ud2
    let code = [
        0x64, 0x48, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0, 0x65, 0x48, 0x8b, 0x19, 0x64, 0x48, 0x8d, 0x14, 0x25,
        0x10, 0, 0, 0, 0x0f, 0x0b,
    ];
    let (stop, cpu) = run(&code, |cpu| {
        cpu.fs_base = AT - 0x10;
        cpu.gs_base = AT;
        cpu.gpr[1] = 8;
    });
    assert_eq!(stop, Stop::Halted { at: AT + 22 });
    assert_eq!(cpu.gpr[0].to_le_bytes(), code[..8]);
    assert_eq!(cpu.gpr[3].to_le_bytes(), code[8..16]);
    assert_eq!(cpu.gpr[2], 0x10);
}

#[test]
fn an_address_of_32_bits_is_not_cut_off() {
    // lea rax, [ecx + edx*2 + 8]; ud2
    let (_, cpu) = run(&[0x67, 0x48, 0x8d, 0x44, 0x51, 8, 0x0f, 0x0b], |cpu| {
        cpu.gpr[1] = 0xffff_ffff_0000_0010;
        cpu.gpr[2] = 0xffff_ffff;
    });
    assert_eq!(cpu.gpr[0], 0x16);
}

#[test]
fn code_that_asks_for_the_processor_gets_no_answer() {
    // cpuid with eax = 7, ecx = 0; xgetbv with ecx = 0; rdtsc: then ud2
    let (stop, cpu) = run(&[0xb8, 7, 0, 0, 0, 0x31, 0xc9, 0x0f, 0xa2, 0x0f, 0x0b], |_| {});
    assert_eq!(stop, Stop::Halted { at: AT + 9 });
    assert_eq!(cpu.gpr[3] >> 5 & 1, 1, "AVX2");
    let (stop, cpu) = run(&[0x31, 0xc9, 0x0f, 0x01, 0xd0, 0x0f, 0x31, 0x0f, 0x0b], |_| {});
    assert_eq!(stop, Stop::Halted { at: AT + 7 });
    assert_eq!((cpu.gpr[0], cpu.gpr[2]), (0, 1));
}
