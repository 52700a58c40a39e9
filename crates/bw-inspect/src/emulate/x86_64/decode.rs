//! From bytes to a [`Form`].

use iced_x86::{
    Decoder, DecoderError, DecoderOptions, EncodingKind, FlowControl, Instruction, OpKind, Register,
};

use super::avx512;
use super::cpu::Cpu;
use super::form::{Address, Form, Gpr, Handler, Operand, Repeat, Segment, Width};
use super::integer;
use super::vector;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::processor::Decoded;

/// Decodes the instruction at `at`. `None` if `code` ends within it.
pub(super) fn decode(at: u64, code: &[u8]) -> Option<Decoded<Form>> {
    let mut decoder = Decoder::with_ip(64, code, at, DecoderOptions::NONE);
    let instruction = decoder.decode();
    if decoder.last_error() == DecoderError::NoMoreBytes {
        return None;
    }
    // Invalid instructions have a form too, which ends the run if it is reached.
    let form = lower(&instruction);
    let repeats = form.repeat != Repeat::Once;
    let ends_block = repeats || instruction.is_invalid() || instruction.flow_control() != FlowControl::Next;
    Some(Decoded { instruction: form, len: instruction.len().max(1), ends_block })
}

fn lower(instruction: &Instruction) -> Form {
    let operands = operands(instruction);
    let address = address(instruction);
    let handler = match (&operands, &address) {
        (Some(_), Some(_)) => handler(instruction),
        _ => None,
    };
    let (vector_len, vex) = (vector_len(instruction), instruction.encoding() == EncodingKind::VEX);
    Form {
        handler: handler.unwrap_or(unknown),
        mnemonic: instruction.mnemonic(),
        at: instruction.ip(),
        next: instruction.next_ip(),
        operands: operands.unwrap_or([Operand::None; 4]),
        address: address.unwrap_or(NO_ADDRESS),
        // Vector instructions do not use it.
        memory_width: Width::from_bytes(instruction.memory_size().size()).unwrap_or(Width::Quad),
        immediate: immediate(instruction),
        second_immediate: second_immediate(instruction),
        vector_len,
        vex,
        mask: mask(instruction),
        zeroing: instruction.zeroing_masking(),
        condition: condition(instruction),
        repeat: repeat(instruction),
    }
}

/// The handler of an instruction whose operands are known.
fn handler(instruction: &Instruction) -> Option<Handler> {
    let mnemonic = instruction.mnemonic();
    match instruction.encoding() {
        _ if instruction.is_invalid() => None,
        EncodingKind::Legacy => integer::handler(instruction).or_else(|| vector::handler(mnemonic)),
        EncodingKind::VEX => vector::handler(mnemonic)
            .or_else(|| integer::handler(instruction))
            .or_else(|| avx512::mask_handler(mnemonic)),
        // One number of memory for all places is not covered.
        EncodingKind::EVEX if !instruction.is_broadcast() => avx512::handler(mnemonic),
        _ => None,
    }
}

/// Executes what the interpreter does not know.
fn unknown(_: &mut Cpu, _: &mut Overlay<'_>, _: &Form) -> Result<(), Fault> {
    Err(Fault::Unknown)
}

const NO_ADDRESS: Address = Address {
    base: Address::NO_REGISTER,
    index: Address::NO_REGISTER,
    scale: 0,
    segment: Segment::Flat,
    narrow: false,
    displacement: 0,
};

/// The operands, or `None` if there is one that no handler takes.
fn operands(instruction: &Instruction) -> Option<[Operand; 4]> {
    let mut operands = [Operand::None; 4];
    if instruction.is_string_instruction() {
        // Their registers are implied. Addresses of 32 bits and other segments are not covered.
        let is_plain = |kind| matches!(kind, OpKind::MemorySegRSI | OpKind::MemoryESRDI | OpKind::Register);
        let has_base = matches!(instruction.segment_prefix(), Register::FS | Register::GS);
        return (instruction.op_kinds().all(is_plain) && !has_base).then_some(operands);
    }
    for n in 0..instruction.op_count() {
        *operands.get_mut(n as usize)? = match instruction.op_kind(n) {
            OpKind::Register => register(instruction.op_register(n))?,
            OpKind::Memory => Operand::Memory,
            OpKind::NearBranch64
            | OpKind::Immediate8
            | OpKind::Immediate8_2nd
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64 => Operand::Immediate,
            // Jumps to other segments and the rare `maskmovdqu`.
            _ => return None,
        };
    }
    Some(operands)
}

