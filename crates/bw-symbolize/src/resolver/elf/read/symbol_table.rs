//! Functions from the symbol table: what is left when debug information names nothing.

use object::{Architecture, Object, ObjectSection, ObjectSymbol, SymbolKind};

/// Function symbols by address.
pub(crate) struct SymbolTable<'a> {
    /// Sorted by address; at one address, the order in which they are tried.
    symbols: Vec<Symbol<'a>>,
}

struct Symbol<'a> {
    address: u64,
    /// Where it ends: the end of its section when the symbol does not say, as those of assembler code.
    end: u64,
    has_size: bool,
    is_global: bool,
    name: &'a [u8],
}

impl<'a> SymbolTable<'a> {
    /// Reads the first `.symtab` of these files that has any function, or `.dynsym` when all were stripped.
    pub(crate) fn new(objects: impl Iterator<Item = object::File<'a>>) -> Self {
        let objects: Vec<object::File<'a>> = objects.collect();
        let all = objects.iter().map(|object| functions(object, object.symbols()));
        let dynamic = objects.iter().map(|object| functions(object, object.dynamic_symbols()));
        Self::from_symbols(all.chain(dynamic).find(|symbols| !symbols.is_empty()).unwrap_or_default())
    }

    /// Bytes of memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.symbols.capacity() * size_of::<Symbol<'a>>()
    }

    fn from_symbols(mut symbols: Vec<Symbol<'a>>) -> Self {
        // Of aliases, the one with a size and seen by others first; the rest of the key keeps runs equal.
        symbols.sort_by(|a, b| {
            let key =
                |symbol: &Symbol<'a>| (symbol.address, !symbol.has_size, !symbol.is_global, symbol.name);
            key(a).cmp(&key(b))
        });
        Self { symbols }
    }

    /// The linkage name of the function that holds an address in the file (an SVMA).
    pub(crate) fn find(&self, svma: u64) -> Option<&'a [u8]> {
        let before = &self.symbols[..self.symbols.partition_point(|symbol| symbol.address <= svma)];
        let start = before.last()?.address;
        let aliases = &before[before.partition_point(|symbol| symbol.address < start)..];
        aliases.iter().find(|symbol| svma < symbol.end).map(|symbol| symbol.name)
    }
}

fn functions<'a, 'f>(
    object: &object::File<'a>,
    symbols: impl Iterator<Item = object::Symbol<'a, 'f>>,
) -> Vec<Symbol<'a>>
where
    'a: 'f,
{
    // The lowest bit of a 32-bit ARM function says Thumb; it is no part of the address.
    let address_bits = if object.architecture() == Architecture::Arm { !1 } else { !0 };
    symbols
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
        .filter_map(|symbol| {
            let name = symbol.name_bytes().ok().filter(|name| !name.is_empty())?;
            let address = symbol.address() & address_bits;
            let has_size = symbol.size() != 0;
            let size = if has_size { symbol.size() } else { to_end_of_section(object, &symbol).unwrap_or(0) };
            let end = address.saturating_add(size);
            Some(Symbol { address, end, has_size, is_global: symbol.is_global(), name })
        })
        .collect()
}

fn to_end_of_section<'a>(object: &object::File<'a>, symbol: &object::Symbol<'a, '_>) -> Option<u64> {
    let section = object.section_by_index(symbol.section_index()?).ok()?;
    section.address().checked_add(section.size())?.checked_sub(symbol.address())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A symbol of a section that ends at 40. One that has no size is given as 0.
    fn symbol(address: u64, size: u64, name: &str) -> Symbol<'_> {
        let has_size = size != 0;
        let end = if has_size { address + size } else { 40 };
        let is_global = name.starts_with(char::is_uppercase);
        Symbol { address, end, has_size, is_global, name: name.as_bytes() }
    }

    fn table() -> SymbolTable<'static> {
        SymbolTable::from_symbols(vec![
            symbol(30, 0, "assembler"),
            symbol(10, 5, "local"),
            symbol(10, 5, "Global"),
            symbol(10, 0, "label"),
            symbol(20, 5, "second"),
        ])
    }

    #[test]
    fn a_symbol_holds_its_size() {
        let table = table();
        assert_eq!(table.find(9), None);
        assert_eq!(table.find(10), Some(&b"Global"[..]));
        assert_eq!(table.find(14), Some(&b"Global"[..]));
        assert_eq!(table.find(20), Some(&b"second"[..]));
        assert_eq!(table.find(25), None);
        assert_eq!(table.find(26), None);
    }

    #[test]
    fn a_symbol_without_size_reaches_to_the_next_or_to_the_end_of_its_section() {
        assert_eq!(table().find(17), Some(&b"label"[..]));
        assert_eq!(table().find(39), Some(&b"assembler"[..]));
        assert_eq!(table().find(40), None);
    }

    #[test]
    fn an_empty_table_holds_nothing() {
        assert_eq!(SymbolTable::from_symbols(Vec::new()).find(u64::MAX), None);
    }
}
