//! The same as [`frame_pointer`](super::frame_pointer), of AArch64.
//!
//! A function that keeps a frame pointer makes room, saves registers, sets the frame pointer to where it saved its caller's, and perhaps
//! makes more room.

/// Bytes that a frame may have.
const MOST_FRAME_BYTES: u64 = 1 << 20;

/// Returns how many bytes the frame pointer is above the stack pointer, once the function that begins with this code has made room. `None`
/// if it keeps no frame pointer, or begins in another way.
pub(super) fn above_stack_pointer(code: &[u8]) -> Option<u64> {
    let mut above: Option<u64> = None;
    for word in code.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)) {
        let immediate = u64::from(word >> 10 & 0xfff) << if word >> 22 & 1 == 1 { 12 } else { 0 };
        match above.as_mut() {
            // add x29, sp, #immediate
            None if word & 0xff80_03ff == 0x9100_03fd => above = Some(immediate),
            // sub sp, sp, #immediate
            Some(above) if word & 0xff80_03ff == 0xd100_03ff => {
                *above = above.checked_add(immediate).filter(|above| *above <= MOST_FRAME_BYTES)?;
            }
            None if word & 0xff80_03ff == 0xd100_03ff => {}
            // stp and str of registers to the stack; paciasp; bti
            _ if word & 0x7e40_03e0 == 0x2800_03e0 || word & 0x7e40_03e0 == 0x2c00_03e0 => {}
            _ if word & 0xffc0_03e0 == 0xf900_03e0 || word & 0xffe0_0fe0 == 0xf800_0fe0 => {}
            None if word == 0xd503_233f || word & 0xffff_ff3f == 0xd503_241f => {}
            above => return above.copied(),
        }
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    fn above(words: &[u32]) -> Option<u64> {
        above_stack_pointer(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
    }

    #[test]
    fn a_frame_pointer_is_elsewhere() {
        // stp x29, x30, [sp, #-0x20]!; str x19, [sp, #16]; mov x29, sp; sub sp, sp, #0x230; nop
        assert_eq!(above(&[0xa9be_7bfd, 0xf900_0bf3, 0x9100_03fd, 0xd108_c3ff, 0xd503_201f]), Some(0x230));
        // sub sp, sp, #0x50; stp x29, x30, [sp, #0x40]; add x29, sp, #0x40; nop
        assert_eq!(above(&[0xd101_43ff, 0xa904_7bfd, 0x9101_03fd, 0xd503_201f]), Some(0x40));
        // paciasp; str x30, [sp, #-16]!; nop: none is kept.
        assert_eq!(above(&[0xd503_233f, 0xf81f_0ffe, 0xd503_201f]), None);
        assert_eq!(above(&[]), None);
    }
}
