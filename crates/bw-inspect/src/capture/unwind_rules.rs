//! The unwind rules of a process's modules: `.eh_frame`, read from its memory, evaluated once for each address.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EhFrameOffset, EndianSlice, LittleEndian, Pointer, Register,
    RegisterRule, UnwindContext, UnwindSection, UnwindTableRow, Vendor,
};

use super::{aarch64_prologue, frame_pointer};
use crate::emulate::REGISTERS;
use crate::target::architecture::Architecture;
use crate::target::memory::Memory;
use crate::target::modules::{LoadedModule, LoadedModules};
use crate::target::words::bytes_at;

/// Bytes of unwind information that are read of one module.
const MOST_SECTION_BYTES: u64 = 256 << 20;
/// Rules that are kept.
const MOST_RULES: usize = 1 << 20;

/// The registers of an architecture that unwinding has to know, in the numbering of DWARF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbering {
    pub(crate) frame_pointer: usize,
    pub(crate) stack_pointer: usize,
    /// The return address. On x86-64 it is no register of the processor.
    pub(crate) return_address: u16,
}

impl Numbering {
    pub(crate) const fn of(architecture: Architecture) -> Self {
        match architecture {
            Architecture::X86_64 => Self { frame_pointer: 6, stack_pointer: 7, return_address: 16 },
            Architecture::Aarch64 => Self { frame_pointer: 29, stack_pointer: 31, return_address: 30 },
        }
    }
}

/// How the caller of a frame is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FrameRule {
    /// The frame has no caller.
    End,
    /// The frame has one.
    Frame {
        /// Where the function begins.
        function: u64,
        /// The register from which the frame's address (CFA) is computed, and how far that is.
        cfa: (usize, i64),
        /// Where the return address is, relative to the frame's address. `None` if it is still in its register.
        return_address: Option<i64>,
        /// Where registers of the caller are saved, relative to the frame's address.
        saved: Vec<(usize, i64)>,
        /// Registers whose values in the caller are lost.
        lost: Vec<usize>,
    },
}

/// Evaluates rules, and keeps them.
pub(crate) struct UnwindRules<'m> {
    memory: &'m dyn Memory,
    modules: &'m LoadedModules,
    /// By where the module begins.
    sections: RefCell<HashMap<u64, Option<Rc<Section>>>>,
    rules: RefCell<HashMap<u64, Option<Rc<FrameRule>>>>,
}

/// The unwind information of a module, from `.eh_frame_hdr` or `.eh_frame` on, whichever is first.
struct Section {
    start: u64,
    header: u64,
    bytes: Vec<u8>,
}

impl<'m> UnwindRules<'m> {
    /// Makes one that has read nothing yet. `memory` has the modules' constants.
    pub(crate) fn new(memory: &'m dyn Memory, modules: &'m LoadedModules) -> Self {
        Self { memory, modules, sections: RefCell::default(), rules: RefCell::default() }
    }

