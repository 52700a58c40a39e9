//! Comparisons into masks.

use core::cmp::Ordering;

use iced_x86::Mnemonic;

use super::masked::{number, signed};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Vpcmpub => compare_unsigned::<1>,
        M::Vpcmpuw => compare_unsigned::<2>,
        M::Vpcmpud => compare_unsigned::<4>,
        M::Vpcmpuq => compare_unsigned::<8>,
        M::Vpcmpb => compare_signed::<1>,
        M::Vpcmpw => compare_signed::<2>,
        M::Vpcmpd => compare_signed::<4>,
        M::Vpcmpq => compare_signed::<8>,
        M::Vpcmpeqb => |cpu, memory, form| form.set_mask_where(cpu, memory, 1, |a, b| a == b),
        M::Vpcmpeqw => |cpu, memory, form| form.set_mask_where(cpu, memory, 2, |a, b| a == b),
        M::Vpcmpeqd => |cpu, memory, form| form.set_mask_where(cpu, memory, 4, |a, b| a == b),
        M::Vpcmpeqq => |cpu, memory, form| form.set_mask_where(cpu, memory, 8, |a, b| a == b),
        M::Vpcmpgtb => |cpu, memory, form| form.set_mask_where(cpu, memory, 1, |a, b| signed(a) > signed(b)),
        M::Vpcmpgtw => |cpu, memory, form| form.set_mask_where(cpu, memory, 2, |a, b| signed(a) > signed(b)),
        M::Vpcmpgtd => |cpu, memory, form| form.set_mask_where(cpu, memory, 4, |a, b| signed(a) > signed(b)),
        M::Vpcmpgtq => |cpu, memory, form| form.set_mask_where(cpu, memory, 8, |a, b| signed(a) > signed(b)),
        M::Vptestmb => {
            |cpu, memory, form| form.set_mask_where(cpu, memory, 1, |a, b| number(a) & number(b) != 0)
        }
        M::Vptestmw => {
            |cpu, memory, form| form.set_mask_where(cpu, memory, 2, |a, b| number(a) & number(b) != 0)
        }
        M::Vptestmd => {
            |cpu, memory, form| form.set_mask_where(cpu, memory, 4, |a, b| number(a) & number(b) != 0)
        }
        M::Vptestmq => {
            |cpu, memory, form| form.set_mask_where(cpu, memory, 8, |a, b| number(a) & number(b) != 0)
        }
        M::Vptestnmb => {
            |cpu, memory, form| form.set_mask_where(cpu, memory, 1, |a, b| number(a) & number(b) == 0)
        }
        M::Vptestnmw => {
            |cpu, memory, form| form.set_mask_where(cpu, memory, 2, |a, b| number(a) & number(b) == 0)
        }
        M::Vptestnmd => {
            |cpu, memory, form| form.set_mask_where(cpu, memory, 4, |a, b| number(a) & number(b) == 0)
        }
        M::Vptestnmq => {
            |cpu, memory, form| form.set_mask_where(cpu, memory, 8, |a, b| number(a) & number(b) == 0)
        }
        _ => return None,
    };
    Some(handler)
}

/// Whether an order is what the immediate asks for.
fn satisfies(predicate: u8, order: Ordering) -> bool {
    match predicate & 7 {
        0 => order.is_eq(),
        1 => order.is_lt(),
        2 => order.is_le(),
        3 => false,
        4 => order.is_ne(),
        5 => order.is_ge(),
        6 => order.is_gt(),
        _ => true,
    }
}

fn compare_unsigned<const ELEMENT: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
) -> Result<(), Fault> {
    let predicate = form.immediate as u8;
    form.set_mask_where(cpu, memory, ELEMENT, |a, b| satisfies(predicate, number(a).cmp(&number(b))))
}

fn compare_signed<const ELEMENT: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
) -> Result<(), Fault> {
    let predicate = form.immediate as u8;
    form.set_mask_where(cpu, memory, ELEMENT, |a, b| satisfies(predicate, signed(a).cmp(&signed(b))))
}
