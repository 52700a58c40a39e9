//! Numbers, and what to write instead of what is none.

use std::num::NonZeroU64;

/// A number of bytes. Units are none of it, as nobody knows whether a thousand or 1,024 is meant.
pub(crate) fn bytes(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&bytes| bytes > 0);
    number.ok_or_else(|| format!("{text} is not a number of bytes from 1: write 10000000 for 10 MB"))
}

/// How often something is done.
pub(crate) fn times(text: &str) -> Result<NonZeroU64, String> {
    text.parse().map_err(|_| format!("{text} is not a number from 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_what_only_looks_like_one() {
        assert_eq!(bytes("10000000"), Ok(10_000_000));
        assert_eq!(times("3").map(NonZeroU64::get), Ok(3));
        for text in ["10MB", "1e6", "-1", "0", "", "99999999999999999999999"] {
            let message = bytes(text).unwrap_err();
            assert!(message.contains("is not a number of bytes from 1: write 10000000"), "{text}: {message}");
        }
        for text in ["0", "-1", "two", "", "99999999999999999999999"] {
            let message = times(text).unwrap_err();
            assert!(message.contains("is not a number from 1"), "{text}: {message}");
        }
    }
}
