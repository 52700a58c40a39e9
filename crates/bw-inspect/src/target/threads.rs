//! The threads of a process, and where their stacks are.

use std::ops::Range;
use std::sync::Arc;

use super::registers::Registers;

/// The register `rdi` in the numbering of DWARF, on x86-64: the first argument of a system call.
const FIRST_ARGUMENT: usize = 5;

/// One thread of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its number, as the operating system counts.
    pub id: u64,
    /// The number that it has for itself: another one in a container.
    pub inner_id: u64,
    /// Its name, where that is known.
    pub name: Option<Arc<str>>,
    /// Where it stands in user space while it waits in the kernel. `None` while it is on a processor.
    pub waits_at: Option<WaitingAt>,
    /// Its registers, if it stood still while it was looked at: stopped, or in a core file.
    pub registers: Option<Registers>,
}

/// Where a thread stands that waits in the kernel. Two equal values, one read before a stack and one after it, say that the thread
/// did not run in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingAt {
    /// Its stack pointer.
    pub stack_pointer: u64,
    /// The address after the instruction with which it entered the kernel.
    pub program_counter: u64,
    /// The number of its system call and the call's arguments, as the kernel writes them. Of a thread whose registers were read, the first argument
    /// only.
    pub call: Arc<str>,
    /// How often it has stopped running.
    pub switches: u64,
}

impl WaitingAt {
    /// Tells where a thread waits that stood still. `None` if it was in user space.
    #[must_use]
    pub(crate) fn of_registers(registers: &Registers) -> Option<Self> {
        Some(Self {
            stack_pointer: registers.stack_pointer,
            program_counter: registers.instruction,
            call: format!("{} {:#x}", registers.system_call?, registers.general.get(FIRST_ARGUMENT)?).into(),
            switches: 0,
        })
    }
}

/// Reads `/proc/PID/task/TID/syscall`; see `proc_pid_syscall(5)`. `None` if the thread runs.
#[must_use]
pub(crate) fn parse_system_call(text: &str, switches: u64) -> Option<WaitingAt> {
    // "running", or a number, perhaps arguments, the stack pointer and the program counter.
    let mut words = text.split_ascii_whitespace().rev();
    let mut register = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (program_counter, stack_pointer) = (register()?, register()?);
    (stack_pointer % 8 == 0 && stack_pointer != 0).then(|| WaitingAt {
        stack_pointer,
        program_counter,
        call: text.trim_end().into(),
        switches,
    })
}

/// Adds up the lines of `/proc/PID/task/TID/status` that count how often a thread stopped running.
#[must_use]
pub(crate) fn context_switches(status: &str) -> u64 {
    let counts = status.lines().filter(|line| line.contains("ctxt_switches:"));
    counts.filter_map(|line| line.rsplit_once(':')?.1.trim().parse::<u64>().ok()).sum()
}

/// Reads the number that a thread has for itself from `/proc/PID/task/TID/status`. `None` if the kernel does not say.
#[must_use]
pub(crate) fn inner_number(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().last()?.parse().ok()
}

impl Thread {
    /// The part of its stack that is in use: from its stack pointer to the end of the mapping that this lies in.
    #[must_use]
    pub(crate) fn stack_in(&self, mapping: &Range<u64>) -> Option<Range<u64>> {
        let waits_at = || self.waits_at.as_ref().map(|at| at.stack_pointer);
        let at = self.registers.as_ref().map(|it| it.stack_pointer).or_else(waits_at)?;
        mapping.contains(&at).then_some(at..mapping.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_thread_has_two_registers_and_a_running_one_none() {
        let text = "232 0x5 0x7f0 0x400 0xffffffff 0x0 0x0 0x7ffc10 0x7f1234\n";
        let at = parse_system_call(text, 7).unwrap();
        assert_eq!((at.stack_pointer, at.program_counter, at.switches), (0x7f_fc10, 0x7f_1234, 7));
        assert_eq!(parse_system_call("-1 0x7ffc10 0x7f1234", 0).unwrap().program_counter, 0x7f_1234);
        for text in ["running\n", "", "0", "-1 0x0 0x0", "-1 0x7 0x8", "-1 7 8", "0x10"] {
            assert_eq!(parse_system_call(text, 0), None, "{text}");
        }
    }

    #[test]
    fn a_thread_in_a_container_keeps_the_number_of_the_host() {
        assert_eq!(inner_number("Name:\tx\nNSpid:\t4711\t352\t7\nNSsid:\t1\n"), Some(7));
        assert_eq!(inner_number("NSpid:\t9\n"), Some(9));
        assert_eq!(inner_number("Name:\tNSpid:\n"), None);
    }

    #[test]
    fn both_kinds_of_switches_count() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t5\n";
        assert_eq!(context_switches(status), 12);
        assert_eq!(context_switches("voluntary_ctxt_switches:\tmany\n"), 0);
    }
}
