//! The masks that logical instructions encode in a few bits.

/// The mask: a run of ones, turned, and repeated to fill 64 bits. `DecodeBitMasks` in the Arm manual. `None` if the encoding is reserved.
pub(super) fn bit_mask(n: bool, imms: u32, immr: u32) -> Option<u64> {
    // The size of the pattern, by its highest bit that is not set.
    let size_bits = u32::from(n) << 6 | (!imms & 0x3f);
    let length = size_bits.checked_ilog2().filter(|&length| length >= 1)?;
    let size = 1 << length;
    let levels = size - 1;
    let (ones, by) = (imms & levels, immr & levels);
    if ones == levels {
        return None;
    }
    let run = u64::MAX >> (63 - ones);
    let turned = if by == 0 { run } else { (run >> by | run << (size - by)) & (u64::MAX >> (64 - size)) };
    Some((0..64 / size).fold(0, |all, number| all | turned << (number * size)))
}
