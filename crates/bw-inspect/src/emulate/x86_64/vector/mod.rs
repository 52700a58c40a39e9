//! Instructions on vector registers.

use iced_x86::Mnemonic;

use super::form::Handler;

/// The handler of an instruction of one of the families.
pub(super) fn handler(_: Mnemonic) -> Option<Handler> {
    None
}
