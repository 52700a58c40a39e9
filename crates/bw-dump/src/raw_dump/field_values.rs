//! The values of fields that JSON has no type for: addresses, spans of time and paths.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::build_id::bytes_of_hex;

/// An address: `"0x1f"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address(pub(super) u64);

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // By hand: formatting machinery takes most of the time of writing a stack.
        let mut text = [b'0'; 18];
        let mut at = text.len();
        let mut rest = self.0;
        loop {
            at -= 1;
            text[at] = b"0123456789abcdef"[(rest & 0xf) as usize];
            rest >>= 4;
            if rest == 0 {
                break;
            }
        }
        text[at - 1] = b'x';
        let text = std::str::from_utf8(&text[at - 2..]).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hexadecimal;
        impl Visitor<'_> for Hexadecimal {
            type Value = Address;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address: \"0x\" and one to sixteen hexadecimal digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Address, E> {
                let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+'));
                let number = digits.filter(|digits| digits.len() <= 16);
                let number = number.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                number.map(Address).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Hexadecimal)
    }
}

/// Returns whole nanoseconds, at most 584 years.
pub(super) fn whole_nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns a path as people read it. Where that text is not the whole path, its bytes follow as hexadecimal digits.
pub(super) fn path_fields(path: &Path) -> (Cow<'_, str>, Option<String>) {
    let text = path.to_string_lossy();
    let hex = path.to_str().is_none().then(|| {
        path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    (text, hex)
}

/// Returns the path of these two fields.
pub(super) fn path_from_fields(text: String, hex: Option<&str>) -> Result<PathBuf, String> {
    let Some(hex) = hex else { return Ok(text.into()) };
    let bytes = bytes_of_hex(hex).ok_or("is not hexadecimal digits in pairs")?;
    #[cfg(unix)]
    return Ok(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into());
    // Elsewhere paths are no bytes; what people read has to do.
    #[cfg(not(unix))]
    {
        drop(bytes);
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<u64> {
        serde_json::from_str::<Address>(&format!("\"{text}\"")).ok().map(|address| address.0)
    }

    #[test]
    fn addresses_are_written_and_read() {
        for (number, text) in [
            (0, "0x0"),
            (0xf, "0xf"),
            (0x10, "0x10"),
            (0xabc_def0, "0xabcdef0"),
            (u64::MAX, "0xffffffffffffffff"),
        ] {
            assert_eq!(serde_json::to_string(&Address(number)).unwrap(), format!("\"{text}\""));
            assert_eq!(read(text), Some(number));
        }
        assert_eq!(read("0xABC"), Some(0xabc));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "0x",
            "12",
            "0x+1",
            "0x-1",
            "0x1g",
            "0X1",
            " 0x1",
            "0x1 ",
            "0x10000000000000000",
            "0x00000000000000001",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(serde_json::from_str::<Address>("16").is_err());
    }

    #[test]
    #[cfg(unix)]
    fn paths_that_are_not_utf8_survive() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/srv/\xff\n/shop"));
        let (text, hex) = path_fields(path);
        assert_eq!(text, "/srv/\u{fffd}\n/shop");
        assert_eq!(path_from_fields(text.into_owned(), hex.as_deref()).unwrap(), path);
        assert_eq!(path_fields(Path::new("/é")), ("/é".into(), None));
        assert!(path_from_fields(String::new(), Some("f")).is_err());
    }
}
