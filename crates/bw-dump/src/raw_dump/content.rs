//! What a file is, by its first bytes.

use std::borrow::Cow;

use super::error::harmless;

/// Bytes of a file that tell what it is.
pub(super) const HEAD_BYTES: usize = 32;

/// A way of compressing files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compression {
    pub(super) name: &'static str,
    /// What decompresses such a file.
    pub(super) command: &'static str,
}

/// That of core files and others that are no raw dumps. Of raw dumps, the reader decompresses it.
pub(super) const GZIP: Compression = Compression { name: "gzip", command: "gunzip" };

/// The first bytes of compressed files.
const MAGICS: [(&[u8], Compression); 5] = [
    (b"\x28\xb5\x2f\xfd", Compression { name: "zstd", command: "zstd -d" }),
    (b"\xfd7zXZ\x00", Compression { name: "xz", command: "unxz" }),
    (b"\x04\x22\x4d\x18", Compression { name: "lz4", command: "lz4 -d" }),
    (b"BZh", Compression { name: "bzip2", command: "bunzip2" }),
    (b"PK\x03\x04", Compression { name: "zip", command: "unzip" }),
];

/// How a file is compressed, apart from gzip. `None` if it is not.
pub(super) fn compression(head: &[u8]) -> Option<Compression> {
    MAGICS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, compression)| *compression)
}

/// Whether it is a program, a library or a core file.
pub(super) fn is_elf(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF")
}

/// Says what a file is that is no raw dump.
pub(super) fn describe(head: &[u8]) -> Cow<'static, str> {
    if is_elf(head) {
        return "it is an ELF file, such as a program, a library or a core file".into();
    }
    let head = head.get(..HEAD_BYTES.min(head.len())).unwrap_or_default();
    // A character may be cut at the end.
    let text = match str::from_utf8(head) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => str::from_utf8(&head[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    match text.map(|text| text.lines().next().unwrap_or_default()) {
        Some(text) if !text.contains(|letter: char| letter.is_control()) => {
            format!("it is not a JSON object; it begins with \"{}\"", harmless(text)).into()
        }
        _ => {
            let bytes: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("it is not a JSON object; it begins with the bytes {}", bytes.join(" ")).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_told() {
        for (head, found) in [
            (&b"root:x:0:0\nbin"[..], "it is not a JSON object; it begins with \"root:x:0:0\""),
            (b"\x7fELF\x02\x01", "it is an ELF file, such as a program, a library or a core file"),
            (
                b"\xde\xad\xbe\xef123456789",
                "it is not a JSON object; it begins with the bytes de ad be ef 31 32 33 34",
            ),
            (b"a\x1b[31m", "it is not a JSON object; it begins with the bytes 61 1b 5b 33 31 6d"),
            ("äé".as_bytes(), "it is not a JSON object; it begins with \"äé\""),
            (&"äé".as_bytes()[..3], "it is not a JSON object; it begins with \"ä\""),
        ] {
            assert_eq!(describe(head), found);
        }
    }
}
