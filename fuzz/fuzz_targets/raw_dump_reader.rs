//! Any bytes as a raw dump file: read, written again, symbolized with nothing at hand, and printed in every form.
//!
//! Nothing may panic, hang or take much memory; what is read must come back when it is written; and nothing that a terminal
//! obeys may be printed.
#![no_main]

use std::fmt::{self, Write};

use bw_dump::{RawDumpFile, RawDumpReader};
use bw_render::{Detail, DumpText, Glyphs, TaskTrees, Text};
use bw_symbolize::{SymbolSources, Symbolizer};
use libfuzzer_sys::fuzz_target;

/// Takes text, keeps none of it, and looks at every character.
struct Terminal;

impl Write for Terminal {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        assert!(!text.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{text:?}");
        Ok(())
    }
}

fn print(text: impl fmt::Display) {
    write!(Terminal, "{text}").expect("the terminal takes everything");
}

fn written(file: &RawDumpFile<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.write(&mut bytes).expect("memory takes everything");
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let reader = RawDumpReader::new().most_bytes(1 << 20).most_addresses(1 << 13);
    let file = match reader.read(bytes) {
        Ok(file) => file,
        Err(error) => return print(error),
    };
    // Traces that no task has are not written, so the first time something may go; then nothing changes.
    let once = written(&file);
    let again = RawDumpFile::read(&*once).expect("what was written is read");
    assert!(written(&again) == once, "what was read is written otherwise");

    let symbolizer = Symbolizer::for_modules(file.modules().clone(), SymbolSources::none());
    let trees = TaskTrees::trees(file.dump(), &symbolizer.symbolize_all(file.dump()));
    let trees = TaskTrees::new(file.dump(), &trees);
    for text in [Text::new(), Text::new().detail(Detail::Full).glyphs(Glyphs::Ascii)] {
        let text = DumpText::new(text);
        print(text.grouped(trees));
        print(text.full(trees));
        print(text.tree(trees));
    }
    print(trees.to_json(false));
    print(trees.folded(Detail::User));
    print(trees.folded(Detail::Full));
    print(trees.since(&trees, &Text::new()));
    for problem in symbolizer.problems() {
        assert!(!problem.to_string().is_empty());
    }
});
