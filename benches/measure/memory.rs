//! The most memory that something took, as the kernel counts it: resident, pages of mapped files included.

use std::fs;

/// Runs `f`, and tells by how many bytes memory rose above where it was before, at most. `None` where the kernel does not
/// tell, which is anywhere but on Linux.
///
/// Not what `f` allocated: memory that the allocator has kept from before does not count, and what `f` leaves behind does.
pub fn peak_of<T>(f: impl FnOnce() -> T) -> (Option<u64>, T) {
    // Resets the high-water mark to what is resident now.
    let before = fs::write("/proc/self/clear_refs", "5").ok().and_then(|()| status("VmRSS:"));
    let value = f();
    let peak = before.and_then(|before| Some(status("VmHWM:")?.saturating_sub(before)));
    (peak, value)
}

/// A line of `/proc/self/status`, which counts kibibytes.
fn status(line: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|text| text.strip_prefix(line))?;
    Some(value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
