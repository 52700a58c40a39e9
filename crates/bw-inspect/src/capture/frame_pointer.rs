//! The frame pointer of a frame whose registers are not known, from what its function does first.
//!
//! A function that keeps a frame pointer saves its caller's, sets its own, saves other registers, and makes room: each moves the stack
//! pointer by a known number of bytes. So the frame pointer is that many bytes above the stack pointer.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// Bytes of a function that are looked at.
pub(super) const MOST_BYTES: usize = 64;
/// Bytes that a frame may have.
const MOST_FRAME_BYTES: u64 = 1 << 20;

/// Returns how many bytes the frame pointer is above the stack pointer, once the function that begins with this code has made room. `None`
/// if it keeps no frame pointer, or begins in another way.
pub(super) fn above_stack_pointer(code: &[u8]) -> Option<u64> {
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let mut above: Option<u64> = None;
    while decoder.can_decode() {
        let instruction = decoder.decode();
        match (instruction.mnemonic(), &mut above) {
            (Mnemonic::Endbr64, None) => {}
            (Mnemonic::Push, None) => {}
            (Mnemonic::Push, Some(above)) => *above += 8,
            (Mnemonic::Mov, None) if sets_frame_pointer(&instruction) => above = Some(0),
            (Mnemonic::Sub, Some(above)) if makes_room(&instruction) => {
                let bytes = instruction.immediate(1);
                return (bytes <= MOST_FRAME_BYTES).then_some(*above + bytes);
            }
            // Without room of its own: only registers are saved.
            (_, above) => return *above,
        }
    }
    None
}

/// `mov rbp, rsp`.
fn sets_frame_pointer(instruction: &Instruction) -> bool {
    instruction.op0_register() == Register::RBP && instruction.op1_register() == Register::RSP
}

/// `sub rsp, bytes`.
fn makes_room(instruction: &Instruction) -> bool {
    let is_constant = matches!(instruction.code(), Code::Sub_rm64_imm8 | Code::Sub_rm64_imm32);
    is_constant && instruction.op_kind(0) == OpKind::Register && instruction.op0_register() == Register::RSP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_and_saved_registers_are_below_the_frame_pointer() {
        // push rbp; mov rbp, rsp; push r15; push rbx; sub rsp, 0x28; nop
        let code = [0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x53, 0x48, 0x83, 0xec, 0x28, 0x90];
        assert_eq!(above_stack_pointer(&code), Some(0x38));
        // The same without room, and with a large frame.
        assert_eq!(above_stack_pointer(&[0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x90]), Some(8));
        assert_eq!(
            above_stack_pointer(&[0x55, 0x48, 0x89, 0xe5, 0x48, 0x81, 0xec, 0, 0x10, 0, 0]),
            Some(0x1000)
        );
    }

    #[test]
    fn other_beginnings_tell_nothing() {
        // sub rsp, 0x28: no frame pointer. Nothing. No code. Too large a frame.
        for code in [
            &[0x48, 0x83, 0xec, 0x28, 0x90][..],
            &[],
            &[0x06; 8],
            &[0x55, 0x48, 0x89, 0xe5, 0x48, 0x81, 0xec, 0, 0, 0, 0x7f],
        ] {
            assert_eq!(above_stack_pointer(code), None, "{code:x?}");
        }
    }
}
