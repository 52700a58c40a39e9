//! Whose process it is, where its socket is, and what file it runs.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::terminal::{Ended, Program, command, copy_program, ended, operated, printed, run};

/// Two users that own nothing here.
const ALICE: u32 = 64_001;
const BOB: u32 = 64_002;

/// Only root can be another user. Without root, a test that needs it fails where the variable CI is set, and does nothing elsewhere.
fn is_root() -> bool {
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        cannot_run("needs root");
    }
    is_root
}

/// Fails in CI: a test that cannot run there is skipped by its name, or it runs.
#[track_caller]
fn cannot_run(reason: &str) {
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(!is_ci, "this test {reason}: provide that, or skip the test by its name (-- --skip NAME)");
    println!("skipped: {reason}");
}

/// A folder with a short name, as sockets need, that is gone when the test is over.
struct Folder(PathBuf);

impl std::ops::Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn folder(name: &str) -> Folder {
    let folder = std::env::temp_dir().join(format!("operator-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    Folder(folder)
}

#[test]
fn a_socket_that_the_environment_names_is_found() {
    let folder = folder("named");
    let socket = folder.join("agent.sock");
    let program = Program::start(|command| {
        command.env("BACKTRACE_WAKER_SOCKET", &socket);
    });
    assert!(printed(&["dump", &program.pid()]).contains("waits_for_ever"));
    assert!(printed(&["dump", socket.to_str().unwrap()]).contains("waits_for_ever"));
    assert!(printed(&["ps", "--json"]).contains(socket.to_str().unwrap()));
}

#[test]
fn the_file_that_runs_is_read_and_not_the_one_that_replaced_it() {
    let folder = folder("replaced");
    for (name, replacement) in [("replaced", Some("/bin/true")), ("deleted", None)] {
        let file = folder.join(name);
        copy_program(&operated(), &file);
        let program = Program::start_file(&file, |_| {});
        std::fs::remove_file(&file).unwrap();
        if let Some(other) = replacement {
            std::fs::copy(other, &file).unwrap();
        }
        let Ended { code, out, err } = run(&["dump", &program.pid(), "--strict"]);
        assert_eq!((code, &*err), (0, ""));
        assert!(
            out.contains("async fn operated::waits_for_ever at crates/bw-cli/examples/operated.rs:"),
            "{out}"
        );
    }
}

#[test]
fn a_process_is_found_by_its_name_and_several_of_one_name_are_listed() {
    let folder = folder("by-name");
    // Longer than what the kernel keeps of a name.
    let name = format!("operator-by-name-{}", std::process::id());
    let file = folder.join(&name);
    copy_program(&operated(), &file);
    let start = |arguments: &[&str]| {
        Program::start_file(&file, |command| {
            command.args(arguments);
        })
    };
    let first = start(&["--port", "80"]);
    assert!(printed(&["dump", &name]).contains("waits_for_ever"));
    assert!(printed(&["tree", &name]).contains("waits_for_ever"));
    // Also where the file of the program is.
    let mut beside = command(&["dump", &name]);
    beside.current_dir(&*folder);
    let Ended { code, out, err } = ended(beside);
    assert!(code == 0 && out.contains("waits_for_ever"), "{err}");

    let second = start(&["two words", "\u{1b}[31m"]);
    let mut pids = [&first, &second].map(|program| program.pid().parse::<u32>().unwrap());
    pids.sort_unstable();
    let Ended { code, out, err } = run(&["dump", &name]);
    assert_eq!((code, &*out), (1, ""));
    assert!(
        err.starts_with(&format!("backtrace-waker: error: 2 processes are named {name}: {} (", pids[0])),
        "{err}"
    );
    assert!(err.contains(&format!("), {} (", pids[1])), "{err}");
    assert!(err.ends_with("); name one by its number\n"), "{err}");

    let Ended { code, err, .. } = run(&["dump", "nobody_has_this_name"]);
    assert!(code == 1 && err.contains("nobody_has_this_name: No such file or directory"), "{err}");
    assert!(err.contains("no process has this name either: `backtrace-waker ps` lists"), "{err}");

    // A process that is there and has no agent is not said to be missing.
    let sleeper = format!("operator-sleeper-{}", std::process::id());
    let file = folder.join(&sleeper);
    copy_program(Path::new("/bin/sleep"), &file);
    let mut child = Command::new(&file).arg("600").stdout(std::process::Stdio::null()).spawn().unwrap();
    let Ended { code, err, .. } = run(&["dump", &sleeper]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(code == 1 && err.contains(&format!("process {} (", child.id())), "{err}");
    assert!(err.contains("has no agent that can be found"), "{err}");
}

#[test]
fn ps_prints_arguments_escaped_and_cut_and_only_what_passes() {
    let long = "x".repeat(1_000);
    let marked = format!("mark-{}", std::process::id());
    let program = Program::start(|command| {
        command.args([&*marked, "two words", "", "\u{1b}[31m", &long]);
    });
    let other = Program::start(|_| {});
    let pid = program.pid();
    let listed = printed(&["ps", &marked]);
    let rows: Vec<&str> = listed.lines().skip(1).collect();
    assert!(rows.len() == 1 && rows[0].trim_start().starts_with(&format!("{pid} ")), "{listed}");
    let shown = format!("{} {marked} 'two words' '' \\u{{1b}}[31m ", operated().display());
    assert!(rows[0].contains(&shown[..shown.len().min(110)]), "{listed}");
    assert!(rows[0].ends_with('…') && rows[0].len() < 250 && !listed.contains('\u{1b}'), "{listed}");
    // By the path of the program, both.
    let both = printed(&["ps", operated().to_str().unwrap()]);
    for pid in [pid, other.pid()] {
        assert!(both.lines().any(|line| line.trim_start().starts_with(&format!("{pid} "))), "{both}");
    }
    let json = printed(&["ps", &marked, "--json"]);
    assert_eq!(json.matches("\"socket\"").count(), 1, "{json}");
    let arguments = format!("\"arguments\":[\"{marked}\",\"two words\",\"\",\"\\u001b[31m\",\"{long}\"]");
    assert!(json.contains(&arguments), "{json}");
    let Ended { code, out, err } = run(&["ps", "no such argument"]);
    assert_eq!((code, &*out), (0, ""));
    assert!(err.contains("has \"no such argument\" in its program or its arguments"), "{err}");
}

/// Whether every thread of a process has been stopped, which each is for itself.
fn has_stopped(pid: &str) -> bool {
    let mut threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.all(|thread| {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        status.contains("State:\tT")
    })
}

#[test]
fn a_stopped_process_is_told_from_one_that_is_busy() {
    let program = Program::start(|_| {});
    let pid = program.pid();
    let kill = |signal: &str| assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    kill("-STOP");
    while !has_stopped(&pid) {
        std::thread::yield_now();
    }
    // At once: that it would be waited for, for two minutes, is said otherwise.
    let Ended { code, err, .. } = run(&["dump", &pid, "--timeout", "1m"]);
    assert_eq!(code, 1);
    assert!(err.contains("does not answer: it is stopped (kill -CONT makes it go on)"), "{err}");
    let listed = printed(&["ps", "--timeout", "2s"]);
    let own = listed.lines().find(|line| line.trim_start().starts_with(&format!("{pid} "))).expect(&listed);
    assert!(own.contains("does not answer: it is stopped (kill -CONT"), "{listed}");
    kill("-CONT");
    assert!(printed(&["dump", &pid]).contains("waits_for_ever"));
}

#[test]
fn processes_of_other_users_are_for_them_and_for_root() {
    if !is_root() {
        return;
    }
    // Where these users may go: the target folder need not be such a place.
    let folder = folder("users");
    let open_to_all = |path: &Path| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).unwrap();
    };
    open_to_all(&folder);
    let copied = |from: &Path, name: &str| {
        let to = folder.join(name);
        copy_program(from, &to);
        open_to_all(&to);
        to
    };
    let file = copied(&operated(), "operated");
    let binary = copied(Path::new(command(&[]).get_program()), "backtrace-waker");
    let program = Program::start_file(&file, |command| {
        command.uid(ALICE).gid(ALICE).current_dir("/");
    });
    let pid = program.pid();
    let run_as = |user: u32, arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command.args(arguments).uid(user).gid(user).current_dir("/").env_remove("XDG_RUNTIME_DIR");
        ended(command)
    };
    let own = run_as(ALICE, &["dump", &pid]);
    assert!(own.code == 0 && own.out.contains("waits_for_ever"), "{own:?}");
    assert!(printed(&["dump", &pid]).contains("waits_for_ever"), "root may");
    assert!(printed(&["ps", "--json"]).contains(&format!("\"uid\":{ALICE}")));

