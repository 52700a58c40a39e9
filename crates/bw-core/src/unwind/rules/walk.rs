//! The walk by kept rules: about 10 ns a frame, from two or three loads.
//!
//! Neither allocates nor locks. A rule for an address met for the first time is evaluated on the spot, about a
//! microsecond, and kept. When anything is not as it should be the walk gives up, and the caller takes the slow walk for
//! this stack instead.

use core::sync::atomic::{AtomicBool, AtomicUsize};

use super::super::{Bounds, End, Frames};
use super::architecture;
use super::cfi;
use super::known_modules::{Entry, KnownModules};
use super::module::{self, Module};
use super::postponed::Postponed;
use super::registers::{self, Registers};
use super::rule::Rule;
use super::table::RuleTable;

static RULES: RuleTable = RuleTable::new();
static POSTPONED: Postponed = Postponed::new();
static KNOWN_MODULES: KnownModules = KnownModules::new(
    AtomicBool::new(false),
    [const { Entry::new(AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)) };
        KnownModules::CAPACITY],
);

/// Gets ready. Outside the hook, before a traced poll: may lock and allocate, the first time.
pub(in super::super) fn prepare() {
    module::prepare();
}

/// Walks from here to the root. `None` if it cannot: then `frames` holds nothing of use.
///
/// Every word it reads lies between the stack pointer it begins with and the root's. Where both are known to be on this thread's
/// own stack, which is one piece of memory, that alone makes reading safe: a rule that is wrong can give a wrong trace, and no
/// more. Elsewhere (on a coroutine's stack, which may end before the root) each word is read by a system call, to which memory that
/// is not there is an error.
///
/// Unwind information is trusted for one thing: that a return address which it finds, and which lies in a loaded module, is that of
/// a live frame, whose module stays. Every panic that unwinds this stack relies on the same, and so does the slow walk, which would take
/// this stack otherwise: it reads the unwind information of the module that it finds for each return address. So giving up here would not
/// make the hook safer. A rule is used only for the module that it was evaluated from: see `known_modules`.
///
/// Counts the rules that had to be evaluated in `misses`. Where one has to be and `may_evaluate` is not given, the walk ends there, and
/// the timer's thread evaluates it for the next time.
#[inline(always)]
pub(in super::super) fn walk(
    bounds: Bounds,
    root: usize,
    may_evaluate: bool,
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
        if stack_pointer <= bounds.leaf {
            // The walk's own frame, or the leaf's: whichever is last in this branch is the leaf's.
            frames.restart(address);
        } else if !frames.push(address) {
            return Some(End::Full);
        }
        let module = if home.contains(address) { home } else { elsewhere.module(address)? };
        let rule = match RULES.get(address) {
            Some(rule) => rule,
            None if may_evaluate => evaluate(module, address, misses),
            None => {
                if core::ptr::eq(module, home) {
                    POSTPONED.add(address);
                }
                return Some(End::ShortOfStack);
            }
        };
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
            if at < stack_pointer || at >= cfa || at % 8 != 0 {
                return None;
            }
            if bounds.stack_start.is_none() {
                return registers::read_anywhere(at);
            }
            // SAFETY: `stack_pointer` began as this function's own and only grows; `cfa` is at most the stack pointer of the
            // traced poll, whose frame is live. `at` is between them, and aligned. Both are on this thread's own stack, as
            // `stack_start` says, so all between them is.
            Some(unsafe { architecture::read_stack(at) })
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
            let addresses = module.addresses();
            let forget = || RULES.forget(module.start, module.end);
            if !KNOWN_MODULES.recognizes(module.fingerprint(build_id?), &addresses, forget) {
                return None;
            }
            self.0 = Some(module);
        }
        self.0.as_ref()
    }
}

/// Evaluates the rules that walks had no room for. On a thread with a stack of its own; allocates nothing.
pub(in super::super) fn evaluate_postponed() {
    let Some(home) = module::home() else { return };
    POSTPONED.take_each(|address| {
        evaluate(home, address, &mut 0);
    });
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
