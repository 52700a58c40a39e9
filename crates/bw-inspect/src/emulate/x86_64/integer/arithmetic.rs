//! Addition and subtraction, and the atomic instructions made of them.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::{Cpu, RAX, RBX, RCX, RDX};
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    let handler: Handler = match mnemonic {
        Mnemonic::Add => |cpu, memory, form| add(cpu, memory, form, false),
        Mnemonic::Adc => |cpu, memory, form| add(cpu, memory, form, cpu.flags.has(Flags::CARRY)),
        Mnemonic::Sub => |cpu, memory, form| sub(cpu, memory, form, false),
        Mnemonic::Sbb => |cpu, memory, form| sub(cpu, memory, form, cpu.flags.has(Flags::CARRY)),
        Mnemonic::Cmp => compare,
        Mnemonic::Inc => |cpu, memory, form| step(cpu, memory, form, true),
        Mnemonic::Dec => |cpu, memory, form| step(cpu, memory, form, false),
        Mnemonic::Neg => negate,
        Mnemonic::Xadd => exchange_add,
        Mnemonic::Cmpxchg => compare_exchange,
        Mnemonic::Cmpxchg8b => compare_exchange_8,
        Mnemonic::Cmpxchg16b => compare_exchange_16,
        Mnemonic::Adcx => |cpu, memory, form| add_through(cpu, memory, form, Flags::CARRY),
        Mnemonic::Adox => |cpu, memory, form| add_through(cpu, memory, form, Flags::OVERFLOW),
        _ => return None,
    };
    Some(handler)
}

fn add(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, carry: bool) -> Result<(), Fault> {
    let width = form.width(0);
    let a = form.load(cpu, memory, 0)?;
    let b = form.load(cpu, memory, 1)?;
    let sum = a.wrapping_add(b).wrapping_add(u64::from(carry)) & width.mask();
    form.store(cpu, memory, 0, sum)?;
    cpu.flags.set_add(a, b, sum, width);
    Ok(())
}

fn sub(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, borrow: bool) -> Result<(), Fault> {
    let width = form.width(0);
    let a = form.load(cpu, memory, 0)?;
    let b = form.load(cpu, memory, 1)?;
    let difference = a.wrapping_sub(b).wrapping_sub(u64::from(borrow)) & width.mask();
    form.store(cpu, memory, 0, difference)?;
    cpu.flags.set_sub(a, b, difference, width);
    Ok(())
}

fn compare(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let a = form.load(cpu, memory, 0)?;
    let b = form.load(cpu, memory, 1)?;
    cpu.flags.set_sub(a, b, a.wrapping_sub(b) & width.mask(), width);
    Ok(())
}

/// `inc` and `dec`, which keep the carry flag.
fn step(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, up: bool) -> Result<(), Fault> {
    let width = form.width(0);
    let carry = cpu.flags.has(Flags::CARRY);
    let a = form.load(cpu, memory, 0)?;
    let result = if up { a.wrapping_add(1) } else { a.wrapping_sub(1) } & width.mask();
    form.store(cpu, memory, 0, result)?;
    if up {
        cpu.flags.set_add(a, 1, result, width);
    } else {
        cpu.flags.set_sub(a, 1, result, width);
    }
    cpu.flags.set(Flags::CARRY, carry);
    Ok(())
}

fn negate(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let a = form.load(cpu, memory, 0)?;
    let result = a.wrapping_neg() & width.mask();
    form.store(cpu, memory, 0, result)?;
    cpu.flags.set_sub(0, a, result, width);
    Ok(())
}

fn exchange_add(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let a = form.load(cpu, memory, 0)?;
    let b = form.load(cpu, memory, 1)?;
    let sum = a.wrapping_add(b) & width.mask();
    if form.is_memory(0) {
        form.store(cpu, memory, 0, sum)?;
        form.store(cpu, memory, 1, a)?;
    } else {
        // With one register twice, the sum stays.
        form.store(cpu, memory, 1, a)?;
        form.store(cpu, memory, 0, sum)?;
    }
    cpu.flags.set_add(a, b, sum, width);
    Ok(())
}

fn compare_exchange(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let expected = cpu.low(RAX, width);
    let found = form.load(cpu, memory, 0)?;
    let new = form.load(cpu, memory, 1)?;
    if expected == found {
        form.store(cpu, memory, 0, new)?;
    } else {
        // Memory is written in any case. A register is not: with 32 bits its upper half stays.
        if form.is_memory(0) {
            form.store(cpu, memory, 0, found)?;
        }
        cpu.set_low(RAX, width, found);
    }
    cpu.flags.set_sub(expected, found, expected.wrapping_sub(found) & width.mask(), width);
    Ok(())
}

fn compare_exchange_8(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let address = form.address.of(cpu);
    let pair = |cpu: &Cpu, high, low| cpu.low(high, Width::Double) << 32 | cpu.low(low, Width::Double);
    let found = memory.read_u64(address)?;
    let equal = pair(cpu, RDX, RAX) == found;
    memory.write_u64(address, if equal { pair(cpu, RCX, RBX) } else { found })?;
    if !equal {
        cpu.set_low(RAX, Width::Double, found);
        cpu.set_low(RDX, Width::Double, found >> 32);
    }
    cpu.flags.set(Flags::ZERO, equal);
    Ok(())
}

fn compare_exchange_16(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let address = form.address.of(cpu);
    let pair = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
    let found = u128::from_le_bytes(memory.read_array(address)?);
    let equal = pair(cpu.gpr[RDX], cpu.gpr[RAX]) == found;
    let new = if equal { pair(cpu.gpr[RCX], cpu.gpr[RBX]) } else { found };
    memory.write_array(address, new.to_le_bytes())?;
    if !equal {
        cpu.gpr[RAX] = found as u64;
        cpu.gpr[RDX] = (found >> 64) as u64;
    }
    cpu.flags.set(Flags::ZERO, equal);
    Ok(())
}

/// `adcx` and `adox`: addition with a carry in one flag, all others kept.
fn add_through(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, flag: u64) -> Result<(), Fault> {
    let width = form.width(0);
    let a = u128::from(form.load(cpu, memory, 0)?);
    let b = u128::from(form.load(cpu, memory, 1)?);
    let sum = a + b + u128::from(cpu.flags.has(flag));
    form.store(cpu, memory, 0, sum as u64 & width.mask())?;
    cpu.flags.set(flag, sum >> width.bits() != 0);
    Ok(())
}
