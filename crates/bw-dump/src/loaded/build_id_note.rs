//! Finds the build id among the notes of a module.

/// The type of the GNU note that holds a build id (`NT_GNU_BUILD_ID`, from the gABI supplement of GNU).
const NT_GNU_BUILD_ID: u32 = 3;

/// Finds the build id in the bytes of a `PT_NOTE` segment, in the byte order of this machine.
///
/// `align` is the segment's: names and descriptors are padded to 4, or to 8 where the segment says so.
pub(super) fn find(mut notes: &[u8], align: usize) -> Option<&[u8]> {
    let align = if align == 8 { 8 } else { 4 };
    loop {
        let (&name_size, rest) = notes.split_first_chunk::<4>()?;
        let (&description_size, rest) = rest.split_first_chunk::<4>()?;
        let (&kind, _) = rest.split_first_chunk::<4>()?;
        let name_size = usize::try_from(u32::from_ne_bytes(name_size)).ok()?;
        let description_size = usize::try_from(u32::from_ne_bytes(description_size)).ok()?;
        let name = notes.get(12..12usize.checked_add(name_size)?)?;
        let description_start = (12 + name_size).checked_next_multiple_of(align)?;
        let description_end = description_start.checked_add(description_size)?;
        let description = notes.get(description_start..description_end)?;
        if u32::from_ne_bytes(kind) == NT_GNU_BUILD_ID && name == b"GNU\0" && !description.is_empty() {
            return Some(description);
        }
        notes = notes.get(description_end.checked_next_multiple_of(align)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: u32, name: &[u8], description: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [u32::try_from(name.len()).unwrap(), u32::try_from(description.len()).unwrap(), kind] {
            bytes.extend(number.to_ne_bytes());
        }
        for part in [name, description] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let notes =
            [note(1, b"GNU\0", &[1; 16]), note(3, b"Go\0", b"abc"), note(3, b"GNU\0", &[7; 20])].concat();
        assert_eq!(find(&notes, 4), Some(&[7; 20][..]));
    }

    #[test]
    fn damaged_notes_have_none() {
        assert_eq!(find(&[], 4), None);
        assert_eq!(find(&[0; 11], 4), None);
        assert_eq!(find(&[0xff; 64], 4), None);
        let whole = note(3, b"GNU\0", &[7; 20]);
        for length in 0..whole.len() {
            assert_eq!(find(&whole[..length], 4), None);
        }
    }
}
