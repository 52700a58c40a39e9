//! How much of what is printed names the program's own functions.

use std::process::Command;

use crate::harness::PRINTED;

/// Runs the other tests of this program once more, and counts the lines of all trees that they print.
#[test]
fn most_lines_name_functions_of_the_program() {
    let file = std::env::temp_dir().join(format!("printed-by-accuracy-{}", std::process::id()));
    let output = Command::new(std::env::current_exe().expect("this program has a file"))
        .args(["--skip", "share::", "--skip", "blocked::"])
        .env(PRINTED, &file)
        .output()
        .expect("it runs once more");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let printed = std::fs::read_to_string(&file).expect("the tests print");
    std::fs::remove_file(&file).expect("the file is ours");
    let lines: Vec<_> =
        printed.lines().filter_map(|line| line.split_once('╼')).map(|(_, line)| line).collect();
    assert!(lines.len() > 500, "{} lines", lines.len());
    let own = lines.iter().filter(|line| names_own_function(line)).count();
    let share = own as f64 / lines.len() as f64;
    println!("{own} of {} lines name functions of the program: {:.1} %", lines.len(), share * 100.0);
    assert!(share >= 0.75, "{share:.3}: {own} of {}", lines.len());
}

/// Whether the name in a line, which ends where the position begins, is of a function of this program.
fn names_own_function(line: &str) -> bool {
    let name = line.split_once(" at ").map_or(line, |(name, _)| name);
    name.contains(concat!(env!("CARGO_CRATE_NAME"), "::"))
}