    /// Returns the modules whose rules these are.
    pub(crate) fn modules(&self) -> &'m LoadedModules {
        self.modules
    }

    /// Returns the value of the frame pointer in a frame of the function that begins there, if the function keeps one.
    pub(crate) fn frame_pointer(&self, function: u64, stack_pointer: u64) -> Option<u64> {
        let mut code = [0; frame_pointer::MOST_BYTES];
        self.memory.read(function, &mut code).ok()?;
        let above = match self.modules.architecture() {
            Architecture::X86_64 => frame_pointer::above_stack_pointer(&code),
            Architecture::Aarch64 => aarch64_prologue::above_stack_pointer(&code),
        };
        stack_pointer.checked_add(above?)
    }

    /// Returns the rule for the instruction at an address. `None` if there is none, or one of a kind that compilers do not make.
    pub(crate) fn at(&self, address: u64) -> Option<Rc<FrameRule>> {
        if let Some(known) = self.rules.borrow().get(&address) {
            return known.clone();
        }
        let rule = self.evaluate(address).map(Rc::new);
        let mut rules = self.rules.borrow_mut();
        if rules.len() >= MOST_RULES {
            rules.clear();
        }
        rules.insert(address, rule.clone());
        rule
    }

    fn evaluate(&self, address: u64) -> Option<FrameRule> {
        let module = self.modules.find(address)?;
        let key = module.module().range().start;
        let known = self.sections.borrow().get(&key).cloned();
        let section = match known {
            Some(section) => section,
            None => {
                let section = self.read(module).map(Rc::new);
                self.sections.borrow_mut().insert(key, section.clone());
                section
            }
        };
        section?.rule(address, self.modules.architecture())
    }

    fn read(&self, module: &LoadedModule) -> Option<Section> {
        let unwind = module.unwind()?;
        // The linker puts `.eh_frame` into the segment of `.eh_frame_hdr`, behind it.
        let length = unwind.segment.end.checked_sub(unwind.header)?.min(MOST_SECTION_BYTES);
        let bytes = bytes_at(self.memory, unwind.header, usize::try_from(length).ok()?).ok()?;
        Some(Section { start: unwind.header, header: unwind.header, bytes })
    }
}

impl Section {
    fn rule(&self, address: u64, architecture: Architecture) -> Option<FrameRule> {
        let part = |start: u64| {
            let from = usize::try_from(start.checked_sub(self.start)?).ok()?;
            Some(EndianSlice::new(self.bytes.get(from..)?, LittleEndian))
        };
        let bases = BaseAddresses::default().set_eh_frame_hdr(self.header);
        let header = EhFrameHdr::from(part(self.header)?).parse(&bases, 8).ok()?;
        let Pointer::Direct(start) = header.eh_frame_ptr() else { return None };
        let bases = bases.set_eh_frame(start);
        let mut eh_frame = EhFrame::from(part(start)?);
        if architecture == Architecture::Aarch64 {
            // For the instruction that says whether return addresses are signed.
            eh_frame.set_vendor(Vendor::AArch64);
        }
        let table = header.table()?;
        // Not by `fde_for_address`, which subtracts without a check.
        let Ok(Pointer::Direct(entry)) = table.lookup(address, &bases) else { return None };
        let offset = EhFrameOffset(usize::try_from(entry.checked_sub(start)?).ok()?);
        let fde = eh_frame.fde_from_offset(&bases, offset, EhFrame::cie_from_offset).ok()?;
        if !fde.contains(address) {
            return None;
        }
        // A signal may have come between any two instructions: no stack of an emulated poll has one.
        if fde.is_signal_trampoline()
            || fde.cie().return_address_register().0 != Numbering::of(architecture).return_address
        {
            return None;
        }
        let mut context = UnwindContext::new();
        frame_rule(
            fde.initial_address(),
            fde.unwind_info_for_address(&eh_frame, &bases, &mut context, address).ok()?,
            architecture,
        )
    }
}

fn frame_rule(function: u64, row: &UnwindTableRow<usize>, architecture: Architecture) -> Option<FrameRule> {
    let return_address = match row.register(Register(Numbering::of(architecture).return_address)) {
        // How the outermost frame of a stack is marked.
        Some(RegisterRule::Undefined) => return Some(FrameRule::End),
        Some(RegisterRule::Offset(offset)) => Some(offset),
        // A function that calls none need not save it.
        None | Some(RegisterRule::SameValue) if architecture == Architecture::Aarch64 => None,
        _ => return None,
    };
    let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else { return None };
    let number = |register: Register| Some(usize::from(register.0)).filter(|&number| number < REGISTERS);
    let (mut saved, mut lost) = (Vec::new(), Vec::new());
    for (register, rule) in row.registers() {
        let Some(register) = number(*register) else { continue };
        match rule {
            RegisterRule::Offset(offset) => saved.push((register, *offset)),
            RegisterRule::SameValue => {}
            _ => lost.push(register),
        }
    }
    Some(FrameRule::Frame { function, cfa: (number(register)?, offset), return_address, saved, lost })
}
