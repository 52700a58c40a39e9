//! Evaluates `.eh_frame` for one address, with gimli. Neither allocates nor locks; about a microsecond.

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, FrameDescriptionEntry, NativeEndian, Pointer,
    Register, RegisterRule, UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow,
};

use super::architecture;
use super::module::Module;
use super::rule::{FrameRule, Rule};

/// On the stack of the hook: 4 rows of up to 32 rules, about 5 KiB. Compilers use two rows and save at most 21 registers.
struct OnStack;

impl UnwindContextStorage<usize> for OnStack {
    type Rules = [(Register, RegisterRule<usize>); 32];
    type Stack = [UnwindTableRow<usize, Self>; 4];
}

/// The rule for a return address in a module, whose unwind segment this is.
///
/// Anything that is missing, malformed or cannot be packed is [`Rule::Unknown`].
#[cold]
#[inline(never)]
pub(super) fn evaluate(module: &Module, segment: &[u8], address: usize) -> Rule {
    try_evaluate(module, segment, address).unwrap_or(Rule::Unknown)
}

fn try_evaluate(module: &Module, segment: &[u8], address: usize) -> Option<Rule> {
    let (fde, eh_frame, bases) = description(module, segment, address)?;
    // A signal may have come between any two instructions: what it returns to is no return address.
    if fde.is_signal_trampoline() || fde.cie().return_address_register() != architecture::RETURN_ADDRESS {
        return None;
    }
    let mut context = UnwindContext::<usize, OnStack>::new_in();
    pack(fde.unwind_info_for_address(&eh_frame, &bases, &mut context, lookup(address)?).ok()?)
}

pub(super) type Section<'a> = EndianSlice<'a, NativeEndian>;

/// What the unwind information says of the function that a return address is in.
#[allow(clippy::type_complexity)] // Together they are what gimli wants to be given.
pub(super) fn description<'a>(
    module: &Module,
    segment: &'a [u8],
    address: usize,
) -> Option<(FrameDescriptionEntry<Section<'a>>, EhFrame<Section<'a>>, BaseAddresses)> {
    let section = |start: usize| {
        Some(EndianSlice::new(segment.get(start.checked_sub(module.segment_start)?..)?, NativeEndian))
    };
    let bases = BaseAddresses::default().set_eh_frame_hdr(module.header as u64);
    let header = section(module.header)?;
    let header = EhFrameHdr::from(header).parse(&bases, 8).ok()?;
    let Pointer::Direct(eh_frame) = header.eh_frame_ptr() else { return None };
    let bases = bases.set_eh_frame(eh_frame);
    let mut eh_frame = EhFrame::from(section(usize::try_from(eh_frame).ok()?)?);
    eh_frame.set_vendor(architecture::VENDOR);
    let table = header.table()?;
    let fde = table.fde_for_address(&eh_frame, &bases, lookup(address)?, EhFrame::cie_from_offset).ok()?;
    Some((fde, eh_frame, bases))
}

/// The one place where the off-by-one of return addresses matters here.
fn lookup(address: usize) -> Option<u64> {
    Some(address.checked_sub(1)? as u64)
}

fn pack(row: &UnwindTableRow<usize, OnStack>) -> Option<Rule> {
    let return_address = match row.register(architecture::RETURN_ADDRESS) {
        // How the outermost frame of a stack is marked.
        Some(RegisterRule::Undefined) => return Some(Rule::End),
        Some(RegisterRule::Offset(offset)) => words_below(offset)?,
        // Not saved yet, or not at all: it is in the link register, where there is one.
        None | Some(RegisterRule::SameValue) if architecture::HAS_LINK_REGISTER => 0,
        _ => return None,
    };
    let frame_pointer = match row.register(architecture::FRAME_POINTER) {
        None | Some(RegisterRule::SameValue | RegisterRule::Undefined) => 0,
        Some(RegisterRule::Offset(offset)) => words_below(offset)?,
        _ => return None,
    };
    let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else { return None };
    let from_frame_pointer = match register {
        architecture::STACK_POINTER => false,
        architecture::FRAME_POINTER => true,
        _ => return None,
    };
    let cfa = u16::try_from(offset / 8).ok().filter(|_| offset % 8 == 0)?;
    Some(Rule::Frame(FrameRule { from_frame_pointer, cfa, return_address, frame_pointer }))
}

/// An offset from the CFA, in words downwards.
fn words_below(offset: i64) -> Option<u8> {
    let words = u8::try_from(offset.checked_neg()? / 8).ok()?;
    (offset % 8 == 0 && words != 0).then_some(words)
}
