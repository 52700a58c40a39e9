//! Numbers, times and paths, as they stand in the file.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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

/// A moment as RFC 3339. Those that format has no room for, before 1970 and after 9999, become the next that it has.
pub(super) fn of_time(time: SystemTime) -> String {
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(LAST);
    humantime::format_rfc3339_nanos(SystemTime::UNIX_EPOCH + since).to_string()
}

/// The moment that a text stands for.
pub(super) fn to_time(text: &str) -> Result<SystemTime, String> {
    humantime::parse_rfc3339(text)
        .map_err(|error| format!("{text:?} is no time such as 2026-09-21T14:13:20.123Z: {error}"))
}

/// Whole nanoseconds, at most 584 years.
pub(super) fn of_span(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// A path as people read it, and, where that is not all of it, its bytes as hexadecimal digits.
pub(super) fn of_path(path: &Path) -> (Cow<'_, str>, Option<String>) {
    let text = path.to_string_lossy();
    let hex = path.to_str().is_none().then(|| {
        path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    (text, hex)
}

/// The path of a text and its bytes, if those were written as well.
pub(super) fn to_path(text: String, hex: Option<&str>) -> Result<PathBuf, String> {
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
    fn times_the_format_has_no_room_for_become_the_next_it_has() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(of_time(before), "1970-01-01T00:00:00.000000000Z");
        let after = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(of_time(after), "9999-12-31T23:59:59.000000000Z");
        let moment = SystemTime::UNIX_EPOCH + Duration::new(1_790_000_000, 123_456_789);
        assert_eq!(to_time(&of_time(moment)), Ok(moment));
        for text in
            ["", "yesterday", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00+01:00"]
        {
            assert!(to_time(text).is_err(), "{text}");
        }
        assert_eq!(of_time(to_time("9999-12-31T23:59:60Z").unwrap()), "9999-12-31T23:59:59.000000000Z");
    }

    #[test]
    #[cfg(unix)]
    fn paths_that_are_not_utf8_survive() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/srv/\xff\n/shop"));
        let (text, hex) = of_path(path);
        assert_eq!(text, "/srv/\u{fffd}\n/shop");
        assert_eq!(to_path(text.into_owned(), hex.as_deref()).unwrap(), path);
        assert_eq!(of_path(Path::new("/é")), ("/é".into(), None));
        assert!(to_path(String::new(), Some("f")).is_err());
    }
}
