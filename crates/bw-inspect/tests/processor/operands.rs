//! Random operands, special ones among them.

/// Numbers that look random, the same in every run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.word() >> 33) as usize % bound
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// An integer: any, small, or at an edge of some width.
    pub(crate) fn integer(&mut self) -> u64 {
        const EDGES: [u64; 16] = [
            0,
            1,
            u64::MAX,
            i64::MAX as u64,
            i64::MIN as u64,
            0x7f,
            0x80,
            0xff,
            0x7fff,
            0x8000,
            0xffff,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0xffff_ffff_8000_0000,
            0x8080_8080_8080_8080,
        ];
        match self.below(4) {
            0 => self.one_of(&EDGES),
            1 => self.word() % 70,
            _ => self.word(),
        }
    }

    pub(crate) fn single(&mut self) -> u32 {
        const SPECIAL: [u32; 18] = [
            0,
            0x8000_0000,
            0x3f80_0000,
            0xbf80_0000,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0001,
            0xffc0_1234,
            0x7f80_0001,
            0xff81_2345,
            1,
            0x807f_ffff,
            0x7f7f_ffff,
            0x0080_0000,
            0x4f00_0000,
            0xcf00_0000,
            0x3f00_0000,
            0x4020_0000,
        ];
        match self.below(4) {
            0 => self.one_of(&SPECIAL),
            1 => self.word() as u32,
            // Of moderate size, so that sums and products are seldom extreme.
            _ => (self.word() as u32 & 0x807f_ffff) | (110 + self.below(34) as u32) << 23,
        }
    }

    pub(crate) fn double(&mut self) -> u64 {
        const SPECIAL: [u64; 18] = [
            0,
            1 << 63,
            0x3ff0_0000_0000_0000,
            0xbff0_0000_0000_0000,
            0x7ff0_0000_0000_0000,
            0xfff0_0000_0000_0000,
            0x7ff8_0000_0000_0001,
            0xfff8_0000_dead_beef,
            0x7ff0_0000_0000_0001,
            0xfff4_1234_5678_9abc,
            1,
            0x800f_ffff_ffff_ffff,
            0x7fef_ffff_ffff_ffff,
            0x0010_0000_0000_0000,
            0x43e0_0000_0000_0000,
            0xc3e0_0000_0000_0000,
            0x41e0_0000_0000_0000,
            0x4004_0000_0000_0000,
        ];
        match self.below(4) {
            0 => self.one_of(&SPECIAL),
            1 => self.word(),
            _ => (self.word() & 0x800f_ffff_ffff_ffff) | (1000 + self.below(66) as u64) << 52,
        }
    }

    /// A word of a vector: integers or floating-point numbers of either width.
    pub(crate) fn vector_word(&mut self) -> u64 {
        match self.below(4) {
            0 => self.integer(),
            1 => u64::from(self.single()) << 32 | u64::from(self.single()),
            2 => self.double(),
            _ => self.word(),
        }
    }
}
