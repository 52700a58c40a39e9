//! Instructions on general-purpose registers, a file for each family.

use iced_x86::{Code, Instruction, Mnemonic};

use super::form::Handler;

mod arithmetic;
mod bits;
mod jump;
mod logic;
mod movement;
mod multiply;
mod shift;
mod stack;
mod string;
mod system;

/// The handler of an instruction of one of the families.
pub(super) fn handler(instruction: &Instruction) -> Option<Handler> {
    let mnemonic = instruction.mnemonic();
    if instruction.is_string_instruction() {
        // `movsd` and `cmpsd` are also names of vector instructions.
        return string::handler(mnemonic);
    }
    // The prefix for addresses of 32 bits makes these count in `ecx`, which no compiler asks for.
    if matches!(
        instruction.code(),
        Code::Loop_rel8_64_ECX | Code::Loope_rel8_64_ECX | Code::Loopne_rel8_64_ECX
    ) {
        return None;
    }
    let families: [fn(Mnemonic) -> Option<Handler>; 9] = [
        movement::handler,
        arithmetic::handler,
        logic::handler,
        jump::handler,
        stack::handler,
        shift::handler,
        bits::handler,
        multiply::handler,
        system::handler,
    ];
    families.iter().find_map(|family| family(mnemonic))
}
