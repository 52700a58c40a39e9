//! The part of AVX-512 that is covered, against its definition: processors that have it are rare.

use std::collections::HashSet;

use bw_inspect::emulate::x86_64::Cpu;
use bw_inspect::emulate::{CodeCache, Machine, Overlay, Stop};
use bw_inspect::target::{Memory, Unreadable};
use iced_x86::{Code, Encoder, Instruction, MemoryOperand, Register};

const CODE: u64 = 0x40_0000;
const DATA: u64 = 0x50_0000;

/// A page of code and a page of data.
struct Pages {
    code: Vec<u8>,
    data: Vec<u8>,
}

impl Memory for Pages {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        for (start, bytes) in [(CODE, &self.code), (DATA, &self.data)] {
            let from = usize::try_from(address.wrapping_sub(start)).unwrap_or(usize::MAX);
            if let Some(found) = bytes.get(from..from.saturating_add(into.len())) {
                into.copy_from_slice(found);
                return Ok(());
            }
        }
        Err(Unreadable { address })
    }
}

/// Executes one instruction. Gives the registers and the data after it.
fn execute(instruction: &Instruction, cpu: &Cpu, data: &[u8]) -> (Cpu, Vec<u8>) {
    let mut encoder = Encoder::new(64);
    encoder.encode(instruction, CODE).expect("it has an encoding");
    let mut code = encoder.take_buffer();
    let end = CODE + code.len() as u64;
    code.resize(4096, 0x90);
    let memory = Pages { code, data: data.to_vec() };
    let mut cpu = cpu.clone();
    cpu.rip = CODE;
    let mut machine = Machine::with_cpu(cpu, Overlay::new(&memory, 8));
    let stop = machine.run(&mut CodeCache::new(), &HashSet::from([end]), 10);
    assert_eq!(stop, Stop::Trap(end), "{:?}", instruction.code());
    let mut after = vec![0; data.len()];
    machine.memory.read(DATA, &mut after).expect("the data is readable");
    (machine.cpu, after)
}

/// Numbers that look random, equal ones among them.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // Few different bytes, so that comparisons are seldom all equal or all different.
        self.0 & if self.0 >> 60 == 0 { u64::MAX } else { 0x8101_0181_0301_8081 }
    }

    fn cpu(&mut self) -> Cpu {
        let mut cpu = Cpu::default();
        cpu.zmm.as_flattened_mut().fill_with(|| self.word());
        cpu.k.fill_with(|| self.word().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        cpu.gpr.fill_with(|| self.word());
        cpu.gpr[3] = DATA + 1024;
        cpu
    }

    fn data(&mut self) -> Vec<u8> {
        std::iter::repeat_with(|| self.word().to_le_bytes()).take(512).flatten().collect()
    }
}

