//! Symbolizes a file that may be anything, at every address that may be worth it. Shared with the fuzz target.

use std::path::{Path, PathBuf};

use bw_core::ReturnAddress;
use bw_dump::{BuildId, Module, ModuleMap};
use bw_symbolize::{PhysicalFrame, SymbolSources, Symbolizer};
use object::{Object, ObjectSegment, ObjectSymbol};

/// Addresses asked about at most: what a file costs is bounded for each of them.
const MAX_ADDRESSES: usize = 64;

/// Writes the bytes to a file, and symbolizes addresses in it as if it had been loaded. Nothing when it is no object.
pub(crate) fn everywhere(bytes: &[u8], path: &Path) -> Vec<std::sync::Arc<PhysicalFrame>> {
    let Some((map, addresses)) = module(bytes, path) else { return Vec::new() };
    std::fs::write(path, bytes).expect("a temporary file");
    let symbolizer = Symbolizer::for_modules(map, SymbolSources::new()).with_memory_limit(16 << 20);
    let frames = addresses.into_iter().map(|address| symbolizer.symbolize_address(address)).collect();
    for problem in symbolizer.problems() {
        assert!(!problem.to_string().is_empty());
    }
    frames
}

/// The module that a file would be, and addresses in it.
fn module(bytes: &[u8], path: &Path) -> Option<(ModuleMap, Vec<ReturnAddress>)> {
    const BIAS: u64 = 0x10_0000;
    let object = object::File::parse(bytes).ok()?;
    let segments = || object.segments().filter(|segment| segment.size() != 0);
    let start = segments().map(|segment| segment.address()).min()?;
    let end = segments().map(|segment| segment.address().saturating_add(segment.size())).max()?;
    let in_process = |svma: u64| svma.wrapping_add(BIAS);
    let build_id = object.build_id().ok().flatten().and_then(BuildId::from_bytes);
    let module = Module::new(PathBuf::from(path), in_process(start)..in_process(end), BIAS)?;
    let symbols = object.symbols().chain(object.dynamic_symbols());
    let of_symbols = symbols.take(1 << 12).map(|it| it.address().saturating_add(it.size() / 2));
    let spread = (0..16).map(|part| start.saturating_add((end - start) / 16 * part));
    let addresses = of_symbols
        .flat_map(|svma| [svma, svma.saturating_add(7)])
        .chain(spread)
        .filter_map(|svma| ReturnAddress::new(usize::try_from(in_process(svma).wrapping_add(1)).ok()?))
        .take(MAX_ADDRESSES)
        .collect();
    Some((ModuleMap::new(vec![module.with_build_id(build_id)]), addresses))
}
