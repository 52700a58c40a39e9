//! Instructions on vector registers, a file for each family.
//!
//! Each operation exists once, for 32 bytes. An SSE instruction is the same with 16 bytes, and keeps the upper half of the register;
//! the encoding VEX has its sources apart from the destination, and clears what it does not compute. [`access`] knows all that.

use iced_x86::Mnemonic;

use super::form::Handler;

mod access;
mod bitwise;
mod compare;
mod convert;
mod element;
mod float;
mod fused;
mod integers;
mod lane;
mod mask;
mod pack;
mod permute;
mod saved_state;
mod shifts;
mod shuffle;
mod string_compare;
mod transfer;

/// The handler of an instruction of one of the families.
pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    let families: [fn(Mnemonic) -> Option<Handler>; 15] = [
        transfer::handler,
        bitwise::handler,
        integers::handler,
        compare::handler,
        mask::handler,
        shuffle::handler,
        pack::handler,
        shifts::handler,
        element::handler,
        float::handler,
        convert::handler,
        permute::handler,
        fused::handler,
        saved_state::handler,
        string_compare::handler,
    ];
    families.iter().find_map(|family| family(mnemonic))
}
