//! The part of AVX-512 that the C library uses on processors which have it: masks, and vectors of 16, 32 or 64 bytes.
//!
//! No processor that has it was at hand, so these are tested against their definition. Also, `memmove`, `memset`, `memcmp`, `strlen`,
//! `memchr` and others that glibc 2.36 has for such processors were interpreted, with the right results at all sizes.

use iced_x86::Mnemonic;

use super::form::Handler;

mod masked;
mod masked_compare;
mod masked_integer;
mod masked_move;
mod opmask;

/// The handler of an instruction with the encoding EVEX.
pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    masked_move::handler(mnemonic)
        .or_else(|| masked_compare::handler(mnemonic))
        .or_else(|| masked_integer::handler(mnemonic))
}

/// The handler of an instruction on masks alone, which has the encoding VEX.
pub(super) fn mask_handler(mnemonic: Mnemonic) -> Option<Handler> {
    opmask::handler(mnemonic)
}
