//! The walk by kept rules: about 10 ns a frame, from two or three loads.
//!
//! Neither allocates nor locks. A rule for an address met for the first time is evaluated on the spot, about a
//! microsecond, and kept. When anything is not as it should be the walk gives up, and the caller takes the slow walk for
//! this stack instead.

use super::super::{End, Frames};
use super::architecture;
use super::cfi;
use super::known_modules::KnownModules;
use super::module::{self, Module};
use super::registers::{self, Registers};
use super::rule::Rule;
use super::table::RuleTable;

static RULES: RuleTable = RuleTable::new();
static KNOWN_MODULES: KnownModules = KnownModules::new();

/// Gets ready. Outside the hook, before a traced poll: may lock and allocate, the first time.
pub(in super::super) fn prepare() {
    module::prepare();
}

/// Walks from here to the root. `None` if it cannot: then `frames` holds nothing of use.
///
/// Every word it reads lies between the stack pointer it begins with and the root's. So a rule that is wrong can give a
/// wrong trace, but cannot read outside this thread's stack, as long as the leaf is on the same stack as the root. On one of
/// its own below the root (a coroutine's) the walk is as good as the unwind information, like any other.
///
/// Counts the rules that had to be evaluated in `misses`.
#[inline(always)]
pub(in super::super) fn walk(
    leaf: usize,
    root: usize,
    frames: &mut Frames,
    misses: &mut usize,
) -> Option<End> {
    let home = module::home()?;
    let Registers { instruction_pointer, mut stack_pointer, mut frame_pointer, link_register } =
        architecture::registers_here();
    // As if something had just returned here.
    let mut address = instruction_pointer + 1;
    let mut elsewhere = Elsewhere(None);
    let mut link_register = Some(link_register);
    loop {
        if stack_pointer <= leaf {
            // The walk's own frame, or the leaf's: whichever is last in this branch is the leaf's.
            frames.restart(address);
        } else if !frames.push(address) {
            return Some(End::Full);
        }
        let module = if home.contains(address) { home } else { elsewhere.module(address)? };
        let rule = RULES.get(address).unwrap_or_else(|| evaluate(module, address, misses));
        let rule = match rule {
            Rule::Frame(rule) => rule,
            Rule::End => return Some(End::Lost),
            Rule::Unknown => return None,
        };
        let base = if rule.from_frame_pointer { frame_pointer } else { stack_pointer };
        let cfa = base.checked_add(usize::from(rule.cfa) * 8)?;
        if cfa > root {
            // This frame contains the root.
            return Some(End::Root);
        }
        let word = |below: u8| {
            let at = cfa.checked_sub(usize::from(below) * 8)?;
            (at >= stack_pointer && at < cfa && at % 8 == 0).then(|| {
                // SAFETY: `stack_pointer` began as this function's own and only grows; `cfa` is at most the stack
                // pointer of the traced poll, whose frame is live on this stack. `at` is between them, and aligned.
                unsafe { registers::read_stack(at) }
            })
        };
        // Only the first frame can have its return address in a register still.
        let in_register = link_register.take();
        let caller = match rule.return_address {
            0 => in_register?,
            below => word(below)?,
        };
        if rule.frame_pointer != 0 {
            frame_pointer = word(rule.frame_pointer)?;
        }
        // A caller's frame is above, and only the first may have none of its own.
        if cfa < stack_pointer || (cfa == stack_pointer && in_register.is_none()) {
            return None;
        }
        stack_pointer = cfa;
        address = architecture::strip(caller);
        if address == 0 {
            return Some(End::Lost);
        }
    }
}

/// The module of the last address that was not in the home module.
struct Elsewhere(Option<Module>);

impl Elsewhere {
    /// The module of this address, whose kept rules are its own. `None` if it is unknown, or cannot be told from another.
    #[cold]
    fn module(&mut self, address: usize) -> Option<&Module> {
        if !self.0.is_some_and(|module| module.contains(address)) {
            // SAFETY: `address` was read as a return address of a live frame of this thread, so its module stays loaded
            // for as long as this walk.
            let (module, build_id) = unsafe { module::find(address) }?;
            if !KNOWN_MODULES.recognizes(&module, build_id?, || RULES.forget(module.start, module.end)) {
                return None;
            }
            self.0 = Some(module);
        }
        self.0.as_ref()
    }
}

#[cold]
#[inline(never)]
fn evaluate(module: &Module, address: usize, misses: &mut usize) -> Rule {
    *misses += 1;
    // SAFETY: the home module, or one that a return address of this thread's stack is in.
    let segment = unsafe { module.unwind_segment() };
    let rule = cfi::evaluate(module, segment, address);
    RULES.insert(address, rule);
    rule
}
