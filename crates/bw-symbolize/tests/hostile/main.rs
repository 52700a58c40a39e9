//! Files that somebody made to do harm, or that fuzzing found: each ends in frames or none, within bounds.
//!
//! `found/` holds what fuzzing found, small, one file for each mistake.

mod ask;

use std::path::Path;
use std::process::Command;

fn temporary(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn what_fuzzing_found_stays_mended() {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/found");
    for entry in std::fs::read_dir(found).expect("a folder") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a file");
        ask::everywhere(&bytes, &temporary("found.so"));
    }
}

/// A library with a function whose name is so many bytes, and a control character where C allows it.
fn library(name: &str, source: &str, flags: &[&str]) -> Option<Vec<u8>> {
    let (source_file, out) = (temporary(&format!("{name}.s")), temporary(&format!("{name}.so")));
    std::fs::write(&source_file, source).expect("a temporary file");
    let compiler = Command::new("cc")
        .args(["-shared", "-nostdlib", "-o"])
        .arg(&out)
        .arg(&source_file)
        .args(flags)
        .output();
    let Ok(done) = compiler else {
        println!("skipped: no C compiler `cc` is installed");
        return None;
    };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(std::fs::read(out).expect("just made"))
}

fn function(symbol: &str) -> String {
    format!(
        ".text\n.globl \"{symbol}\"\n.type \"{symbol}\", @function\n\"{symbol}\":\n nop\n nop\n ret\n\
         .size \"{symbol}\", .-\"{symbol}\"\n"
    )
}

#[test]
fn a_name_of_a_megabyte_is_a_name() {
    for symbol in ["x".repeat(1 << 20), format!("_ZN{}x17h0123456789abcdefE", "4core".repeat(1 << 17))] {
        let Some(bytes) = library("megabyte", &function(&symbol), &[]) else { return };
        let frames = ask::everywhere(&bytes, &temporary("megabyte-asked.so"));
        let longest =
            frames.iter().flat_map(|frame| &frame.frames).filter_map(|frame| frame.function.as_ref());
        assert!(longest.map(|function| function.path.len()).max().is_some_and(|bytes| bytes >= 1 << 19));
    }
}

#[test]
fn a_name_with_control_characters_comes_out_as_it_is_for_renderers_to_escape() {
    let Some(bytes) = library("control", &function("red\u{1b}[31m"), &[]) else { return };
    let frames = ask::everywhere(&bytes, &temporary("control-asked.so"));
    let mut names = frames.iter().flat_map(|frame| &frame.frames).filter_map(|frame| frame.function.as_ref());
    assert!(names.any(|function| *function.path == *"red\u{1b}[31m"), "{frames:?}");
}