fn register(register: Register) -> Option<Operand> {
    // The whole register, since iced counts the parts of one byte in another order.
    let number = u8::try_from(register.full_register().number()).ok()?;
    if register.is_gpr() {
        let width = Width::from_bytes(register.size())?;
        let high = matches!(register, Register::AH | Register::CH | Register::DH | Register::BH);
        return Some(Operand::Gpr(Gpr { number, width, high }));
    }
    if register.is_k() {
        return Some(Operand::Mask(number));
    }
    register.is_vector_register().then_some(Operand::Vector(number))
}

fn address(instruction: &Instruction) -> Option<Address> {
    if !instruction.op_kinds().any(|kind| kind == OpKind::Memory) {
        return Some(NO_ADDRESS);
    }
    let segment = match instruction.memory_segment() {
        Register::FS => Segment::Fs,
        Register::GS => Segment::Gs,
        _ => Segment::Flat,
    };
    let (base, index) = (instruction.memory_base(), instruction.memory_index());
    let displacement = instruction.memory_displacement64();
    // iced has added the address of the next instruction to the displacement.
    if matches!(base, Register::RIP | Register::EIP) {
        return Some(Address { segment, displacement, narrow: base == Register::EIP, ..NO_ADDRESS });
    }
    let number = |register: Register| match register {
        Register::None => Some(Address::NO_REGISTER),
        _ if register.is_gpr32() || register.is_gpr64() => u8::try_from(register.number()).ok(),
        // Gathers have a vector here.
        _ => None,
    };
    Some(Address {
        base: number(base)?,
        index: number(index)?,
        scale: u8::try_from(instruction.memory_index_scale().trailing_zeros()).ok()?,
        segment,
        narrow: base.is_gpr32() || index.is_gpr32(),
        displacement,
    })
}

/// The length of a vector operation: its widest operand, at least 16.
fn vector_len(instruction: &Instruction) -> u8 {
    let registers = (0..instruction.op_count())
        .filter(|n| instruction.op_kind(*n) == OpKind::Register)
        .map(|n| instruction.op_register(n))
        .filter(|register| register.is_vector_register());
    match registers.map(Register::size).max().unwrap_or(0).max(instruction.memory_size().size()) {
        64 => 64,
        32 => 32,
        _ => 16,
    }
}

/// The number of the mask register, or 0 for none: `k0` cannot be one.
fn mask(instruction: &Instruction) -> u8 {
    match instruction.op_mask() {
        Register::None => 0,
        register => register.number() as u8,
    }
}

fn immediate(instruction: &Instruction) -> u64 {
    (0..instruction.op_count())
        .find_map(|n| match instruction.op_kind(n) {
            OpKind::NearBranch64 => Some(instruction.near_branch_target()),
            OpKind::Register | OpKind::Memory => None,
            _ => instruction.try_immediate(n).ok(),
        })
        .unwrap_or(0)
}

fn second_immediate(instruction: &Instruction) -> u8 {
    let has_two = instruction.op_kinds().any(|kind| kind == OpKind::Immediate8_2nd);
    if has_two { instruction.immediate8_2nd() } else { 0 }
}

fn condition(instruction: &Instruction) -> u8 {
    use iced_x86::ConditionCode as C;
    match instruction.condition_code() {
        C::None | C::o => 0,
        C::no => 1,
        C::b => 2,
        C::ae => 3,
        C::e => 4,
        C::ne => 5,
        C::be => 6,
        C::a => 7,
        C::s => 8,
        C::ns => 9,
        C::p => 10,
        C::np => 11,
        C::l => 12,
        C::ge => 13,
        C::le => 14,
        C::g => 15,
    }
}

fn repeat(instruction: &Instruction) -> Repeat {
    if !instruction.is_string_instruction() {
        // Elsewhere the prefix is a hint, as in `rep ret`.
        Repeat::Once
    } else if instruction.has_repne_prefix() {
        Repeat::NotEqual
    } else if instruction.has_rep_prefix() {
        Repeat::Equal
    } else {
        Repeat::Once
    }
}
