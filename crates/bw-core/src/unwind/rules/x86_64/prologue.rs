//! How far below its frame pointer a function's stack pointer is, told by its first instructions.
//!
//! Those of every function with a frame pointer that compilers for x86-64 System V emit:
//!
//! ```text
//! [endbr64]  push %rbp   mov %rsp,%rbp   push …   sub $size,%rsp
//! ```
//!
//! Anything else is not guessed at: stacks that are aligned further, probed in a loop, or grown later on are not known then.

/// The longest of them: four, one, three, five pushes of two bytes, seven.
pub(super) const MOST_BYTES: usize = 32;

/// What the first instructions of a function do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameSize {
    /// From the stack pointer of its body up to its frame pointer.
    pub(super) below_frame_pointer: usize,
    /// How long they are.
    pub(super) bytes_of_code: usize,
}

/// Reads them. `None` if they are not what is known.
pub(super) fn frame_size(code: &[u8]) -> Option<FrameSize> {
    let mut rest = code.strip_prefix(&[0xf3, 0x0f, 0x1e, 0xfa]).unwrap_or(code);
    rest = rest.strip_prefix(&[0x55])?;
    // Two encodings of one instruction.
    rest = rest.strip_prefix(&[0x48, 0x89, 0xe5]).or_else(|| rest.strip_prefix(&[0x48, 0x8b, 0xec]))?;
    let mut below_frame_pointer = 0;
    loop {
        rest = match rest {
            // Of r8 to r15.
            [0x41, 0x50..=0x57, after @ ..] => after,
            // Of the others.
            [0x50..=0x57, after @ ..] => after,
            _ => break,
        };
        below_frame_pointer += 8;
    }
    // `and $…,%rsp`, in either size: whatever comes next, the distance is not known.
    if matches!(rest, [0x48, 0x83 | 0x81, 0xe4, ..]) {
        return None;
    }
    match rest {
        [0x48, 0x83, 0xec, size, after @ ..] => {
            below_frame_pointer += usize::try_from(i8::from_ne_bytes([*size])).ok()?;
            rest = after;
        }
        [0x48, 0x81, 0xec, a, b, c, d, after @ ..] => {
            below_frame_pointer += usize::try_from(i32::from_le_bytes([*a, *b, *c, *d])).ok()?;
            rest = after;
        }
        // Too short to tell what comes next.
        _ if rest.len() < 7 => return None,
        _ => {}
    }
    if matches!(rest, [0x48, 0x83 | 0x81, 0xe4, ..]) {
        return None;
    }
    Some(FrameSize { below_frame_pointer, bytes_of_code: code.len() - rest.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(code: &[u8]) -> Option<usize> {
        let mut padded = code.to_vec();
        padded.resize(MOST_BYTES, 0x90);
        let size = frame_size(&padded)?;
        assert_eq!(size.bytes_of_code, code.len());
        Some(size.below_frame_pointer)
    }

    #[test]
    fn what_compilers_emit_is_read() {
        // push %rbp; mov %rsp,%rbp
        assert_eq!(below(&[0x55, 0x48, 0x89, 0xe5]), Some(0));
        assert_eq!(below(&[0x55, 0x48, 0x8b, 0xec]), Some(0));
        // …; push %r15; push %rbx; push %rax
        assert_eq!(below(&[0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x53, 0x50]), Some(24));
        // …; sub $0x18,%rsp
        assert_eq!(below(&[0x55, 0x48, 0x89, 0xe5, 0x41, 0x56, 0x48, 0x83, 0xec, 0x18]), Some(32));
        // endbr64; …; sub $0x1234,%rsp
        let large =
            [0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5, 0x53, 0x48, 0x81, 0xec, 0x34, 0x12, 0, 0];
        assert_eq!(below(&large), Some(0x1234 + 8));
    }

    #[test]
    fn what_is_not_known_is_not_guessed_at() {
        assert_eq!(below(&[]), None);
        assert_eq!(below(&[0x48, 0x83, 0xec, 0x18]), None, "no frame pointer");
        assert_eq!(below(&[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xe4, 0xe0]), None, "aligned further");
        assert_eq!(below(&[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x20, 0x48, 0x83, 0xe4, 0xc0]), None);
        assert_eq!(
            below(&[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x80]),
            None,
            "grown downwards by less than nothing"
        );
    }

    #[test]
    fn code_that_is_cut_is_not_read_past_its_end() {
        let code = [0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x48, 0x81, 0xec, 0x34, 0x12, 0, 0];
        for length in 0..code.len() {
            assert_eq!(frame_size(&code[..length]), None, "{length}");
        }
        assert_eq!(frame_size(&code).map(|size| size.below_frame_pointer), Some(0x1234 + 8));
    }
}
