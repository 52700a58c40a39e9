//! Scalar floating-point instructions.

use super::elements::element;
use super::float_conversion::{from_integer, precision, to_integer};
use super::float_operations as float;
use super::rounding::Rounding;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::nzcv::Nzcv;
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;

pub(super) fn decode(word: Word) -> Option<Instruction> {
    if word.bit(29) {
        return None;
    }
    let bits = match word.bits(22, 2) {
        0 => 32,
        1 => 64,
        3 => 16,
        _ => 128,
    };
    let is_arithmetic = (bits == 32 || bits == 64) && !word.bit(31);
    let instruction = match (word.bit(24), word.bit(21)) {
        (true, _) if is_arithmetic => three_sources(word),
        (false, false) if bits == 32 || bits == 64 => fixed_point(word),
        (false, true) if word.bits(10, 6) == 0 => with_integer(word, bits),
        // Of half precision, there are only conversions.
        (false, true) if bits == 16 && !word.bit(31) && word.bits(10, 5) == 0b10000 => {
            one_source(word, bits).filter(|instruction| instruction.option == CONVERSION)
        }
        (false, true) if is_arithmetic => match word.bits(10, 2) {
            0b01 => conditional_compare(word),
            0b10 => two_sources(word),
            0b11 => Some(select(word)),
            _ if word.bit(12) => immediate(word, bits),
            _ if word.bit(13) => compare(word),
            _ if word.bit(14) => one_source(word, bits),
            _ => None,
        },
        _ => None,
    }?;
    Some(instruction.with_element(bits.min(64)).with_bytes(bits.min(64) / 8))
}

/// The option of conversions from half precision.
const CONVERSION: u8 = 1;

/// The lowest element of a register.
fn scalar(cpu: &Cpu, register: u8, bits: u32) -> u64 {
    element(cpu.v[usize::from(register)], 0, bits)
}

fn set(cpu: &mut Cpu, form: &Instruction, value: u64) -> Result<(), Fault> {
    form.set_vector(cpu, value.into())
}

fn three_sources(word: Word) -> Option<Instruction> {
    let (name, handler): (_, Handler) = match (word.bit(21), word.bit(15)) {
        (false, false) => ("fmadd", |cpu, _, form| fused(cpu, form, false, false)),
        (false, true) => ("fmsub", |cpu, _, form| fused(cpu, form, false, true)),
        (true, false) => ("fnmadd", |cpu, _, form| fused(cpu, form, true, true)),
        (true, true) => ("fnmsub", |cpu, _, form| fused(cpu, form, true, false)),
    };
    Some(Instruction::of_vectors(word, name, handler))
}

/// A product and a sum, of which the addend or the first factor is made negative.
fn fused(cpu: &mut Cpu, form: &Instruction, addend: bool, factor: bool) -> Result<(), Fault> {
    let bits = u32::from(form.element);
    let changed = |value, is_changed| if is_changed { float::negative(value, bits) } else { value };
    let a = changed(scalar(cpu, form.word.a(), bits), addend);
    let n = changed(scalar(cpu, form.word.n(), bits), factor);
    let value = float::multiply_add(a, n, scalar(cpu, form.word.m(), bits), bits);
    set(cpu, form, value)
}

fn two_sources(word: Word) -> Option<Instruction> {
    macro_rules! binary {
        ($operation:path) => {
            |cpu, _, form| {
                let bits = u32::from(form.element);
                let (n, m) = (scalar(cpu, form.word.n(), bits), scalar(cpu, form.word.m(), bits));
                set(cpu, form, $operation(n, m, bits))
            }
        };
    }
    let (name, handler): (_, Handler) = match word.bits(12, 4) {
        0 => ("fmul", binary!(float::mul)),
        1 => ("fdiv", binary!(float::div)),
        2 => ("fadd", binary!(float::add)),
        3 => ("fsub", binary!(float::sub)),
        4 => ("fmax", binary!(float::max)),
        5 => ("fmin", binary!(float::min)),
        6 => ("fmaxnm", binary!(float::max_number)),
        7 => ("fminnm", binary!(float::min_number)),
        8 => ("fnmul", binary!(float::negative_product)),
        _ => return None,
    };
    Some(Instruction::of_vectors(word, name, handler))
}

