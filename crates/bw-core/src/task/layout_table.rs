//! The table that tells readers of this process's memory where the fields of a task lie; see [`TaskLayout`].

use core::mem::{align_of, offset_of, size_of};
use core::sync::atomic::AtomicU32;

use crate::task::poll_record::PollRecord;
use crate::task::task_cell::TaskCell;
use crate::time::clock;
use crate::time::shared_cache_line::SHARED_CACHE_LINE;
use crate::time::stamp::Stamp;
use crate::trace::task_layout::TaskLayout;

/// [`TaskLayout`], with the clock's address as a pointer, behind magic and version.
#[repr(C)]
struct LayoutTable {
    magic: [u64; 2],
    version: u64,
    clock: &'static AtomicU32,
    offsets: [u64; TaskLayout::WORDS - 4],
}

/// An `Arc` points to two counters, and then comes the content.
const ARC: usize = (2 * size_of::<usize>()).next_multiple_of(align_of::<TaskCell>());

#[used]
static LAYOUT: LayoutTable = LayoutTable {
    magic: TaskLayout::MAGIC,
    version: TaskLayout::VERSION,
    clock: &SHARED_CACHE_LINE.tick,
    offsets: [
        1_000 * clock::RESOLUTION.as_secs() + clock::RESOLUTION.subsec_millis() as u64,
        (offset_of!(PollRecord, stamp) + offset_of!(Stamp, polls)) as u64,
        (offset_of!(PollRecord, stamp) + offset_of!(Stamp, tick)) as u64,
        offset_of!(PollRecord, id) as u64,
        offset_of!(PollRecord, cell) as u64,
        (ARC + offset_of!(TaskCell, id)) as u64,
        (ARC + offset_of!(TaskCell, name)) as u64,
        2 * size_of::<usize>() as u64,
        (ARC + offset_of!(TaskCell, spawned_at)) as u64,
        (ARC + offset_of!(TaskCell, type_name)) as u64,
        (ARC + offset_of!(TaskCell, born)) as u64,
        (ARC + offset_of!(TaskCell, wrapped_in)) as u64,
    ],
};

/// Keeps the table in programs that wrap a task: linkers drop what nothing refers to. Costs nothing.
#[inline]
pub(crate) fn keep() {
    core::hint::black_box(&LAYOUT);
}
