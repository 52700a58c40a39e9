//! Whether all of a process stands still until somebody makes it go on. Its tasks look as they do in a process that runs.

use std::fs;
use std::path::Path;

/// Says why a process stands still, as a sentence without a period. `None` if one of its threads goes on.
pub(super) fn of(pid: u32, folder: &Path) -> Option<String> {
    let is_traced = match state(folder)? {
        'T' => false,
        't' => true,
        _ => return None,
    };
    // What traces system calls stops one thread at a time, for a moment.
    let mut threads = fs::read_dir(folder.join("task")).ok()?.flatten();
    let stands_still = |state| matches!(state, 'T' | 't' | 'Z' | 'X');
    if !threads.all(|thread| state(&thread.path()).is_none_or(stands_still)) {
        return None;
    }
    let tracer = || {
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let tracer: u32 =
            status.lines().find_map(|line| line.strip_prefix("TracerPid:")?.trim().parse().ok())?;
        let name = fs::read_to_string(format!("/proc/{tracer}/comm")).ok()?;
        Some(format!("process {tracer} ({}) traces the process and has stopped it", name.trim_end()))
    };
    Some(match is_traced {
        false => format!("the process is stopped, and `kill -CONT {pid}` makes it go on"),
        true => tracer().unwrap_or_else(|| "a debugger has stopped the process".to_owned()),
    })
}

/// The state of a process or thread: the letter behind its name, which is in parentheses and may hold any of these characters.
fn state(folder: &Path) -> Option<char> {
    fs::read_to_string(folder.join("stat")).ok()?.rsplit_once(") ")?.1.chars().next()
}