fn bytes(register: &[u64; 8]) -> Vec<u8> {
    register.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Number `n` of `width` bytes.
fn number(bytes: &[u8], n: usize, width: usize) -> u64 {
    let mut word = [0; 8];
    word[..width].copy_from_slice(&bytes[n * width..(n + 1) * width]);
    u64::from_le_bytes(word)
}

fn signed(value: u64, width: usize) -> i64 {
    let unused = 64 - 8 * width;
    (value << unused).cast_signed() >> unused
}

/// An operation on numbers of so many bytes.
type Operation = fn(u64, u64) -> u64;

const OPERATIONS: [(Code, usize, Operation); 19] = [
    (Code::EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, 4, |a, b| a & b),
    (Code::EVEX_Vpandq_zmm_k1z_zmm_zmmm512b64, 8, |a, b| a & b),
    (Code::EVEX_Vpandnd_zmm_k1z_zmm_zmmm512b32, 4, |a, b| !a & b),
    (Code::EVEX_Vpandnq_zmm_k1z_zmm_zmmm512b64, 8, |a, b| !a & b),
    (Code::EVEX_Vpord_zmm_k1z_zmm_zmmm512b32, 4, |a, b| a | b),
    (Code::EVEX_Vporq_zmm_k1z_zmm_zmmm512b64, 8, |a, b| a | b),
    (Code::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, 4, |a, b| a ^ b),
    (Code::EVEX_Vpxorq_zmm_k1z_zmm_zmmm512b64, 8, |a, b| a ^ b),
    (Code::EVEX_Vpaddb_zmm_k1z_zmm_zmmm512, 1, u64::wrapping_add),
    (Code::EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, 4, u64::wrapping_add),
    (Code::EVEX_Vpaddq_zmm_k1z_zmm_zmmm512b64, 8, u64::wrapping_add),
    (Code::EVEX_Vpsubb_zmm_k1z_zmm_zmmm512, 1, u64::wrapping_sub),
    (Code::EVEX_Vpsubw_zmm_k1z_zmm_zmmm512, 2, u64::wrapping_sub),
    (Code::EVEX_Vpminub_zmm_k1z_zmm_zmmm512, 1, Ord::min),
    (Code::EVEX_Vpminuq_zmm_k1z_zmm_zmmm512b64, 8, Ord::min),
    (Code::EVEX_Vpmaxub_zmm_k1z_zmm_zmmm512, 1, Ord::max),
    (Code::EVEX_Vpmaxud_zmm_k1z_zmm_zmmm512b32, 4, Ord::max),
    // The same in shorter vectors.
    (Code::EVEX_Vpminub_ymm_k1z_ymm_ymmm256, 1, Ord::min),
    (Code::EVEX_Vpxorq_xmm_k1z_xmm_xmmm128b64, 8, |a, b| a ^ b),
];

/// The registers `first` to `first + 2` in the length of an operation, and the length.
fn registers(code: Code, first: usize) -> ([Register; 3], usize) {
    let name = format!("{code:?}");
    let (start, len) = match () {
        () if name.contains("_zmm") => (Register::ZMM0, 64),
        () if name.contains("_ymm") => (Register::YMM0, 32),
        () => (Register::XMM0, 16),
    };
    ([0, 1, 2].map(|n| Register::values().nth(start as usize + first + n).expect("32 registers")), len)
}

#[test]
fn an_operation_ignores_its_mask() {
    let mut random = Random(77);
    for (code, width, operation) in OPERATIONS {
        for round in 0..60 {
            let (cpu, data) = (random.cpu(), random.data());
            // Registers that only this encoding reaches.
            let first = if round % 2 == 0 { 16 } else { 1 };
            let ([to, a, b], len) = registers(code, first);
            let in_memory = round % 3 == 0;
            let mut instruction = if in_memory {
                Instruction::with3(code, to, a, MemoryOperand::with_base(Register::RBX)).unwrap()
            } else {
                Instruction::with3(code, to, a, b).unwrap()
            };
            let masked = round % 4 != 3;
            if masked {
                instruction.set_op_mask(Register::K3);
                instruction.set_zeroing_masking(round % 4 == 1);
            }
            let (after, _) = execute(&instruction, &cpu, &data);
            let (old, x) = (bytes(&cpu.zmm[first]), bytes(&cpu.zmm[first + 1]));
            let y = if in_memory { data[1024..1088].to_vec() } else { bytes(&cpu.zmm[first + 2]) };
            let mut expected = vec![0; 64];
            for n in 0..len / width {
                let value = match cpu.k[3] >> n & 1 {
                    0 if masked && round % 4 == 1 => 0,
                    0 if masked => number(&old, n, width),
                    _ => operation(number(&x, n, width), number(&y, n, width)),
                };
                expected[n * width..(n + 1) * width].copy_from_slice(&value.to_le_bytes()[..width]);
            }
            assert_eq!(bytes(&after.zmm[first]), expected, "{code:?} in round {round}");
        }
    }
}

/// A comparison of numbers, given their width.
type Comparison = fn(u64, u64, usize) -> bool;

#[test]
fn a_comparison_gives_another_mask() {
    let comparisons: [(Code, usize, Option<u8>, Comparison); 12] = [
        (Code::EVEX_Vpcmpeqb_kr_k1_zmm_zmmm512, 1, None, |a, b, _| a == b),
        (Code::EVEX_Vpcmpeqd_kr_k1_ymm_ymmm256b32, 4, None, |a, b, _| a == b),
        (Code::EVEX_Vpcmpgtb_kr_k1_zmm_zmmm512, 1, None, |a, b, width| signed(a, width) > signed(b, width)),
        (Code::EVEX_Vpcmpub_kr_k1_zmm_zmmm512_imm8, 1, Some(4), |a, b, _| a != b),
        (Code::EVEX_Vpcmpub_kr_k1_ymm_ymmm256_imm8, 1, Some(1), |a, b, _| a < b),
        (Code::EVEX_Vpcmpub_kr_k1_ymm_ymmm256_imm8, 1, Some(2), |a, b, _| a <= b),
        (Code::EVEX_Vpcmpuw_kr_k1_zmm_zmmm512_imm8, 2, Some(6), |a, b, _| a > b),
        (Code::EVEX_Vpcmpb_kr_k1_zmm_zmmm512_imm8, 1, Some(5), |a, b, width| {
            signed(a, width) >= signed(b, width)
        }),
        (Code::EVEX_Vpcmpq_kr_k1_zmm_zmmm512b64_imm8, 8, Some(1), |a, b, _| signed(a, 8) < signed(b, 8)),
        (Code::EVEX_Vptestmb_kr_k1_zmm_zmmm512, 1, None, |a, b, _| a & b != 0),
        (Code::EVEX_Vptestnmb_kr_k1_ymm_ymmm256, 1, None, |a, b, _| a & b == 0),
        (Code::EVEX_Vptestnmd_kr_k1_zmm_zmmm512b32, 4, None, |a, b, _| a & b == 0),
    ];
    let mut random = Random(99);
    for (code, width, immediate, comparison) in comparisons {
        for round in 0..60 {
            let (cpu, data) = (random.cpu(), random.data());
            let ([a, b, _], len) = registers(code, 17);
            let mut instruction = match immediate {
                Some(immediate) => {
                    Instruction::with4(code, Register::K2, a, b, u32::from(immediate)).unwrap()
                }
                None => Instruction::with3(code, Register::K2, a, b).unwrap(),
            };
            let masked = round % 2 == 0;
            if masked {
                instruction.set_op_mask(Register::K5);
            }
            let (after, _) = execute(&instruction, &cpu, &data);
            let (x, y) = (bytes(&cpu.zmm[17]), bytes(&cpu.zmm[18]));
            let holds = |n: &usize| comparison(number(&x, *n, width), number(&y, *n, width), width);
            let chosen = |n: &usize| !masked || cpu.k[5] >> n & 1 == 1;
            let expected = (0..len / width).filter(holds).filter(chosen).fold(0, |mask, n| mask | 1 << n);
            assert_eq!(after.k[2], expected, "{code:?} in round {round}");
        }
    }
}

#[test]
fn a_masked_move_touches_memory_that_the_mask_leaves_out() {
    let mut random = Random(5);
    for round in 0..60 {
        let (mut cpu, data) = (random.cpu(), random.data());
        // At the end of the readable page: only the first numbers are there.
        cpu.gpr[3] = DATA + 4096 - 20;
        cpu.k[1] = (1 << (round % 21)) - 1;
        let memory = MemoryOperand::with_base(Register::RBX);
        let mut load =
            Instruction::with2(Code::EVEX_Vmovdqu8_zmm_k1z_zmmm512, Register::ZMM20, memory).unwrap();
        load.set_op_mask(Register::K1);
        load.set_zeroing_masking(true);
        let loaded = bytes(&execute(&load, &cpu, &data).0.zmm[20]);
        let count = round % 21;
        assert_eq!(loaded[..count], data[4076..4076 + count]);
        assert!(loaded[count..].iter().all(|byte| *byte == 0));
        let mut store =
            Instruction::with2(Code::EVEX_Vmovdqu8_zmmm512_k1z_zmm, memory, Register::ZMM20).unwrap();
        store.set_op_mask(Register::K1);
        let stored = execute(&store, &cpu, &data).1;
        assert_eq!(stored[4076..4076 + count], bytes(&cpu.zmm[20])[..count]);
        assert_eq!(stored[..4076], data[..4076]);
        assert_eq!(stored[4076 + count..], data[4076 + count..]);
    }
}

#[test]
fn moves_and_masks_lose_bits() {
    let mut random = Random(6);
    let (mut cpu, data) = (random.cpu(), random.data());
    cpu.k = [0, 0xffff_ffff, 0x1234_5678_9abc_def0, 0, u64::MAX, 0xff, 0x8000_0000, 0xffff];
    let run = |instruction: &Instruction| execute(instruction, &cpu, &data);
    let memory = MemoryOperand::with_base(Register::RBX);

    let moved =
        run(&Instruction::with2(Code::EVEX_Vmovdqu64_zmm_k1z_zmmm512, Register::ZMM31, Register::ZMM7)
            .unwrap())
        .0;
    assert_eq!(moved.zmm[31], cpu.zmm[7]);
    let moved =
        run(&Instruction::with2(Code::EVEX_Vmovdqu64_ymm_k1z_ymmm256, Register::YMM16, memory).unwrap()).0;
    assert_eq!(bytes(&moved.zmm[16]), [&data[1024..1056], &[0; 32]].concat());
    let stored =
        run(&Instruction::with2(Code::EVEX_Vmovdqu64_ymmm256_k1z_ymm, memory, Register::YMM16).unwrap()).1;
    assert_eq!(stored[1024..1056], bytes(&cpu.zmm[16])[..32]);
    assert_eq!(stored[1056..], data[1056..]);
    let spread = run(&Instruction::with2(
        Code::EVEX_Vpbroadcastb_ymm_k1z_r32,
        Register::YMM17,
        Register::ESI,
    )
    .unwrap())
    .0;
    assert_eq!(bytes(&spread.zmm[17])[..32], [cpu.gpr[6].to_le_bytes()[0]; 32]);
    let spread =
        run(&Instruction::with2(Code::EVEX_Vpbroadcastd_zmm_k1z_xmmm32, Register::ZMM17, Register::XMM2)
            .unwrap())
        .0;
    assert!((0..16).all(|n| number(&bytes(&spread.zmm[17]), n, 4) == cpu.zmm[2][0] & 0xffff_ffff));

    let low = run(&Instruction::with2(Code::EVEX_Vmovq_xmm_rm64, Register::XMM22, Register::RSI).unwrap()).0;
    assert_eq!(low.zmm[22], [cpu.gpr[6], 0, 0, 0, 0, 0, 0, 0]);
    let low = run(&Instruction::with2(Code::EVEX_Vmovd_rm32_xmm, Register::ESI, Register::XMM22).unwrap()).0;
    assert_eq!(low.gpr[6], cpu.zmm[22][0] & 0xffff_ffff);

    // zmm1 = zmm18 ? zmm19 : zmm1, and the or of three.
    for (table, operation) in
        [(0xca, (|a, b, c| a & b | !a & c) as fn(u64, u64, u64) -> u64), (0xfe, |a, b, c| a | b | c)]
    {
        let code = Code::EVEX_Vpternlogd_zmm_k1z_zmm_zmmm512b32_imm8;
        let result =
            run(&Instruction::with4(code, Register::ZMM1, Register::ZMM18, Register::ZMM19, table).unwrap())
                .0;
        let expected: Vec<u64> =
            (0..8).map(|n| operation(cpu.zmm[1][n], cpu.zmm[18][n], cpu.zmm[19][n])).collect();
        assert_eq!(result.zmm[1][..], expected);
    }

    // An instruction of AVX clears what is beyond its length, one of SSE keeps it.
    let cleared = run(&Instruction::with3(
        Code::VEX_Vpxor_xmm_xmm_xmmm128,
        Register::XMM3,
        Register::XMM4,
        Register::XMM5,
    )
    .unwrap())
    .0;
    assert!(cleared.zmm[3][2..].iter().all(|word| *word == 0));
    let kept = run(&Instruction::with2(Code::Pxor_xmm_xmmm128, Register::XMM3, Register::XMM4).unwrap()).0;
    assert_eq!(kept.zmm[3][2..], cpu.zmm[3][2..]);

    let general = |code, register| run(&Instruction::with2(code, register, Register::K2).unwrap()).0.gpr[8];
    assert_eq!(general(Code::VEX_Kmovd_r32_kr, Register::R8D), 0x9abc_def0);
    assert_eq!(general(Code::VEX_Kmovq_r64_kr, Register::R8), 0x1234_5678_9abc_def0);
    let mask = run(&Instruction::with2(Code::VEX_Kmovd_kr_r32, Register::K3, Register::EDI).unwrap()).0.k[3];
    assert_eq!(mask, cpu.gpr[7] & 0xffff_ffff);
    let test = |code, a, b| {
        let flags = run(&Instruction::with2(code, a, b).unwrap()).0.flags.bits();
        (flags >> 6 & 1 == 1, flags & 1 == 1)
    };
    assert_eq!(
        test(Code::VEX_Kortestd_kr_kr, Register::K0, Register::K3),
        (true, false),
        "neither has a bit"
    );
    assert_eq!(test(Code::VEX_Kortestd_kr_kr, Register::K1, Register::K0), (false, true), "all 32 bits");
    assert_eq!(test(Code::VEX_Kortestq_kr_kr, Register::K1, Register::K0), (false, false), "32 of 64 bits");
    assert_eq!(test(Code::VEX_Ktestd_kr_kr, Register::K6, Register::K5), (true, false));
    let combined = |code, a, b| run(&Instruction::with3(code, Register::K3, a, b).unwrap()).0.k[3];
    assert_eq!(combined(Code::VEX_Kunpckdq_kr_kr_kr, Register::K5, Register::K2), 0xff_9abc_def0);
    assert_eq!(combined(Code::VEX_Kunpckbw_kr_kr_kr, Register::K5, Register::K2), 0xfff0);
    assert_eq!(combined(Code::VEX_Kandd_kr_kr_kr, Register::K2, Register::K7), 0xdef0);
    assert_eq!(combined(Code::VEX_Kxnord_kr_kr_kr, Register::K0, Register::K0), 0xffff_ffff);
    let shifted = |by: u32| {
        run(&Instruction::with3(Code::VEX_Kshiftrq_kr_kr_imm8, Register::K3, Register::K4, by).unwrap()).0.k
            [3]
    };
    assert_eq!((shifted(60), shifted(64), shifted(255)), (15, 0, 0));
}