fn one_source(word: Word, bits: u32) -> Option<Instruction> {
    macro_rules! unary {
        ($operation:expr) => {
            |cpu, _, form| {
                let operation: fn(u64, u32) -> u64 = $operation;
                let bits = u32::from(form.element);
                let value = operation(scalar(cpu, form.word.n(), bits), bits);
                set(cpu, form, value)
            }
        };
    }
    let (name, handler): (_, Handler) = match word.bits(15, 6) {
        0b00_0000 => ("fmov", unary!(|value, _| value)),
        0b00_0001 => ("fabs", unary!(float::absolute)),
        0b00_0010 => ("fneg", unary!(float::negative)),
        0b00_0011 => ("fsqrt", unary!(float::square_root)),
        0b00_0100 if bits != 32 => {
            return Some(conversion(word, unary!(|value, bits| precision(value, bits, 32))));
        }
        0b00_0101 if bits != 64 => {
            return Some(conversion(word, unary!(|value, bits| precision(value, bits, 64))));
        }
        0b00_0111 if bits != 16 => {
            return Some(conversion(word, unary!(|value, bits| precision(value, bits, 16))));
        }
        0b00_1000 => ("frintn", unary!(|value, bits| Rounding::Even.of_bits(value, bits))),
        0b00_1001 => ("frintp", unary!(|value, bits| Rounding::Up.of_bits(value, bits))),
        0b00_1010 => ("frintm", unary!(|value, bits| Rounding::Down.of_bits(value, bits))),
        0b00_1011 => ("frintz", unary!(|value, bits| Rounding::Zero.of_bits(value, bits))),
        0b00_1100 => ("frinta", unary!(|value, bits| Rounding::Away.of_bits(value, bits))),
        0b00_1110 => ("frintx", unary!(|value, bits| Rounding::Even.of_bits(value, bits))),
        0b00_1111 => ("frinti", unary!(|value, bits| Rounding::Even.of_bits(value, bits))),
        _ => return None,
    };
    Some(Instruction::of_vectors(word, name, handler))
}

fn conversion(word: Word, handler: Handler) -> Instruction {
    Instruction::of_vectors(word, "fcvt", handler).with_option(CONVERSION.into())
}

/// The flags of a comparison.
fn flags_of(a: u64, b: u64, bits: u32) -> Nzcv {
    Nzcv::from_bits(match float::order(a, b, bits) {
        Some(core::cmp::Ordering::Less) => 0b1000,
        Some(core::cmp::Ordering::Equal) => 0b0110,
        Some(core::cmp::Ordering::Greater) => 0b0010,
        None => 0b0011,
    })
}

fn compare(word: Word) -> Option<Instruction> {
    if word.bits(14, 2) != 0 || word.bits(0, 3) != 0 {
        return None;
    }
    let handler: Handler = |cpu, _, form| {
        let bits = u32::from(form.element);
        let m = if form.word.bit(3) { 0 } else { scalar(cpu, form.word.m(), bits) };
        cpu.flags = flags_of(scalar(cpu, form.word.n(), bits), m, bits);
        Ok(())
    };
    Some(Instruction::of_vectors(word, if word.bit(4) { "fcmpe" } else { "fcmp" }, handler))
}

fn conditional_compare(word: Word) -> Option<Instruction> {
    let handler: Handler = |cpu, _, form| {
        let bits = u32::from(form.element);
        cpu.flags = if cpu.flags.holds(form.word.bits(12, 4) as u8) {
            flags_of(scalar(cpu, form.word.n(), bits), scalar(cpu, form.word.m(), bits), bits)
        } else {
            Nzcv::from_bits(form.word.bits(0, 4) as u8)
        };
        Ok(())
    };
    Some(Instruction::of_vectors(word, if word.bit(4) { "fccmpe" } else { "fccmp" }, handler))
}

fn select(word: Word) -> Instruction {
    let handler: Handler = |cpu, _, form| {
        let holds = cpu.flags.holds(form.word.bits(12, 4) as u8);
        let register = if holds { form.word.n() } else { form.word.m() };
        let value = scalar(cpu, register, u32::from(form.element));
        set(cpu, form, value)
    };
    Instruction::of_vectors(word, "fcsel", handler)
}

