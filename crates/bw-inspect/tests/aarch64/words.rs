//! Random words of every group of the encoding.

use super::operands::Random;

/// Patterns of words: `x` is any bit. Memory operands are relative to `x20`, which is in bits 5 to 9, by less than the data has bytes;
/// jumps stay within the code.
const PATTERNS: &[&str] = &[
    // Data processing with an immediate.
    "xxx10000xxxxxxxxxxxxxxxxxxxxxxxx",
    "xxx100010xxxxxxxxxxxxxxxxxxxxxxx",
    "xxx100100xxxxxxxxxxxxxxxxxxxxxxx",
    "xxx100101xxxxxxxxxxxxxxxxxxxxxxx",
    "xxx100110xxxxxxxxxxxxxxxxxxxxxxx",
    "xxx100111xxxxxxxxxxxxxxxxxxxxxxx",
    // Jumps.
    "x001010000000000000000xxxxxxxxxx",
    "x001011111111111111111xxxxxxxxxx",
    "010101000000000000xxxxxxxxx0xxxx",
    "x011010x0000000000xxxxxxxxxxxxxx",
    "x011011xxxxxx0000xxxxxxxxxxxxxxx",
    "x011011xxxxxx1111xxxxxxxxxxxxxxx",
    "11010110000111110000001010000000",
    "11010110001111110000001010000000",
    "11010110010111110000001010000000",
    // The condition flags as a register; nothing; barriers.
    "1101010100x110110100001000000xxx",
    "11010101000000110010000000x11111",
    "110101010000001100111xxx1x111111",
    // Data processing with registers.
    "xxx01010xxxxxxxxxxxxxxxxxxxxxxxx",
    "xxx01011xxxxxxxxxxxxxxxxxxxxxxxx",
    "xxx11010000xxxxx000000xxxxxxxxxx",
    "xxx11010010xxxxxxxxxxxxxxxxxxxxx",
    "xxx11010100xxxxxxxxxxxxxxxxxxxxx",
    "x0011010110xxxxx000xxxxxxxxxxxxx",
    "x0011010110xxxxx010xxxxxxxxxxxxx",
    "x101101011000000000xxxxxxxxxxxxx",
    "xxx11011xxxxxxxxxxxxxxxxxxxxxxxx",
    // Loads and stores.
    "xx111x01xx000000xxxxxx10100xxxxx",
    "xx111x00xx0xxxxxxxxxxx10100xxxxx",
    "xx111x00xx110101xxxx1010100xxxxx",
    "xx111000xx1xxxxxxxxx0010100xxxxx",
    "11111000101111111100001010xxxxxx",
    "xx101x0xxxxxxxxxxxxxxx10100xxxxx",
    "xx011x000000000000000xxxxxxxxxxx",
    "xx0010000xxxxxxxxxxxxx10100xxxxx",
    "xx0010001x0xxxxxxxxxxx10100xxxxx",
    "xx0010001x1xxxxxx1111110100xxxxx",
    "xx011001xx0xxxxxxxxx0010100xxxxx",
    "0x0011000x000000xxxxxx10100xxxxx",
    "0x0011001x0xxxxxxxxxxx10100xxxxx",
    "0x0011010xx00000xxxxxx10100xxxxx",
    "0x0011011xxxxxxxxxxxxx10100xxxxx",
    // Scalar floating point.
    "x0011110xx1xxxxxxxxxxxxxxxxxxxxx",
    "x0011110xx1xxxxx000000xxxxxxxxxx",
    "x0011110xx1xxxxxx10000xxxxxxxxxx",
    "x0011110xx1xxxxxxx1000xxxxxxx000",
    "x0011110xx1xxxxxxxx10000000xxxxx",
    "x0011110xx0xxxxxxxxxxxxxxxxxxxxx",
    "000111100x1xxxxxxxxx10xxxxxxxxxx",
    "000111100x1xxxxxx10000xxxxxxxxxx",
    "000111110xxxxxxxxxxxxxxxxxxxxxxx",
    "x0011111xxxxxxxxxxxxxxxxxxxxxxxx",
    // Vectors.
    "0xx01110xx1xxxxxxxxxx1xxxxxxxxxx",
    "01x11110xx1xxxxxxxxxx1xxxxxxxxxx",
    "0xx01110xx1xxxxxxxxx00xxxxxxxxxx",
    "0xx01110xx10000xxxxx10xxxxxxxxxx",
    "01x11110xx10000xxxxx10xxxxxxxxxx",
    "0xx01110xx11000xxxxx10xxxxxxxxxx",
    "01x11110xx11000xxxxx10xxxxxxxxxx",
    "0xx01110000xxxxx0xxxx1xxxxxxxxxx",
    "01011110000xxxxx000001xxxxxxxxxx",
    "0xx01110xx0xxxxx0xxx10xxxxxxxxxx",
    "0x001110000xxxxx0xxx00xxxxxxxxxx",
    "0x101110000xxxxx0xxxx0xxxxxxxxxx",
    "0xx01110100xxxxx100101xxxxxxxxxx",
    "0xx0111100000xxxxxxx01xxxxxxxxxx",
    "0xx011110xxxxxxxxxxxx1xxxxxxxxxx",
    "01x111110xxxxxxxxxxxx1xxxxxxxxxx",
    "0xx01111xxxxxxxxxxxxx0xxxxxxxxxx",
    "01x11111xxxxxxxxxxxxx0xxxxxxxxxx",
];

/// A word of each pattern in turn, `rounds` times.
pub(crate) fn all(rounds: usize) -> impl Iterator<Item = u32> {
    let mut random = Random::new(7);
    PATTERNS.iter().flat_map(move |pattern| std::iter::repeat_n(*pattern, rounds)).map(move |pattern| {
        let any = random.word() as u32;
        assert_eq!(pattern.len(), 32, "{pattern}");
        let word = pattern.bytes().zip((0..32).rev()).fold(0, |word, (letter, bit)| match letter {
            b'0' => word,
            b'1' => word | 1 << bit,
            _ => word | any & 1 << bit,
        });
        // The stack pointer is an address, too.
        let is_relative = pattern.get(22..27) == Some("10100") && &pattern[22..32] != "1010000000";
        if is_relative && random.below(8) == 0 { word | 31 << 5 } else { word }
    })
}

/// What has to be executed in front of a word: an exclusive store fails without an exclusive load.
pub(crate) fn prefix(word: u32) -> Option<u32> {
    let is_pair = word >> 21 & 1 == 1;
    // Pairs of bytes and halfwords are no stores, but `casp`.
    let is_exclusive_store = word & 0x3fc0_0000 == 0x0800_0000 && (!is_pair || word >> 31 == 1);
    let second = if is_pair { 23 } else { 31 };
    // Size and pair as the store, status 31, the address in the same register, to x22 and x23.
    is_exclusive_store.then(|| word & 0xc020_03e0 | 0x085f_0000 | second << 10 | 22)
}
