//! Functions that a module exports, found by name through the hash table that loaders use (`DT_GNU_HASH`). It is mapped with the module.

use object::LittleEndian;
use object::elf::{DT_GNU_HASH, DT_STRTAB, DT_SYMTAB, FileHeader64, PT_DYNAMIC};
use object::pod;
use object::read::elf::{FileHeader as _, ProgramHeader as _};

use super::memory::{Memory, Unreadable};
use super::modules::LoadedModule;
use super::words::{bytes_at, word_at, words_of};

/// Bytes of the start of a module in which its headers are.
const HEADER_BYTES: usize = 4096;
/// Entries of a dynamic section that are looked at.
const MOST_ENTRIES: usize = 256;
/// Symbols with one hash that are looked at.
const MOST_CHAINED: u32 = 1024;
/// Bytes of an entry of the symbol table.
const SYMBOL_BYTES: u64 = 24;
/// The type of a symbol that is a function.
const FUNCTION: u64 = 2;

/// The tables of a module by which it exports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExportedFunctions {
    bias: u64,
    hashes: u64,
    names: u64,
    symbols: u64,
}

impl ExportedFunctions {
    /// Reads where the tables are. `None` if the module exports nothing.
    pub(crate) fn of(memory: &dyn Memory, module: &LoadedModule) -> Option<Self> {
        let (range, bias) = (module.module().range(), module.module().bias());
        let bytes = bytes_at(memory, range.start, HEADER_BYTES).ok()?;
        let (elf, _) = pod::from_bytes::<FileHeader64<LittleEndian>>(&bytes).ok()?;
        let headers = elf.program_headers(LittleEndian, &*bytes).ok()?;
        let dynamic = headers.iter().find(|header| header.p_type(LittleEndian) == PT_DYNAMIC)?;
        let length = usize::try_from(dynamic.p_memsz(LittleEndian)).ok()?.min(MOST_ENTRIES * 16);
        let bytes = bytes_at(memory, dynamic.p_vaddr(LittleEndian).wrapping_add(bias), length).ok()?;
        let entries: Vec<u64> = words_of(&bytes).collect();
        let entry = |tag: object::elf::DynamicTag| {
            let tag = tag.0.cast_unsigned();
            let value = entries.as_chunks::<2>().0.iter().find(|entry| entry[0] == tag)?[1];
            // The loader of glibc has added the bias already, others have not.
            Some(if range.contains(&value) { value } else { value.wrapping_add(bias) })
        };
        Some(Self { bias, hashes: entry(DT_GNU_HASH)?, names: entry(DT_STRTAB)?, symbols: entry(DT_SYMTAB)? })
    }

    /// Returns the address of a function. Reads a few words.
    pub(crate) fn find(&self, memory: &dyn Memory, name: &str) -> Option<u64> {
        let number = |at: u64| half_word(memory, at);
        let [buckets, first, filter_words] =
            [0, 4, 8].map(|at| number(self.hashes.wrapping_add(at)).unwrap_or(0));
        let hash = hash(name);
        let lists = self.hashes.wrapping_add(16).wrapping_add(u64::from(filter_words) * 8);
        let chains = lists.wrapping_add(u64::from(buckets) * 4);
        let bucket = u64::from(hash.checked_rem(buckets)?);
        let start = number(lists.wrapping_add(bucket * 4)).ok()?;
        for index in start..start.saturating_add(MOST_CHAINED) {
            let place = u64::from(index.checked_sub(first)?) * 4;
            let of_symbol = number(chains.wrapping_add(place)).ok()?;
            if of_symbol | 1 == hash | 1
                && let Some(address) = self.symbol(memory, index, name)
            {
                return Some(address);
            }
            // The last one of its list.
            if of_symbol & 1 == 1 {
                break;
            }
        }
        None
    }

    /// The address of a symbol, if it is a function of this name that is defined here.
    fn symbol(&self, memory: &dyn Memory, index: u32, name: &str) -> Option<u64> {
        let at = self.symbols.wrapping_add(u64::from(index) * SYMBOL_BYTES);
        // The offset of the name in 32 bits, the type in 4, two sizes of no interest, and the section in the last 16.
        let word = word_at(memory, at).ok()?;
        let (kind, section) = ((word >> 32) & 0xf, word >> 48);
        let text = bytes_at(memory, self.names.wrapping_add(word & 0xffff_ffff), name.len() + 1).ok()?;
        if kind != FUNCTION || section == 0 || text.strip_suffix(&[0]) != Some(name.as_bytes()) {
            return None;
        }
        Some(word_at(memory, at.wrapping_add(8)).ok()?.wrapping_add(self.bias))
    }
}

fn half_word(memory: &dyn Memory, address: u64) -> Result<u32, Unreadable> {
    let mut bytes = [0; 4];
    memory.read(address, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// The hash of a name in such a table.
fn hash(name: &str) -> u32 {
    name.bytes().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_another_hash_than_loaders_compute() {
        // From the description of the format.
        for (name, expected) in [("", 0x1505), ("printf", 0x156b_2bb8), ("exit", 0x7c96_7e3f)] {
            assert_eq!(hash(name), expected, "{name}");
        }
    }
}
