//! How to get from one frame to its caller, in 28 bits.

use super::architecture;

/// What unwind information says about one return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The frame has a caller.
    Frame(FrameRule),
    /// It has none: the outermost frame of its stack.
    End,
    /// It cannot be said in so few bits, or there is no unwind information. The slow walk has to do this stack.
    Unknown,
}

/// Where a frame's caller is to be found. Offsets are in words of 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameRule {
    /// The CFA is counted from the frame pointer, not from the stack pointer.
    pub(super) from_frame_pointer: bool,
    /// From that register up to the CFA.
    pub(super) cfa: u16,
    /// From the CFA down to the return address. 0: it is still in the link register.
    pub(super) return_address: u8,
    /// From the CFA down to the caller's frame pointer. 0: it is still in its register.
    pub(super) frame_pointer: u8,
}

/// Bits of a packed rule. Never all zero, so that a table may use zero for nothing.
pub(super) const BITS: u32 = 28;

// Kind: 2 bits, from 1. Base: 1 bit. CFA: 16 bits. Then 9 bits that differ by architecture.
const END: u32 = 1;
const UNKNOWN: u32 = 2;
const FRAME: u32 = 3;
const BASE_BIT: u32 = 2;
const CFA_BIT: u32 = 3;
const SAVED_BIT: u32 = 19;

impl Rule {
    /// Packs the rule; what does not fit becomes [`Rule::Unknown`].
    pub(super) fn pack(self) -> u32 {
        match self {
            Self::End => END,
            Self::Unknown => UNKNOWN,
            Self::Frame(frame) => architecture::pack_saved(frame).map_or(UNKNOWN, |saved| {
                FRAME
                    | u32::from(frame.from_frame_pointer) << BASE_BIT
                    | u32::from(frame.cfa) << CFA_BIT
                    | saved << SAVED_BIT
            }),
        }
    }

    #[inline(always)]
    pub(super) fn unpack(bits: u32) -> Self {
        match bits & 3 {
            FRAME => {
                let (return_address, frame_pointer) = architecture::unpack_saved(bits >> SAVED_BIT);
                #[allow(clippy::cast_possible_truncation)] // The 16 bits that are meant.
                let cfa = (bits >> CFA_BIT) as u16;
                let from_frame_pointer = bits >> BASE_BIT & 1 != 0;
                Self::Frame(FrameRule { from_frame_pointer, cfa, return_address, frame_pointer })
            }
            END => Self::End,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_rule_survives_packing_or_becomes_unknown(
            from_frame_pointer: bool, cfa: u16, return_address: u8, frame_pointer: u8,
        ) {
            let rule = Rule::Frame(FrameRule { from_frame_pointer, cfa, return_address, frame_pointer });
            let packed = rule.pack();
            prop_assert!(packed != 0 && packed < 1 << BITS);
            let unpacked = Rule::unpack(packed);
            prop_assert!(unpacked == rule || unpacked == Rule::Unknown);
        }
    }

    #[test]
    fn the_common_rules_can_be_packed() {
        for rule in [
            Rule::End,
            Rule::Unknown,
            Rule::Frame(FrameRule {
                from_frame_pointer: false,
                cfa: u16::MAX,
                return_address: 1,
                frame_pointer: 0,
            }),
            Rule::Frame(FrameRule { from_frame_pointer: true, cfa: 2, return_address: 1, frame_pointer: 2 }),
        ] {
            assert_eq!(Rule::unpack(rule.pack()), rule);
        }
    }
}
