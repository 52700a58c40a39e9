//! Every form of every instruction, encoded.

use iced_x86::{
    Code, CpuidFeature, Encoder, EncodingKind, FlowControl, Instruction, Mnemonic, OpCodeOperandKind as Kind,
    OpKind, Register,
};

/// An instruction with operands, and its bytes.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) instruction: Instruction,
    pub(crate) bytes: Vec<u8>,
    /// How many forms there are of its code.
    pub(crate) siblings: usize,
}

/// The register that has the address of memory operands.
pub(crate) const BASE: Register = Register::R14;
/// The register that is added to it, times four, in some forms. Its value is [`INDEX_VALUE`].
const INDEX: Register = Register::R13;
/// See [`INDEX`].
pub(crate) const INDEX_VALUE: u64 = 16;
/// How far memory operands are behind it, with a displacement or with the index.
pub(crate) const MEMORY_OFFSET: usize = 64;

/// The registers of the operands, by the number of the choice.
const REGISTERS: [[usize; 5]; 4] = [[3, 9, 1, 6, 8], [2, 0, 10, 8, 12], [1, 1, 1, 1, 1], [0, 2, 11, 15, 7]];
const IMMEDIATES: [u64; 16] = [3, 0, 1, 2, 4, 7, 8, 15, 16, 31, 32, 63, 0x5a, 0x80, 0xa5, 0xff];

/// All forms of what the processor executes here without a trap.
pub(crate) fn all() -> Vec<Form> {
    Code::values().filter(|code| is_candidate(*code)).flat_map(of_code).collect()
}

fn is_candidate(code: Code) -> bool {
    let op_code = code.op_code();
    op_code.is_instruction()
        && op_code.mode64()
        && matches!(code.encoding(), EncodingKind::Legacy | EncodingKind::VEX)
        && code.flow_control() == FlowControl::Next
        && !code.is_stack_instruction()
        && !code.is_privileged()
        && !code.is_string_instruction()
        && code.cpuid_features().iter().all(|feature| has(*feature))
        && !is_unpredictable(code)
}

/// Instructions whose result differs between processors or runs, or that trap on random operands.
fn is_unpredictable(code: Code) -> bool {
    use Mnemonic as M;
    matches!(
        code.mnemonic(),
        // The time, the processor, the system.
        M::Rdtsc | M::Rdtscp | M::Cpuid | M::Xgetbv | M::Rdpid | M::Rdfsbase | M::Rdgsbase | M::Sgdt | M::Sidt
        // What they save differs between processors. `snippets` restores it.
        | M::Xsave | M::Xsave64 | M::Fxsave | M::Fxsave64 | M::Fxrstor | M::Fxrstor64
        // Longer names of `nop`.
        | M::Reservednop
        // `snippets` has these.
        | M::Ldmxcsr | M::Stmxcsr | M::Vldmxcsr | M::Vstmxcsr
    ) || code == Code::Bswap_r16
}

/// Whether this processor has a feature. Those that are not named here are not covered.
fn has(feature: CpuidFeature) -> bool {
    use CpuidFeature as F;
    use std::arch::is_x86_feature_detected as detected;
    match feature {
        F::INTEL8086
        | F::INTEL186
        | F::INTEL286
        | F::INTEL386
        | F::INTEL486
        | F::X64
        | F::CMOV
        | F::CX8
        | F::SSE
        | F::SSE2
        | F::MULTIBYTENOP
        | F::PAUSE
        | F::CLFSH
        | F::TSC => true,
        F::SSE3 => detected!("sse3"),
        F::SSSE3 => detected!("ssse3"),
        F::SSE4_1 => detected!("sse4.1"),
        F::SSE4_2 => detected!("sse4.2"),
        F::AVX => detected!("avx"),
        F::AVX2 => detected!("avx2"),
        F::FMA => detected!("fma"),
        F::BMI1 => detected!("bmi1"),
        F::BMI2 => detected!("bmi2"),
        F::ADX => detected!("adx"),
        F::LZCNT => detected!("lzcnt"),
        F::POPCNT => detected!("popcnt"),
        F::MOVBE => detected!("movbe"),
        F::CMPXCHG16B => detected!("cmpxchg16b"),
        _ => false,
    }
}

fn of_code(code: Code) -> Vec<Form> {
    let kinds = code.op_code().op_kinds();
    let may_be_memory = kinds.iter().any(|kind| takes_memory(*kind));
    let has_immediate = kinds
        .iter()
        .any(|kind| matches!(kind, Kind::imm8 | Kind::imm8sex16 | Kind::imm8sex32 | Kind::imm8sex64));
    let mut forms = Vec::new();
    for choice in 0..if has_immediate { IMMEDIATES.len() } else { REGISTERS.len() } {
        for memory in [false, true] {
            if memory && !may_be_memory {
                continue;
            }
            let Some(instruction) = build(code, choice, memory) else { continue };
            let may_lock = memory && code.op_code().can_use_lock_prefix();
            for lock in if may_lock { &[false, true][..] } else { &[false] } {
                let mut instruction = instruction;
                instruction.set_has_lock_prefix(*lock);
                let mut encoder = Encoder::new(64);
                // Some choices have no encoding, such as `ah` beside `r9b`.
                if encoder.encode(&instruction, 0).is_ok() {
                    forms.push(Form { instruction, bytes: encoder.take_buffer(), siblings: 0 });
                }
            }
        }
    }
    forms.dedup_by(|a, b| a.bytes == b.bytes);
    let siblings = forms.len();
    for form in &mut forms {
        form.siblings = siblings;
    }
    forms
}

