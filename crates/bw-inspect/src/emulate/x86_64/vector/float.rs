//! Floating-point arithmetic.
//!
//! Which of several NaNs a result has is exact: Rust leaves that open, so it is decided here.

use iced_x86::Mnemonic;

use super::integers::pairs;
use super::lane::{Lane, collect, halves, lane, map, zip};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler};

/// A floating-point number.
pub(super) trait Float: Lane + PartialOrd {
    /// The NaN that invalid operations give.
    const INDEFINITE: Self;

    fn is_nan(self) -> bool;
    /// A NaN made quiet.
    fn quiet(self) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn square_root(self) -> Self;
    fn multiply_add(self, factor: Self, addend: Self) -> Self;
    fn negate(self) -> Self;
    /// Rounded to an integer: to nearest even, down, up or toward zero.
    fn round(self, mode: u8) -> Self;
}

macro_rules! floats {
    ($($number:ident: $quiet:literal, $indefinite:literal;)*) => {$(
        impl Float for $number {
            const INDEFINITE: Self = Self::from_bits($indefinite);

            fn is_nan(self) -> bool {
                <$number>::is_nan(self)
            }

            fn quiet(self) -> Self {
                Self::from_bits(self.to_bits() | $quiet)
            }

            fn add(self, other: Self) -> Self {
                self + other
            }

            fn sub(self, other: Self) -> Self {
                self - other
            }

            fn mul(self, other: Self) -> Self {
                self * other
            }

            fn div(self, other: Self) -> Self {
                self / other
            }

            fn square_root(self) -> Self {
                self.sqrt()
            }

            fn multiply_add(self, factor: Self, addend: Self) -> Self {
                self.mul_add(factor, addend)
            }

            fn negate(self) -> Self {
                -self
            }

            fn round(self, mode: u8) -> Self {
                match mode {
                    0 => self.round_ties_even(),
                    1 => self.floor(),
                    2 => self.ceil(),
                    _ => self.trunc(),
                }
            }
        }
    )*};
}

floats! {
    f32: 0x0040_0000, 0xffc0_0000;
    f64: 0x0008_0000_0000_0000, 0xfff8_0000_0000_0000;
}

/// A result of numbers: the first NaN among the operands, or the NaN of invalid operations.
#[inline]
pub(super) fn settle<T: Float>(operands: &[T], compute: impl FnOnce() -> T) -> T {
    if let Some(nan) = operands.iter().find(|operand| operand.is_nan()) {
        return nan.quiet();
    }
    let result = compute();
    if result.is_nan() { T::INDEFINITE } else { result }
}

fn add<T: Float>(a: T, b: T) -> T {
    settle(&[a, b], || a.add(b))
}

fn sub<T: Float>(a: T, b: T) -> T {
    settle(&[a, b], || a.sub(b))
}

fn mul<T: Float>(a: T, b: T) -> T {
    settle(&[a, b], || a.mul(b))
}

fn div<T: Float>(a: T, b: T) -> T {
    settle(&[a, b], || a.div(b))
}

/// The second operand if one is a NaN, and of two zeros.
fn min<T: Float>(a: T, b: T) -> T {
    if a < b { a } else { b }
}

/// As [`min`].
fn max<T: Float>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

fn square_root<T: Float>(a: T) -> T {
    settle(&[a], || a.square_root())
}

/// Rounds as the immediate of `roundps` and its like says. The mode of `mxcsr` is to nearest even.
fn round<T: Float>(form: &Form, a: T) -> T {
    let control = form.immediate_byte();
    settle(&[a], || a.round(if control & 4 != 0 { 0 } else { control & 3 }))
}

#[inline]
fn each<T: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: impl Fn(T, T) -> T,
) -> Result<(), Fault> {
    form.binary(cpu, memory, |a, b| zip(a, b, &operation))
}

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    scalars(mnemonic).or_else(|| vectors(mnemonic))
}

