//! Why a file is not used.

use bw_dump::RawDumpError;

use crate::output::failure::Failure;

/// Says why what was named is no raw dump, and what to do.
pub(super) fn failure(named: &str, error: &RawDumpError) -> Failure {
    if let Some(command) = error.decompress_with() {
        let help = format!(
            "core files of systemd-coredump are decompressed by `{command}`, and by `coredumpctl dump PID -o core`"
        );
        return Failure::new(format!("{named} {error}")).with_help(help);
    }
    match error.found_instead() {
        Some(found) => Failure::new(format!("{named} is neither a raw dump nor a core file: {found}")).with_help(
            "`backtrace-waker dump PID --format raw -o FILE` writes a raw dump, and `gcore PID` a core file",
        ),
        None => Failure::new(format!("{named} {error}")),
    }
}