fn takes_memory(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::mem
            | Kind::r8_or_mem
            | Kind::r16_or_mem
            | Kind::r32_or_mem
            | Kind::r64_or_mem
            | Kind::xmm_or_mem
            | Kind::ymm_or_mem
    )
}

fn build(code: Code, choice: usize, memory: bool) -> Option<Instruction> {
    let mut instruction = Instruction::new();
    instruction.set_code(code);
    for (n, kind) in code.op_code().op_kinds().iter().enumerate() {
        let number = REGISTERS[choice % REGISTERS.len()][n];
        let place = u32::try_from(n).ok()?;
        if *kind == Kind::mem && !memory {
            return None;
        }
        if memory && takes_memory(*kind) {
            instruction.set_op_kind(place, OpKind::Memory);
            instruction.set_memory_base(BASE);
            if choice.is_multiple_of(2) {
                instruction.set_memory_displacement64(MEMORY_OFFSET as u64);
                instruction.set_memory_displ_size(1);
            } else {
                instruction.set_memory_index(INDEX);
                instruction.set_memory_index_scale(4);
            }
            continue;
        }
        let immediate = match kind {
            Kind::imm8 => Some(OpKind::Immediate8),
            Kind::imm8sex16 => Some(OpKind::Immediate8to16),
            Kind::imm8sex32 => Some(OpKind::Immediate8to32),
            Kind::imm8sex64 => Some(OpKind::Immediate8to64),
            Kind::imm16 => Some(OpKind::Immediate16),
            Kind::imm32 => Some(OpKind::Immediate32),
            Kind::imm32sex64 => Some(OpKind::Immediate32to64),
            Kind::imm64 => Some(OpKind::Immediate64),
            Kind::imm8_const_1 => Some(OpKind::Immediate8),
            _ => None,
        };
        if let Some(immediate) = immediate {
            instruction.set_op_kind(place, immediate);
            let value = match kind {
                Kind::imm8_const_1 => 1,
                Kind::imm8 => IMMEDIATES[choice],
                // These are sign-extended from eight bits.
                Kind::imm8sex16 | Kind::imm8sex32 | Kind::imm8sex64 => IMMEDIATES[choice] as i8 as u64,
                _ => [0x1234_5678, 0x8765_4321_8765_4321, 0, u64::MAX][choice % 4],
            };
            instruction.set_immediate_u64(place, value);
            continue;
        }
        instruction.set_op_kind(place, OpKind::Register);
        instruction.set_op_register(place, register(*kind, number, choice)?);
    }
    Some(instruction)
}

fn register(kind: Kind, number: usize, choice: usize) -> Option<Register> {
    let from = |first: Register| Register::values().nth(first as usize + number);
    match kind {
        Kind::al => Some(Register::AL),
        Kind::cl => Some(Register::CL),
        Kind::ax => Some(Register::AX),
        Kind::dx => Some(Register::DX),
        Kind::eax => Some(Register::EAX),
        Kind::rax => Some(Register::RAX),
        Kind::r8_or_mem | Kind::r8_reg | Kind::r8_opcode => Some(match (choice, number) {
            // The high bytes, one of them beside a low one of the same register.
            (1, 2) => Register::DH,
            (3, 0) => Register::AH,
            (3, 2) => Register::DL,
            (_, 0) => Register::AL,
            (_, 1) => Register::CL,
            (_, 2) => Register::DL,
            (_, 3) => Register::BL,
            (_, 6) => Register::SIL,
            (_, 7) => Register::DIL,
            _ => Register::values().nth(Register::R8L as usize + number - 8)?,
        }),
        Kind::r16_or_mem | Kind::r16_reg | Kind::r16_reg_mem | Kind::r16_rm | Kind::r16_opcode => {
            from(Register::AX)
        }
        Kind::r32_or_mem
        | Kind::r32_reg
        | Kind::r32_reg_mem
        | Kind::r32_rm
        | Kind::r32_opcode
        | Kind::r32_vvvv => from(Register::EAX),
        Kind::r64_or_mem
        | Kind::r64_reg
        | Kind::r64_reg_mem
        | Kind::r64_rm
        | Kind::r64_opcode
        | Kind::r64_vvvv => from(Register::RAX),
        Kind::xmm_or_mem | Kind::xmm_reg | Kind::xmm_rm | Kind::xmm_vvvv | Kind::xmm_is4 => {
            // Legacy `blendvps` and its like have `xmm0` as their last operand, which iced lists as fixed.
            from(Register::XMM0)
        }
        Kind::ymm_or_mem | Kind::ymm_reg | Kind::ymm_rm | Kind::ymm_vvvv | Kind::ymm_is4 => {
            from(Register::YMM0)
        }
        _ => None,
    }
}