fn scalars(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Addss | M::Vaddss => |cpu, memory, form| form.scalar(cpu, memory, add::<f32>),
        M::Addsd | M::Vaddsd => |cpu, memory, form| form.scalar(cpu, memory, add::<f64>),
        M::Subss | M::Vsubss => |cpu, memory, form| form.scalar(cpu, memory, sub::<f32>),
        M::Subsd | M::Vsubsd => |cpu, memory, form| form.scalar(cpu, memory, sub::<f64>),
        M::Mulss | M::Vmulss => |cpu, memory, form| form.scalar(cpu, memory, mul::<f32>),
        M::Mulsd | M::Vmulsd => |cpu, memory, form| form.scalar(cpu, memory, mul::<f64>),
        M::Divss | M::Vdivss => |cpu, memory, form| form.scalar(cpu, memory, div::<f32>),
        M::Divsd | M::Vdivsd => |cpu, memory, form| form.scalar(cpu, memory, div::<f64>),
        M::Minss | M::Vminss => |cpu, memory, form| form.scalar(cpu, memory, min::<f32>),
        M::Minsd | M::Vminsd => |cpu, memory, form| form.scalar(cpu, memory, min::<f64>),
        M::Maxss | M::Vmaxss => |cpu, memory, form| form.scalar(cpu, memory, max::<f32>),
        M::Maxsd | M::Vmaxsd => |cpu, memory, form| form.scalar(cpu, memory, max::<f64>),
        M::Sqrtss | M::Vsqrtss => |cpu, memory, form| form.scalar(cpu, memory, |_, b: f32| square_root(b)),
        M::Sqrtsd | M::Vsqrtsd => |cpu, memory, form| form.scalar(cpu, memory, |_, b: f64| square_root(b)),
        M::Roundss | M::Vroundss => |cpu, memory, form| form.scalar(cpu, memory, |_, b: f32| round(form, b)),
        M::Roundsd | M::Vroundsd => |cpu, memory, form| form.scalar(cpu, memory, |_, b: f64| round(form, b)),
        _ => return None,
    };
    Some(handler)
}

fn vectors(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Addps | M::Vaddps => |cpu, memory, form| each(cpu, memory, form, add::<f32>),
        M::Addpd | M::Vaddpd => |cpu, memory, form| each(cpu, memory, form, add::<f64>),
        M::Subps | M::Vsubps => |cpu, memory, form| each(cpu, memory, form, sub::<f32>),
        M::Subpd | M::Vsubpd => |cpu, memory, form| each(cpu, memory, form, sub::<f64>),
        M::Mulps | M::Vmulps => |cpu, memory, form| each(cpu, memory, form, mul::<f32>),
        M::Mulpd | M::Vmulpd => |cpu, memory, form| each(cpu, memory, form, mul::<f64>),
        M::Divps | M::Vdivps => |cpu, memory, form| each(cpu, memory, form, div::<f32>),
        M::Divpd | M::Vdivpd => |cpu, memory, form| each(cpu, memory, form, div::<f64>),
        M::Minps | M::Vminps => |cpu, memory, form| each(cpu, memory, form, min::<f32>),
        M::Minpd | M::Vminpd => |cpu, memory, form| each(cpu, memory, form, min::<f64>),
        M::Maxps | M::Vmaxps => |cpu, memory, form| each(cpu, memory, form, max::<f32>),
        M::Maxpd | M::Vmaxpd => |cpu, memory, form| each(cpu, memory, form, max::<f64>),
        M::Sqrtps | M::Vsqrtps => |cpu, memory, form| form.unary(cpu, memory, |a| map(a, square_root::<f32>)),
        M::Sqrtpd | M::Vsqrtpd => |cpu, memory, form| form.unary(cpu, memory, |a| map(a, square_root::<f64>)),
        M::Roundps | M::Vroundps => {
            |cpu, memory, form| form.unary(cpu, memory, |a| map(a, |a: f32| round(form, a)))
        }
        M::Roundpd | M::Vroundpd => {
            |cpu, memory, form| form.unary(cpu, memory, |a| map(a, |a: f64| round(form, a)))
        }
        M::Haddps | M::Vhaddps => {
            |cpu, memory, form| form.binary(cpu, memory, |a, b| halves(a, b, |a, b| pairs(a, b, add::<f32>)))
        }
        M::Haddpd | M::Vhaddpd => {
            |cpu, memory, form| form.binary(cpu, memory, |a, b| halves(a, b, |a, b| pairs(a, b, add::<f64>)))
        }
        M::Hsubps | M::Vhsubps => {
            |cpu, memory, form| form.binary(cpu, memory, |a, b| halves(a, b, |a, b| pairs(a, b, sub::<f32>)))
        }
        M::Hsubpd | M::Vhsubpd => {
            |cpu, memory, form| form.binary(cpu, memory, |a, b| halves(a, b, |a, b| pairs(a, b, sub::<f64>)))
        }
        M::Addsubps | M::Vaddsubps => alternate::<f32>,
        M::Addsubpd | M::Vaddsubpd => alternate::<f64>,
        _ => return None,
    };
    Some(handler)
}

/// `addsubps` and its like: differences at even places, sums at odd ones.
fn alternate<T: Float>(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    form.binary(cpu, memory, |a, b| {
        collect::<T>(|n| {
            let (a, b) = (lane(a, n), lane(b, n));
            if n % 2 == 0 { sub(a, b) } else { add(a, b) }
        })
    })
}
