//! Where the fields of a traced task lie in memory, for those who read the memory of another process.
//!
//! A program that traces tasks has one table of offsets among its constants with addresses (`.data.rel.ro`), so it is there in a stripped
//! program and in a core file. It begins with [`TaskLayout::MAGIC`], and is a number of 64-bit words in the order of the fields of
//! [`TaskLayout`]. Later versions may add words at the end; the version changes if the meaning of one changes.

/// Where the fields of a traced task lie: offsets in bytes, unless it says otherwise. Only of 64-bit processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
#[non_exhaustive]
pub struct TaskLayout {
    /// The address of the clock, a number of 32 bits: how many ticks have begun. 0 if it stands still.
    pub clock: u64,
    /// Milliseconds of a tick.
    pub tick_millis: u64,
    /// In the wrapper, which is in front of the future: how many polls have returned, 32 bits.
    pub polls: u64,
    /// In the wrapper: the tick of the last poll, 32 bits; 0 before one has returned.
    pub last_poll: u64,
    /// In the wrapper: the task's id.
    pub id: u64,
    /// In the wrapper: the address of what the task shares. The other offsets begin there.
    pub shared: u64,
    /// The task's id again.
    pub shared_id: u64,
    /// The name: 0 and the address and length of a constant; or 1, the address of an `Arc<str>`, and the length; or another number for
    /// none.
    pub name: u64,
    /// From what an `Arc` points to, to its content.
    pub arc: u64,
    /// The address of the location that it was wrapped at: address and length of the file's name, and the 32-bit numbers of line and
    /// column.
    pub spawned_at: u64,
    /// Address and length of the name of the future's type.
    pub type_name: u64,
    /// The tick at which it was wrapped, 32 bits.
    pub born: u64,
    /// The id of the task in whose poll it was wrapped, or 0.
    pub wrapped_in: u64,
}

impl TaskLayout {
    /// The first two words of the table.
    pub const MAGIC: [u64; 2] = [u64::from_le_bytes(*b"backtrac"), u64::from_le_bytes(*b"e-waker\n")];
    /// The third word.
    pub const VERSION: u64 = 1;
    /// Words of a table of this version, with magic and version.
    pub const WORDS: usize = 16;

    /// Reads a table. `None` if the words do not begin with one, or if it is of another version; see [`version`](Self::version).
    #[must_use]
    pub fn parse(words: &[u64]) -> Option<Self> {
        if Self::version(words)? != Self::VERSION {
            return None;
        }
        let (_, words) = words.split_first_chunk::<3>()?;
        let &[
            clock,
            tick_millis,
            polls,
            last_poll,
            id,
            shared,
            shared_id,
            name,
            arc,
            spawned_at,
            type_name,
            born,
            wrapped_in,
        ] = words.first_chunk()?;
        Some(Self {
            clock,
            tick_millis,
            polls,
            last_poll,
            id,
            shared,
            shared_id,
            name,
            arc,
            spawned_at,
            type_name,
            born,
            wrapped_in,
        })
    }

    /// The version of the table that the words begin with, if they begin with one.
    #[must_use]
    pub fn version(words: &[u64]) -> Option<u64> {
        let (magic, rest) = words.split_first_chunk::<2>()?;
        (*magic == Self::MAGIC).then(|| rest.first().copied())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_no_table_of_this_version_are_read_as_one() {
        let mut words: Vec<u64> =
            TaskLayout::MAGIC.into_iter().chain([TaskLayout::VERSION]).chain(100..113).collect();
        assert_eq!(words.len(), TaskLayout::WORDS);
        let layout = TaskLayout::parse(&words).unwrap();
        assert_eq!((layout.clock, layout.shared, layout.wrapped_in), (100, 105, 112));
        words.push(7);
        assert_eq!(TaskLayout::parse(&words), Some(layout), "later words are for later readers");
        assert_eq!(TaskLayout::parse(&words[..15]), None);
        words[2] += 1;
        assert_eq!(
            (TaskLayout::parse(&words), TaskLayout::version(&words)),
            (None, Some(TaskLayout::VERSION + 1))
        );
        words[1] += 1;
        assert_eq!(TaskLayout::version(&words), None);
    }
}
