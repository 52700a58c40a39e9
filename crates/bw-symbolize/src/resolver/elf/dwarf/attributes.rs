//! The few attributes that are read, from the many there are.

use gimli::{AttributeValue, DebugInfoOffset, RangeListsOffset, UnitOffset, UnitRef};

use crate::resolver::elf::dwarf::Reader;

/// What says which addresses an entry takes.
#[derive(Default)]
pub(super) struct Extent {
    low: Option<u64>,
    high: Option<u64>,
    size: Option<u64>,
    ranges: Option<RangeListsOffset>,
}

impl Extent {
    /// Takes note of one attribute, if it is one of those.
    #[inline]
    pub(super) fn note<'a>(
        &mut self,
        unit: UnitRef<'_, Reader<'a>>,
        attribute: &gimli::Attribute<Reader<'a>>,
    ) {
        match attribute.name() {
            gimli::DW_AT_low_pc => self.low = address(unit, attribute.value()),
            gimli::DW_AT_high_pc => match attribute.value() {
                AttributeValue::Udata(size) => self.size = Some(size),
                value => self.high = address(unit, value),
            },
            gimli::DW_AT_ranges => {
                self.ranges = unit.attr_ranges_offset(attribute.value()).ok().flatten();
            }
            _ => {}
        }
    }

    /// Calls `found(start, end)` for each stretch of addresses that is not empty, until it says stop with `false`.
    ///
    /// Every step takes one from `steps`, and ends early when none is left: many entries of a damaged file may refer
    /// to the same long list.
    pub(super) fn each(
        &self,
        unit: UnitRef<'_, Reader<'_>>,
        steps: &mut usize,
        mut found: impl FnMut(u64, u64) -> bool,
    ) {
        if let Some(offset) = self.ranges {
            let Ok(mut ranges) = unit.ranges(offset) else { return };
            while let Ok(Some(range)) = ranges.next() {
                let Some(left) = steps.checked_sub(1) else { return };
                *steps = left;
                if range.begin < range.end && !found(range.begin, range.end) {
                    return;
                }
            }
            return;
        }
        let Some(low) = self.low else { return };
        let high = self.high.or_else(|| low.checked_add(self.size?)).unwrap_or(low);
        if low < high {
            found(low, high);
        }
    }

    /// Whether the entry has an address.
    pub(super) fn contains(&self, unit: UnitRef<'_, Reader<'_>>, steps: &mut usize, svma: u64) -> bool {
        let mut contains = false;
        self.each(unit, steps, |start, end| {
            contains = start <= svma && svma < end;
            !contains
        });
        contains
    }
}

fn address<'a>(unit: UnitRef<'_, Reader<'a>>, value: AttributeValue<Reader<'a>>) -> Option<u64> {
    unit.attr_address(value).ok().flatten()
}

/// Where another entry is that an entry refers to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reference {
    /// In the same unit.
    Unit(UnitOffset),
    /// In any unit of the same file.
    File(DebugInfoOffset),
}

impl Reference {
    pub(super) fn new(value: AttributeValue<Reader<'_>>) -> Option<Self> {
        match value {
            AttributeValue::UnitRef(offset) => Some(Self::Unit(offset)),
            AttributeValue::DebugInfoRef(offset) => Some(Self::File(offset)),
            _ => None,
        }
    }
}

/// A small number, such as a line. `None` for zero, which means unknown, and for what is absurd.
pub(super) fn number(value: &AttributeValue<Reader<'_>>) -> Option<u32> {
    value.udata_value().and_then(|value| u32::try_from(value).ok()).filter(|&value| value != 0)
}

/// The number of a file in the line table. Before DWARF 5, zero means none.
pub(super) fn file_number(unit: UnitRef<'_, Reader<'_>>, value: &AttributeValue<Reader<'_>>) -> Option<u64> {
    let number = match value {
        AttributeValue::FileIndex(number) => *number,
        value => value.udata_value()?,
    };
    (number != 0 || unit.header.version() >= 5).then_some(number)
}
