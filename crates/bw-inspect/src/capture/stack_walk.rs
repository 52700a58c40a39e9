//! A walk over a stack in some memory, by unwind rules.

use super::unwind_rules::{FrameRule, Numbering, UnwindRules};
use crate::emulate::REGISTERS;
use crate::target::architecture::Architecture;

/// The registers that a walk knows, in the numbering of DWARF.
#[derive(Clone, Debug)]
pub(crate) struct WalkRegisters {
    /// The address of the instruction, or the return address.
    pub(crate) instruction: u64,
    pub(crate) general: [Option<u64>; REGISTERS],
}

/// What a walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    /// The address of the first instruction, and then return addresses, from the leaf on.
    pub(crate) addresses: Vec<u64>,
    pub(crate) end: WalkEnd,
}

/// The bits of addresses on AArch64. Those above may hold a signature.
const ADDRESS: u64 = (1 << 48) - 1;

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WalkEnd {
    /// It came to the address at which it was to end, or to a frame without a caller.
    Whole,
    /// No rule, or a register or a word that is not known.
    Lost,
    /// There are more frames than it may take.
    TooDeep,
}

/// Walks until a frame returns to `until`, or has no caller.
///
/// `word` reads the stack. Every step goes up the stack, so the walk ends whatever is in it.
pub(crate) fn walk(
    rules: &UnwindRules<'_>,
    mut registers: WalkRegisters,
    until: Option<u64>,
    most_frames: usize,
    mut word: impl FnMut(u64) -> Option<u64>,
) -> Walk {
    let mut addresses = vec![registers.instruction];
    let mut lookup = registers.instruction;
    let end = loop {
        let Some(rule) = rules.at(lookup) else { break WalkEnd::Lost };
        match step(rules, &rule, &mut registers, &mut word) {
            None => break WalkEnd::Lost,
            Some(false) => break WalkEnd::Whole,
            Some(true) => {}
        }
        if until == Some(registers.instruction) {
            break WalkEnd::Whole;
        }
        if !rules.modules().is_return_address(registers.instruction) {
            break WalkEnd::Lost;
        }
        if addresses.len() >= most_frames {
            break WalkEnd::TooDeep;
        }
        addresses.push(registers.instruction);
        // A return address may be the first of the next function: the call is in front of it.
        lookup = registers.instruction.wrapping_sub(1);
    };
    Walk { addresses, end }
}

/// Returns the registers in the callers of a frame, as they will be when the calls return, as far as they are known.
pub(crate) fn callers(
    rules: &UnwindRules<'_>,
    mut registers: WalkRegisters,
    most: usize,
    mut word: impl FnMut(u64) -> Option<u64>,
) -> Vec<WalkRegisters> {
    let mut callers = Vec::new();
    let mut lookup = registers.instruction;
    while callers.len() < most {
        let Some(rule) = rules.at(lookup) else { break };
        let goes_on = step(rules, &rule, &mut registers, &mut word) == Some(true);
        if !goes_on || !rules.modules().is_return_address(registers.instruction) {
            break;
        }
        callers.push(registers.clone());
        lookup = registers.instruction.wrapping_sub(1);
    }
    callers
}

/// Goes to the caller. `Some(false)` if there is none.
fn step(
    rules: &UnwindRules<'_>,
    rule: &FrameRule,
    registers: &mut WalkRegisters,
    word: &mut impl FnMut(u64) -> Option<u64>,
) -> Option<bool> {
    let FrameRule::Frame { function, cfa: (register, offset), return_address, saved, lost } = rule else {
        return Some(false);
    };
    let architecture = rules.modules().architecture();
    let Numbering { frame_pointer, stack_pointer, return_address: link } = Numbering::of(architecture);
    let known = registers.general.get(*register).copied().flatten();
    // Of a thread that waits in the kernel, only two registers are known at first.
    let computed = || {
        let at = registers.general[stack_pointer].filter(|_| *register == frame_pointer)?;
        rules.frame_pointer(*function, at)
    };
    let base = known.or_else(computed)?;
    let cfa = base.checked_add_signed(*offset)?;
    // Frames lie above each other. One whose return address is in a register may be empty, but only once: its caller has saved it.
    let is_empty = return_address.is_none() && registers.general[stack_pointer] == Some(cfa);
    if registers.general[stack_pointer].is_some_and(|below| cfa <= below) && !is_empty {
        return None;
    }
    let return_to = match return_address {
        Some(offset) => word(cfa.checked_add_signed(*offset)?)?,
        None => registers.general.get_mut(usize::from(link))?.take()?,
    };
    registers.instruction = match architecture {
        Architecture::X86_64 => return_to,
        // It may be signed.
        Architecture::Aarch64 => return_to & ADDRESS,
    };
    // From the frame that is left, before any of its values are replaced.
    let values: Vec<(usize, Option<u64>)> = saved
        .iter()
        .map(|(register, offset)| (*register, cfa.checked_add_signed(*offset).and_then(&mut *word)))
        .collect();
    for (register, value) in values.into_iter().chain(lost.iter().map(|register| (*register, None))) {
        if let Some(known) = registers.general.get_mut(register) {
            *known = value;
        }
    }
    registers.general[stack_pointer] = Some(cfa);
    Some(true)
}
