//! What a person does at three in the morning.

use std::process::Stdio;

use crate::terminal::{Ended, Program, command, operated, printed, run};

/// The line of the program that has this in it, as it is printed: `operated.rs:LINE`.
fn line_with(text: &str) -> String {
    let source = include_str!("../../examples/operated.rs");
    let lines: Vec<_> = source.lines().enumerate().filter(|(_, line)| line.contains(text)).collect();
    assert_eq!(lines.len(), 1, "{text}");
    format!("crates/bw-cli/examples/operated.rs:{}:", lines[0].0 + 1)
}

#[test]
fn a_wedged_runtime_is_found_asked_and_its_culprit_named() {
    let mut program = Program::start(|_| {});
    let pid = program.pid();

    let listed = printed(&["ps"]);
    let own = listed.lines().find(|line| line.trim_start().starts_with(&format!("{pid} "))).expect(&listed);
    assert!(own.ends_with(operated().to_str().unwrap()) && own.contains("  4  "), "{listed}");

    let before = printed(&["dump", &pid]);
    assert!(before.starts_with("4 tasks: 4 suspended; "), "{before}");
    let waits = format!("async fn operated::waits_for_ever at {}", line_with("    .await;"));
    assert!(before.contains(&waits) && before.contains("\"idle\""), "{before}");

    let tree = printed(&["tree", &pid]);
    let (_, below) = tree.split_once("\"parent\"").expect(&tree);
    assert!(below.contains(&line_with("children.join_next().await")), "{tree}");
    assert!(
        below.contains("2 tasks suspended for ") && below.contains(&line_with("children.spawn(")),
        "{tree}"
    );

    program.order("wedge", "wedged");
    let dump = printed(&["dump", &pid, "--timeout", "200ms"]);
    assert!(dump.contains("1 being polled") && dump.contains("\npartial: "), "{dump}");
    let (_, culprit) = dump.split_once("1 task being polled for ").expect(&dump);
    let spawned = line_with("async move { wedges(&released) }");
    assert!(culprit.contains("\"culprit\"") && culprit.contains(&spawned), "{dump}");
    let thread = format!("(thread {pid})");
    assert!(culprit.lines().next().unwrap().contains(&thread), "{dump}");

    let blocks = format!("operated::wedges at {}", line_with("released.recv()"));
    assert!(culprit.contains(&blocks) && culprit.contains("blocks its thread"), "{dump}");

    let json = printed(&["dump", &pid, "--timeout", "200ms", "--filter", "state:polling", "--json"]);
    assert!(json.contains("\"name\":\"culprit\"") && !json.contains("\"name\":\"idle\""), "{json}");
    let folded = printed(&["dump", &pid, "--timeout", "200ms", "--format", "folded"]);
    assert!(folded.contains("(no trace);not_polled "), "{folded}");

    program.order("release", "wedge done");
    assert!(printed(&["dump", &pid]).starts_with("4 tasks: 4 suspended; "));
}

#[test]
fn six_dumps_of_one_process_at_once_all_succeed() {
    let mut program = Program::start(|_| {});
    let pid = program.pid();
    program.order("wedge", "wedged");
    // No task can answer, so each dump takes its whole timeout.
    let dumps: Vec<_> = (0..6)
        .map(|_| {
            let mut dump = command(&["dump", &pid, "--timeout", "2s"]);
            dump.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for dump in dumps {
        let output = dump.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*err), (Some(0), ""));
        assert!(String::from_utf8(output.stdout).unwrap().contains("\"culprit\""));
    }
}

#[test]
fn who_cannot_wait_for_another_dump_is_told_of_the_option() {
    let mut program = Program::start(|_| {});
    let pid = program.pid();
    program.order("wedge", "wedged");
    let mut long = command(&["dump", &pid, "--timeout", "1m"]);
    let mut long = long.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Until the long one has its turn, this one gets one.
    let err = loop {
        let Ended { code, err, .. } = run(&["dump", &pid, "--timeout", "1ms", "--filter", "name:idle"]);
        if code != 0 {
            break err;
        }
    };
    long.kill().unwrap();
    long.wait().unwrap();
    assert!(
        err.contains(
            "another dump is being taken, and did not end within 1 ms; ask again, or with a longer --timeout"
        ),
        "{err}"
    );
}

#[test]
fn what_piles_up_shows_between_two_dumps() {
    let mut program = Program::start(|_| {});
    let pid = program.pid();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join("before.dump").into_os_string().into_string().unwrap();
    printed(&["dump", &pid, "--format", "raw", "-o", &file]);
    program.order("more", "more done");
    let changed = printed(&["diff", &file, &pid]);
    assert!(changed.contains("\n3 tasks new: ") && changed.contains("\n0 tasks gone\n"), "{changed}");
    assert!(changed.contains("\"late\"") && changed.contains("from 3 to 6 tasks, suspended"), "{changed}");
    let waits = format!("async fn operated::waits_for_ever at {}", line_with("    .await;"));
    assert!(changed.contains(&waits), "{changed}");
    assert!(printed(&["diff", &file, &pid, "--json"]).contains("\"before\":3,\"after\":6"));
    // The file alone tells where they waited, when the process is gone.
    program.kill();
    assert!(printed(&["symbolize", "--strict", &file]).contains(&waits));
}

#[test]
fn watch_counts_changes_and_survives_the_end_of_the_process() {
    let mut program = Program::start(|_| {});
    let pid = program.pid();
    let watched = printed(&["watch", &pid, "--interval", "10ms", "--count", "2"]);
    assert!(watched.contains(&format!("process {pid}, tasks: 4")), "{watched}");
    assert_eq!(watched.matches("\n4 tasks not polled in between: 4 suspended for ").count(), 2, "{watched}");

    let mut watching = command(&["watch", &pid, "--interval", "10ms"]);
    let mut watching = watching.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It has begun when it says so.
    let mut first = String::new();
    let mut out = std::io::BufReader::new(watching.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut first).unwrap();
    assert!(first.contains(&pid), "{first}");
    program.kill();
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    let output = watching.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(err.contains(&format!("process {pid} has ended")), "{err}");
    let Ended { code, err, .. } = run(&["dump", &pid]);
    assert!(code == 1 && err.contains(&format!("no process has the number {pid}")), "{err}");
}
