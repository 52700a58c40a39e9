//! Fused multiplication and addition.

use iced_x86::Mnemonic;

use super::float::{Float, settle};
use super::lane::{collect, lane, with_lane};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler};

/// Which operands are the factors, and which is added: the digits of the mnemonic, counted from zero.
#[derive(Clone, Copy)]
enum Order {
    O132,
    O213,
    O231,
}

/// The signs of the product and of what is added.
#[derive(Clone, Copy)]
struct Signs {
    product: bool,
    addend: bool,
}

const ADD: Signs = Signs { product: false, addend: false };
const SUB: Signs = Signs { product: false, addend: true };
const NEGATED_ADD: Signs = Signs { product: true, addend: false };
const NEGATED_SUB: Signs = Signs { product: true, addend: true };

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    use Order::{O132, O213, O231};
    let handler: Handler = match mnemonic {
        M::Vfmadd132ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O132, ADD),
        M::Vfmadd213ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O213, ADD),
        M::Vfmadd231ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O231, ADD),
        M::Vfmadd132sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O132, ADD),
        M::Vfmadd213sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O213, ADD),
        M::Vfmadd231sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O231, ADD),
        M::Vfmsub132ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O132, SUB),
        M::Vfmsub213ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O213, SUB),
        M::Vfmsub231ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O231, SUB),
        M::Vfmsub132sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O132, SUB),
        M::Vfmsub213sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O213, SUB),
        M::Vfmsub231sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O231, SUB),
        M::Vfnmadd132ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O132, NEGATED_ADD),
        M::Vfnmadd213ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O213, NEGATED_ADD),
        M::Vfnmadd231ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O231, NEGATED_ADD),
        M::Vfnmadd132sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O132, NEGATED_ADD),
        M::Vfnmadd213sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O213, NEGATED_ADD),
        M::Vfnmadd231sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O231, NEGATED_ADD),
        M::Vfnmsub132ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O132, NEGATED_SUB),
        M::Vfnmsub213ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O213, NEGATED_SUB),
        M::Vfnmsub231ss => |cpu, memory, form| scalar::<f32>(cpu, memory, form, O231, NEGATED_SUB),
        M::Vfnmsub132sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O132, NEGATED_SUB),
        M::Vfnmsub213sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O213, NEGATED_SUB),
        M::Vfnmsub231sd => |cpu, memory, form| scalar::<f64>(cpu, memory, form, O231, NEGATED_SUB),
        _ => return vectors(mnemonic),
    };
    Some(handler)
}

fn vectors(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    use Order::{O132, O213, O231};
    let handler: Handler = match mnemonic {
        M::Vfmadd132ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O132, ADD),
        M::Vfmadd213ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O213, ADD),
        M::Vfmadd231ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O231, ADD),
        M::Vfmadd132pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O132, ADD),
        M::Vfmadd213pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O213, ADD),
        M::Vfmadd231pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O231, ADD),
        M::Vfmsub132ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O132, SUB),
        M::Vfmsub213ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O213, SUB),
        M::Vfmsub231ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O231, SUB),
        M::Vfmsub132pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O132, SUB),
        M::Vfmsub213pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O213, SUB),
        M::Vfmsub231pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O231, SUB),
        M::Vfnmadd132ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O132, NEGATED_ADD),
        M::Vfnmadd213ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O213, NEGATED_ADD),
        M::Vfnmadd231ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O231, NEGATED_ADD),
        M::Vfnmadd132pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O132, NEGATED_ADD),
        M::Vfnmadd213pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O213, NEGATED_ADD),
        M::Vfnmadd231pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O231, NEGATED_ADD),
        M::Vfnmsub132ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O132, NEGATED_SUB),
        M::Vfnmsub213ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O213, NEGATED_SUB),
        M::Vfnmsub231ps => |cpu, memory, form| each::<f32>(cpu, memory, form, O231, NEGATED_SUB),
        M::Vfnmsub132pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O132, NEGATED_SUB),
        M::Vfnmsub213pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O213, NEGATED_SUB),
        M::Vfnmsub231pd => |cpu, memory, form| each::<f64>(cpu, memory, form, O231, NEGATED_SUB),
        _ => return None,
    };
    Some(handler)
}

/// One product and sum, rounded once. Of several NaNs the result has that of the first factor, then that of the second.
#[inline]
fn fuse<T: Float>(operands: [T; 3], order: Order, signs: Signs) -> T {
    let [a, b, c] = operands;
    let (factor, other, addend) = match order {
        Order::O132 => (a, c, b),
        Order::O213 => (b, a, c),
        Order::O231 => (b, c, a),
    };
    settle(&[factor, other, addend], || {
        let factor = if signs.product { factor.negate() } else { factor };
        factor.multiply_add(other, if signs.addend { addend.negate() } else { addend })
    })
}

#[inline]
fn scalar<T: Float>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    order: Order,
    signs: Signs,
) -> Result<(), Fault> {
    let a = form.vector(cpu, memory, 0)?;
    let b = form.vector(cpu, memory, 1)?;
    let c = form.vector_of(cpu, memory, 2, T::BYTES as u8)?;
    let result = fuse::<T>([lane(a, 0), lane(b, 0), lane(c, 0)], order, signs);
    form.set_vector(cpu, with_lane(a, 0, result))
}

#[inline]
fn each<T: Float>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    order: Order,
    signs: Signs,
) -> Result<(), Fault> {
    let a = form.vector(cpu, memory, 0)?;
    let b = form.vector(cpu, memory, 1)?;
    let c = form.vector(cpu, memory, 2)?;
    form.set_vector(cpu, collect::<T>(|n| fuse([lane(a, n), lane(b, n), lane(c, n)], order, signs)))
}
