//! Core files in place of a process.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used)]

mod run;

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use run::{copy_program, ended, run};

async fn waits_for_an_answer(answer: tokio::sync::oneshot::Receiver<()>) {
    let _ = answer.await;
}

/// A plain tokio program with one task.
#[test]
#[ignore = "this is the program that the other test starts"]
fn the_program() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (never, answer) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(waits_for_an_answer(answer));
        tokio::task::yield_now().await;
        println!("\nready");
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        drop((never, task));
    });
}

#[test]
fn a_compressed_core_file_is_called_no_json() {
    let folder = std::env::temp_dir().join(format!("bw-compressed-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    // More than a reader takes at once, and cut behind.
    gzip.write_all(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0").unwrap();
    gzip.write_all(&vec![7; 1 << 20]).unwrap();
    for (bytes, name, tool) in [
        (&*gzip.finish().unwrap(), "gzip", "gunzip"),
        (b"\x28\xb5\x2f\xfd\x04\x58", "zstd", "zstd -d"),
        (b"\xfd7zXZ\x00\x00\x04", "xz", "unxz"),
        (b"\x04\x22\x4d\x18\x64\x40", "lz4", "lz4 -d"),
    ] {
        let core = folder.join("core");
        fs::write(&core, bytes).unwrap();
        let core = core.to_str().unwrap();
        let (code, out, err) = run(&["dump", core]);
        assert_eq!((code, &*out), (1, ""));
        let error = format!("error: {core} is compressed with {name}: decompress it with `{tool}`\n");
        assert!(
            err.contains(&error) && err.contains("help: ") && err.contains("`coredumpctl dump PID -o core`"),
            "{err}"
        );
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_core_file_is_taken_for_a_program_or_for_a_raw_dump() {
    let folder = std::env::temp_dir().join(format!("bw-core-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("shop");
    copy_program(&std::env::current_exe().unwrap(), &program);
    let mut command = Command::new(&program);
    command.args(["the_program", "--exact", "--ignored", "--nocapture"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "ready"));
    let pid = child.id().to_string();
    let core = folder.join(format!("core.{pid}"));
    let written = Command::new("gcore").arg("-o").arg(folder.join("core")).arg(&pid).output();
    child.kill().unwrap();
    child.wait().unwrap();
    if let Err(error) = &written {
        println!("not tested, since gcore cannot be run: {error}");
        return;
    }
    let core = core.to_str().unwrap();
    let (code, out, err) = run(&["dump", core]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.starts_with("read from a core file\n2 tasks: 2 suspended; taken at "), "{out}");
    assert!(out.contains("╼ async fn core_files::waits_for_an_answer at "), "{out}");
    let (code, out, _) = run(&["dump", core, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["source"], &json["pause_ms"]), (0, &"core".into(), &serde_json::Value::Null));

    // Its program is elsewhere: the code that the core file leaves out is missing, and so are names.
    let moved = folder.join("moved");
    fs::rename(&program, &moved).unwrap();
    let (code, out, _) = run(&["dump", core]);
    assert!(code == 0 && out.contains("name the file with --exe"), "{out}");
    let lacks: Vec<&str> = out.lines().filter(|line| line.contains("may lack something")).collect();
    assert_eq!(lacks, ["1 task may lack something: the code of shop cannot be read"], "{out}");
    let moved = moved.to_str().unwrap();
    for command in ["dump", "tree"] {
        let (code, out, err) = run(&[command, core, "--exe", moved]);
        assert_eq!((code, &*err), (0, ""), "{out}");
        assert!(out.contains("async fn core_files::waits_for_an_answer"), "{out}");
    }
    let (code, out, err) = run(&["diff", core, core, "--exe", moved]);
    assert!(code == 0 && out.contains("0 tasks new\n"), "{out}{err}");
    // From a pipe, as of a decompressor.
    let from_pipe = |program: &str| {
        let mut dump = run::command(&["dump", "-", "--exe", program]);
        ended(&dump.stdin(fs::File::open(core).unwrap()).output().unwrap())
    };
    let (code, out, err) = from_pipe(moved);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.contains("async fn core_files::waits_for_an_answer"), "{out}");
    let (code, _, err) = from_pipe("/bin/sh");
    assert!(code == 1 && err.contains("executable /bin/sh for core file stdin: "), "{err}");
    let (code, _, err) = run(&["dump", core, "--exe", "/bin/sh"]);
    assert!(code == 1 && err.contains("error: cannot use executable /bin/sh for core file"), "{err}");
    assert!(err.contains("it is of another build: it has ") && err.contains("help: "), "{err}");
    // Both build ids.
    let ids = err
        .lines()
        .next()
        .unwrap()
        .split(|letter: char| !letter.is_ascii_hexdigit())
        .filter(|word| word.len() == 40);
    assert_eq!(ids.collect::<HashSet<_>>().len(), 2, "{err}");
    fs::remove_dir_all(&folder).unwrap();
}
