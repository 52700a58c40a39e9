//! How many sockets this process may have. The file that may use `unsafe`.

/// Asks for so many file descriptors and some more for everything else.
///
/// # Errors
///
/// A sentence that tells the limit.
pub(crate) fn allow(sockets: usize) -> Result<(), String> {
    let wanted = libc::rlim_t::try_from(sockets).unwrap_or(libc::rlim_t::MAX).saturating_add(200);
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to the structure it is given, which is ours.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0;
    if failed || limit.rlim_cur >= wanted {
        return Ok(());
    }
    if limit.rlim_max < wanted {
        return Err(format!(
            "{wanted} open files are needed, and {} allowed (ulimit -Hn); use fewer --connections",
            limit.rlim_max
        ));
    }
    limit.rlim_cur = wanted;
    // SAFETY: reads the structure it is given, which is ours.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(format!("no {wanted} open files: {}", std::io::Error::last_os_error())),
    }
}