fn immediate(word: Word, bits: u32) -> Option<Instruction> {
    if word.bits(5, 5) != 0 {
        return None;
    }
    let handler: Handler = |cpu, _, form| set(cpu, form, form.immediate);
    let value = float::expand(word.bits(13, 8), bits);
    Some(Instruction::of_vectors(word, "fmov", handler).with_immediate(value))
}

/// How `fcvtns` and its like round, by their field.
const ROUNDINGS: [Rounding; 4] = [Rounding::Even, Rounding::Up, Rounding::Down, Rounding::Zero];

/// Conversions and moves between general-purpose and vector registers.
fn with_integer(word: Word, bits: u32) -> Option<Instruction> {
    let (mode, opcode) = (word.bits(19, 2), word.bits(16, 3));
    let is_float = bits == 32 || bits == 64;
    let (name, handler): (_, Handler) = match (mode, opcode) {
        (_, 0 | 1) if is_float => ("fcvt to integer", |cpu, _, form| {
            let rounding = ROUNDINGS[form.word.bits(19, 2) as usize & 3];
            round_to_integer(cpu, form, rounding, 0)
        }),
        (0, 4 | 5) if is_float => ("fcvta", |cpu, _, form| round_to_integer(cpu, form, Rounding::Away, 0)),
        (0, 2 | 3) if is_float => ("scvtf", |cpu, _, form| convert_integer(cpu, form, 0)),
        (0, 6) if moves_whole(word, bits) => ("fmov", |cpu, _, form| {
            cpu.set(form.d, scalar(cpu, form.word.n(), u32::from(form.element)));
            Ok(())
        }),
        (0, 7) if moves_whole(word, bits) => ("fmov", |cpu, _, form| {
            let value = cpu.get_as(form.n, form.wide) & super::elements::ones(form.element.into());
            set(cpu, form, value)
        }),
        (1, 6) if word.bit(31) && bits == 128 => ("fmov", |cpu, _, form| {
            cpu.set(form.d, (cpu.v[usize::from(form.word.n())] >> 64) as u64);
            Ok(())
        }),
        (1, 7) if word.bit(31) && bits == 128 => ("fmov", |cpu, _, form| {
            let register = usize::from(form.word.d());
            cpu.v[register] = cpu.v[register] & u128::from(u64::MAX) | u128::from(cpu.get(form.n)) << 64;
            Ok(())
        }),
        _ => return None,
    };
    Some(Instruction::new(word, name, handler))
}

/// Whether `fmov` moves registers of equal size, or half precision.
const fn moves_whole(word: Word, bits: u32) -> bool {
    bits == 16 || bits == if word.bit(31) { 64 } else { 32 }
}

fn round_to_integer(
    cpu: &mut Cpu,
    form: &Instruction,
    rounding: Rounding,
    fraction: u32,
) -> Result<(), Fault> {
    let bits = u32::from(form.element);
    let into = if form.wide { 64 } else { 32 };
    let value = scalar(cpu, form.word.n(), bits);
    cpu.set(form.d, to_integer(value, bits, into, form.word.bit(16), rounding, fraction));
    Ok(())
}

fn convert_integer(cpu: &mut Cpu, form: &Instruction, fraction: u32) -> Result<(), Fault> {
    let from = if form.wide { 64 } else { 32 };
    let value = cpu.get_as(form.n, form.wide);
    set(cpu, form, from_integer(value, from, form.word.bit(16), form.element.into(), fraction))
}

/// Conversions of numbers with a fixed number of bits behind the point.
fn fixed_point(word: Word) -> Option<Instruction> {
    if !word.bit(31) && !word.bit(15) {
        return None;
    }
    let (name, handler): (_, Handler) = match (word.bits(19, 2), word.bits(16, 3)) {
        (3, 0 | 1) => ("fcvtz (fixed)", |cpu, _, form| {
            round_to_integer(cpu, form, Rounding::Zero, 64 - form.word.bits(10, 6))
        }),
        (0, 2 | 3) => {
            ("scvtf (fixed)", |cpu, _, form| convert_integer(cpu, form, 64 - form.word.bits(10, 6)))
        }
        _ => return None,
    };
    Some(Instruction::new(word, name, handler))
}