    let other = run_as(BOB, &["dump", &pid]);
    assert_eq!(other.code, 1);
    let whose =
        format!("belongs to uid {ALICE}, and only uid {ALICE} and root may ask it: sudo backtrace-waker");
    assert!(other.err.contains(&whose), "{}", other.err);
    assert!(!run_as(BOB, &["ps"]).out.contains(&pid));
    let socket = format!("/tmp/backtrace-waker-{ALICE}/{pid}.sock");
    let other = run_as(BOB, &["dump", &socket]);
    assert!(other.code == 1 && other.err.contains("ermission denied"), "{}", other.err);

    // It is killed, and nobody else will start an agent as that user.
    drop(program);
    std::fs::remove_file(&socket).unwrap();
    let _ = std::fs::remove_dir(Path::new(&socket).parent().unwrap());
}

#[test]
fn nobody_has_root_ask_a_socket_that_is_not_theirs() {
    if !is_root() {
        return;
    }
    let folder = folder("lured");
    let socket = folder.join("of-root.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    let lure = |user: u32| {
        let mut command = Command::new("sleep");
        command.arg("600").env("BACKTRACE_WAKER_SOCKET", &socket).uid(user).current_dir("/");
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        let listed = printed(&["ps", "--json", "--timeout", "100ms"]);
        let asked = run(&["dump", &child.id().to_string(), "--timeout", "1ms"]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(asked.code == 1 && asked.err.contains("has no agent that can be found"), "{}", asked.err);
        listed.contains("of-root.sock")
    };
    assert!(lure(0), "root may name its own");
    while listener.accept().is_ok() {}
    assert!(!lure(ALICE));
}

/// In a mount namespace of its own with another /tmp, as a container has one.
#[test]
fn a_process_in_a_container_is_found_through_its_root() {
    if !is_root() {
        return;
    }
    // Opened before: it may itself lie below what is hidden then.
    let inside = format!(
        "exec 3<'{}' && mount -t tmpfs none /tmp && cat <&3 >/tmp/operated && chmod 755 /tmp/operated && exec /tmp/operated 3<&-",
        operated().display()
    );
    let can_unshare =
        Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    if !can_unshare {
        cannot_run("needs mount namespaces");
        return;
    }
    let program = Program::start_file(Path::new("unshare"), |command| {
        command.args(["--mount", "sh", "-c", &inside]);
    });
    let pid = program.pid();
    let Ended { code, out, err } = run(&["dump", &pid, "--strict"]);
    assert_eq!((code, &*err), (0, ""));
    assert!(
        out.contains("async fn operated::waits_for_ever at crates/bw-cli/examples/operated.rs:"),
        "{out}"
    );
    let listed = printed(&["ps"]);
    assert!(listed.lines().any(|line| line.trim_start().starts_with(&format!("{pid} "))), "{listed}");
}
