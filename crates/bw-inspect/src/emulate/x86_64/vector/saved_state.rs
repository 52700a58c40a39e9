//! Vector registers saved and restored as a whole: the dynamic loader does so when it resolves a function at its first call.
//!
//! What exists beyond the vector registers of AVX has the state of a processor that never used it, and is not restored.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::{Cpu, RAX, RDX};
use crate::emulate::x86_64::form::{Form, Handler};

/// The components of a saved state, as bits: x87, SSE, and the upper halves of AVX.
const X87: u64 = 1;
const SSE: u64 = 2;
const AVX: u64 = 4;
/// Says that the components follow each other without gaps.
const COMPACT: u64 = 1 << 63;

/// Where the parts are.
const MXCSR: u64 = 24;
const XMM: u64 = 160;
const PRESENT: u64 = 512;
const LAYOUT: u64 = 520;
const UPPER: u64 = 576;

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Fxsave | M::Fxsave64 => |cpu, memory, form| save(cpu, memory, form.address.of(cpu), X87 | SSE),
        M::Fxrstor | M::Fxrstor64 => |cpu, memory, form| {
            let at = form.address.of(cpu);
            restore(cpu, memory, at, X87 | SSE, X87 | SSE)
        },
        M::Xsave | M::Xsave64 | M::Xsaveopt | M::Xsaveopt64 => |cpu, memory, form| {
            let (at, asked) = (form.address.of(cpu), asked(cpu));
            let others = memory.read_u64(at.wrapping_add(PRESENT))? & !asked;
            save(cpu, memory, at, asked)?;
            memory.write_u64(at.wrapping_add(PRESENT), others | asked)
        },
        M::Xsavec | M::Xsavec64 => |cpu, memory, form| {
            let (at, asked) = (form.address.of(cpu), asked(cpu));
            save(cpu, memory, at, asked)?;
            memory.write_u64(at.wrapping_add(PRESENT), asked)?;
            memory.write_u64(at.wrapping_add(LAYOUT), asked | COMPACT)
        },
        M::Xrstor | M::Xrstor64 => restore_asked,
        _ => return None,
    };
    Some(handler)
}

/// The components that an instruction is about, as far as they are there.
fn asked(cpu: &Cpu) -> u64 {
    ((cpu.gpr[RDX] << 32) | (cpu.gpr[RAX] & 0xffff_ffff)) & (X87 | SSE | AVX)
}

fn save(cpu: &Cpu, memory: &mut Overlay<'_>, at: u64, components: u64) -> Result<(), Fault> {
    if components & X87 != 0 {
        // The control word of a processor that was just started, and no registers in use.
        memory.write(at, &[0x7f, 0x03, 0, 0, 0, 0, 0, 0])?;
    }
    if components & (SSE | AVX) != 0 {
        memory.write(at.wrapping_add(MXCSR), &cpu.mxcsr.to_le_bytes())?;
    }
    for (n, register) in (0..).zip(&cpu.zmm[..16]) {
        for (component, area, words) in [(SSE, XMM, &register[..2]), (AVX, UPPER, &register[2..4])] {
            if components & component != 0 {
                for (place, word) in (0..).zip(words) {
                    memory.write_u64(at.wrapping_add(area + 16 * n + 8 * place), *word)?;
                }
            }
        }
    }
    Ok(())
}

fn restore_asked(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let at = form.address.of(cpu);
    let present = memory.read_u64(at.wrapping_add(PRESENT))?;
    let asked = asked(cpu);
    restore(cpu, memory, at, asked, present)
}

/// Restores the components that are asked for. One that is not present is cleared.
fn restore(cpu: &mut Cpu, memory: &mut Overlay<'_>, at: u64, asked: u64, present: u64) -> Result<(), Fault> {
    let mut restored = cpu.zmm;
    for (n, register) in (0..).zip(&mut restored[..16]) {
        for (component, area, first) in [(SSE, XMM, 0), (AVX, UPPER, 2)] {
            for place in 0..2 {
                if asked & component != 0 {
                    let from = at.wrapping_add(area + 16 * n + 8 * place as u64);
                    register[first + place] =
                        if present & component != 0 { memory.read_u64(from)? } else { 0 };
                }
            }
        }
    }
    if asked & (SSE | AVX) != 0 {
        cpu.mxcsr = u32::from_le_bytes(memory.read_array(at.wrapping_add(MXCSR))?);
    }
    cpu.zmm = restored;
    Ok(())
}
