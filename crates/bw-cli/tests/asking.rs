//! The command against agents that do what agents should not: what it says then, and how it ends.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod agent;
mod run;

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use agent::{Agent, always, answer, on_tcp, runtime_dir};
use run::{assert_fails, assert_golden, command, dumps, ended, run};

fn nowhere() -> Vec<u8> {
    std::fs::read(dumps().join("nowhere.json.gz")).unwrap()
}

/// A process that does not outlive the test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn dump() -> Vec<u8> {
    answer("200 OK", "application/gzip", &nowhere())
}

#[test]
fn a_dump_of_an_agent_prints_like_the_same_dump_in_a_file() {
    let folder = runtime_dir("same");
    let agent = Agent::new(&folder, "1.sock", always(dump()));
    let url = format!("http://{}/", on_tcp(always(dump())));
    for target in [agent.path(), &url, "nowhere.json"] {
        for (golden, more) in
            [("nowhere.text", &[][..]), ("nowhere.full", &["--full"]), ("nowhere.json", &["--json"])]
        {
            let (code, out, err) = run(&[&["dump", target], more].concat());
            assert_eq!(code, 0, "{err}");
            assert_golden(golden, &out);
            assert_golden("nowhere.stderr", &err);
        }
        let (_, out, _) = run(&["tree", target]);
        assert_golden("nowhere.tree", &out);
        assert_eq!(run(&["tree", target, "--json"]).1, run(&["dump", target, "--json"]).1);
    }
    assert!(agent.requests()[0].starts_with("GET /debug/async/dump?format=raw&timeout_ms=2000 HTTP/1.1\n"));
}

#[test]
fn what_to_ask_goes_to_the_agent_and_is_applied_to_files_here() {
    let folder = runtime_dir("filters");
    let agent = Agent::new(&folder, "1.sock", always(dump()));
    let filters = ["--filter", "name:a b&c=1", "--filter", "for:90s,id:1", "--timeout", "300ms"];
    assert_eq!(run(&[&["dump", agent.path()], &filters[..]].concat()).0, 0);
    let request = agent.requests().remove(0);
    let query = "?format=raw&timeout_ms=300&filter=name%3Aa+b%26c%3D1&filter=for%3A90s%2Cid%3A1 HTTP/1.1";
    assert!(request.lines().next().unwrap().ends_with(query), "{request}");
    assert!(!request.to_lowercase().contains("authorization"), "{request}");

    let (_, out, _) = run(&["dump", "nowhere.json", "--filter", "name:acc", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(value["tasks"][0]["name"], "accept");
    let (code, _, err) = run(&["dump", "nowhere.json", "--filter", "nam:acc"]);
    assert!(code == 2 && err.contains("name:PART"), "{err}");
    let (code, _, err) = run(&["dump", "nowhere.json", "--timeout", "2h"]);
    assert!(code == 2 && err.contains("1ms to 1m"), "{err}");
}

#[test]
fn a_token_goes_to_urls_and_never_to_sockets() {
    let folder = runtime_dir("token");
    let agent = Agent::new(&folder, "1.sock", always(dump()));
    let output = command(&["dump", agent.path()]).env("BACKTRACE_WAKER_TOKEN", "s3cret").output().unwrap();
    assert_eq!(ended(&output).0, 0);
    assert!(!agent.requests()[0].contains("s3cret"));
    let (code, _, err) = run(&["dump", agent.path(), "--token", "s3cret"]);
    assert!(code == 1 && err.contains("--token has no effect on") && err.contains("agents at URLs"), "{err}");
    let wants = |head: &str, stream: &mut dyn Write| {
        let bytes = if head.contains("authorization: Bearer s3cret\n") {
            dump()
        } else {
            answer("401 Unauthorized", "text/plain", b"no")
        };
        let _ = stream.write_all(&bytes);
    };
    let url = format!("http://{}", on_tcp(Box::new(wants)));
    assert_eq!(run(&["dump", &url, "--token", "s3cret"]).0, 0);
    let output = command(&["dump", &url]).env("BACKTRACE_WAKER_TOKEN", "s3cret").output().unwrap();
    assert_eq!(ended(&output).0, 0);
    assert_fails(run(&["dump", &url]), "wants a token, and none was given: give it with --token");
    assert_fails(run(&["dump", &url, "--token", "other"]), "another one than was given");
    assert_fails(run(&["dump", &url, "--token", "a\nb"]), "the token has characters");
}

#[test]
fn whatever_an_agent_answers_is_told_with_what_to_do_and_without_what_a_terminal_obeys() {
    let folder = runtime_dir("answers");
    let raw = |body: &[u8]| answer("200 OK", "application/gzip", body);
    let text = |status: &str, body: &str| answer(status, "text/plain", body.as_bytes());
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (text("404 Not Found", "nothing"), "no agent there (404 Not Found)"),
        (answer("200 OK", "text/html; charset=utf-8", b"<html>"), "a web page, so it is no agent"),
        (text("403 Forbidden", "host \u{1b}[31m"), "refuses to answer: host \\u{1b}[31m"),
        (
            text("503 Service Unavailable", "\n busy:\u{9b}2J a dump runs\nmore"),
            "cannot answer now: busy:\\u{9b}2J a dump runs",
        ),
        (text("400 Bad Request", "unknown parameter"), "answers 400: unknown parameter"),
        (text("500 Internal Server Error", ""), "answers 500: it does not say why"),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://x/\r\ncontent-length: 0\r\n\r\n".into(),
            "answers 302, with a redirection to \"http://x/\"",
        ),
        (Vec::new(), "closed the connection without an answer"),
        (b"HTTP/1.1 200 O".into(), "closed the connection without an answer"),
        (dump()[..dump().len() - 10].into(), "closed the connection in the middle of its answer"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n".into(),
            "in the middle of its answer",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n".into(), "does not speak HTTP, so it is no agent"),
        (b"\x00\x01\x02\xff\xfe\r\n\r\n".into(), "does not speak HTTP, so it is no agent"),
        (raw(b""), "its answer is no raw dump file: it is empty; is it an agent?"),
        (raw(b"\x1f\x8b\x08garbage"), "its answer is compressed, and"),
        (raw(b"{}"), "its answer is no raw dump file"),
        (
            raw(br#"{"format":"backtrace-waker raw dump","version":2}"#),
            "has a newer agent than this command knows: its answer is a raw dump of version 2",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999\r\n\r\n".into(),
            "more bytes than are taken: ask for fewer tasks with --filter",
        ),
    ];
    for (at, (bytes, message)) in cases.into_iter().enumerate() {
        let agent = Agent::new(&folder, &format!("{at}.sock"), always(bytes.clone()));
        assert_fails(run(&["dump", agent.path()]), message);
        assert_fails(run(&["dump", &format!("http://{}", on_tcp(always(bytes)))]), message);
    }
}

#[test]
fn no_answer_is_taken_that_is_larger_than_is_allowed() {
    let folder = runtime_dir("large");
    // An answer without an end, and one that grows a thousandfold.
    let endless = Agent::new(
        &folder,
        "1.sock",
        Box::new(|_, stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            while stream.write_all(b"4\r\nabcd\r\n").is_ok() {}
        }),
    );
    let most = ["--max-bytes", "100000"];
    assert_fails(run(&[&["dump", endless.path()], &most[..]].concat()), "more bytes than are taken");
    let mut gzip =
        Command::new("gzip").arg("-9").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = gzip.stdin.take().unwrap();
    let feed = std::thread::spawn(move || stdin.write_all(&vec![b' '; 20_000_000]).unwrap());
    let bomb = gzip.wait_with_output().unwrap().stdout;
    feed.join().unwrap();
    assert!(bomb.len() < 100_000);
    let bomb = Agent::new(&folder, "2.sock", always(answer("200 OK", "application/gzip", &bomb)));
    assert_fails(run(&[&["dump", bomb.path()], &most[..]].concat()), "has more than 100000 bytes");
}

#[test]
fn an_agent_that_says_nothing_is_waited_for_only_so_long() {
    let folder = runtime_dir("silent");
    let agent = Agent::new(
        &folder,
        "1.sock",
        Box::new(|_, _| {
            loop {
                std::thread::park();
            }
        }),
    );
    assert_fails(
        run(&["dump", agent.path(), "--timeout", "1ms"]),
        "did not answer within 6.0 s: it is stopped, or",
    );
}

#[test]
fn who_is_not_there_is_told_from_who_is_not_let_in() {
    let folder = runtime_dir("absent");
    let stale = folder.join("backtrace-waker/1.sock");
    drop(UnixListener::bind(&stale).unwrap());
    assert_fails(run(&["dump", stale.to_str().unwrap()]), "nobody listens there any more");
    assert_fails(run(&["dump", "missing.sock"]), "missing.sock: No such file");
    assert_fails(run(&["dump", "127.0.0.1:6060"]), "write http://127.0.0.1:6060");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_fails(run(&["dump", &format!("http://{closed}")]), "BACKTRACE_WAKER_TCP");
}

#[test]
#[cfg(feature = "https")]
fn a_server_that_speaks_no_tls_is_told_from_one_that_is_not_there() {
    let plain = on_tcp(always(dump()));
    assert_fails(run(&["dump", &format!("https://{plain}")]), "if it speaks plain HTTP, write http://");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_fails(run(&["dump", &format!("https://{closed}")]), "nobody listens there");
}

#[test]
fn a_process_without_an_agent_and_one_that_is_not_there_are_told_apart() {
    let mut child = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
    let pid = child.id().to_string();
    let without = run(&["dump", &pid]);
    let off = Command::new("sleep").arg("600").env("BACKTRACE_WAKER", "off").stdout(Stdio::null()).spawn();
    let mut off = off.unwrap();
    let switched_off = run(&["dump", &off.id().to_string()]);
    for child in [&mut child, &mut off] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_fails(
        without,
        "(sleep) has no agent that can be found: add `bw_agent::start_or_warn();` to its main",
    );
    assert_fails(switched_off, "was started with BACKTRACE_WAKER=off");
    assert_fails(run(&["dump", &pid]), &format!("no process has the number {pid}"));
    assert_fails(run(&["dump", "4294967295"]), "no process has the number 4294967295");
}

#[test]
fn the_number_of_a_process_where_a_file_is_wanted_says_which_command_takes_it() {
    let own = std::process::id().to_string();
    let advice = format!("that is a process: `backtrace-waker dump {own}`");
    assert_fails(run(&["symbolize", &own]), &advice);
    let (code, _, err) = run(&["merge", &own]);
    assert!(code == 1 && err.contains(&advice), "{err}");
    let (_, _, err) = run(&["symbolize", "4294967295"]);
    assert!(err.contains("4294967295: No such file") && !err.contains("process"), "{err}");
}

#[test]
fn a_number_that_is_none_is_told_what_is_one() {
    for (arguments, message) in [
        (["dump", "7", "--max-bytes", "10MB"], "10MB is not a number of bytes from 1: write 10000000"),
        (["watch", "7", "--count", "0"], "0 is not a number from 1"),
        (["top", "7", "--count", "0"], "0 is not a number from 1"),
    ] {
        let (code, _, err) = run(&arguments);
        assert!(code == 2 && err.contains(message), "{err}");
    }
}

#[test]
fn a_process_is_found_by_who_listens_and_not_by_the_name_of_the_socket() {
    let folder = runtime_dir("found");
    let agent = Agent::new(&folder, "7.3.sock", always(dump()));
    // A socket under the right name that nobody listens at.
    let own = std::process::id().to_string();
    drop(UnixListener::bind(folder.join(format!("backtrace-waker/{own}.sock"))).unwrap());
    let output = command(&["dump", &own]).env("XDG_RUNTIME_DIR", &*folder).output().unwrap();
    let (code, out, err) = ended(&output);
    assert_eq!(code, 0, "{err}");
    assert_golden("nowhere.text", &out);
    assert_eq!(agent.requests().len(), 1);
}

#[test]
fn ps_lists_who_answers_says_why_others_do_not_and_leaves_stale_sockets_alone() {
    let folder = runtime_dir("ps");
    let says = |extra: &str| {
        let pid = std::process::id();
        let body = format!(
            r#"{{"format":"backtrace-waker agent","pid":{pid},"executable":"/srv/\u001b[31m","started_at":"2026-09-21T14:13:20.123Z",{extra}}}"#
        );
        always(answer("200 OK", "application/json", body.as_bytes()))
    };
    let good = Agent::new(&folder, "1.sock", says(r#""version":1,"tasks":12345"#));
    let newer = Agent::new(&folder, "2.sock", says(r#""version":9"#));
    let silent = Agent::new(
        &folder,
        "3.sock",
        Box::new(|_, _| {
            loop {
                std::thread::park();
            }
        }),
    );
    let garbage = Agent::new(&folder, "4.sock", always(b"\x1b[31mSSH-2.0\r\n".into()));
    let stale = folder.join("backtrace-waker/5.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let ps = |arguments: &[&str]| {
        let arguments = [&["ps", "--timeout", "500ms"], arguments].concat();
        ended(&command(&arguments).env("XDG_RUNTIME_DIR", &*folder).output().unwrap())
    };
    let (code, out, err) = ps(&[]);
    assert_eq!(code, 0, "{err}");
    let pid = std::process::id();
    let ours: Vec<_> = out.lines().filter(|line| line.trim_start().starts_with(&format!("{pid} "))).collect();
    assert!(out.lines().next().unwrap().ends_with("TASKS  SOURCE  PROGRAM"), "{out}");
    // Beside agents of other tests, which run in this process, too.
    for expected in [
        "2026-09-21T14:13:20Z  12,345  agent   /",
        "its agent is newer (version 9) than this command",
        "did not answer within 0.5 s",
        "does not speak HTTP",
    ] {
        assert!(ours.iter().any(|line| line.contains(expected)), "{expected}: {out}");
    }
    assert!(!out.contains('\u{1b}') && stale.exists());

    let (code, out, _) = ps(&["--json"]);
    assert!(code == 0 && out.lines().count() == 1 && !out.contains('\u{1b}'), "{out}");
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    let of = |agent: &Agent| {
        let processes = value["processes"].as_array().unwrap();
        processes.iter().find(|it| it["socket"] == agent.path()).unwrap().clone()
    };
    assert_eq!((&of(&good)["pid"], &of(&good)["tasks"]), (&pid.into(), &12_345.into()));
    assert_eq!(of(&good)["executable"], "/srv/\u{1b}[31m");
    for (agent, message) in [(&newer, "newer"), (&silent, "within"), (&garbage, "HTTP")] {
        assert!(of(agent)["error"].as_str().unwrap().contains(message), "{out}");
        assert_eq!(of(agent)["pid"], pid);
    }
}

#[test]
fn ps_finds_a_process_in_the_folder_that_only_its_own_environment_names() {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    let folder = runtime_dir("session");
    let agent = Agent::new(&folder, "1.sock", always(dump()));
    let ps = || {
        let output = command(&["ps", "--json"]).env_remove("XDG_RUNTIME_DIR").output().unwrap();
        ended(&output).1
    };
    assert!(!ps().contains(agent.path()));
    let mut child = Command::new("sleep");
    let child = child.arg("600").env("XDG_RUNTIME_DIR", &*folder).stdout(Stdio::null()).spawn();
    let _child = Killed(child.unwrap());
    assert_eq!(ps().matches(agent.path()).count(), 1);
    // What others may have put there is left alone all the same.
    let inner = folder.join("backtrace-waker");
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(!ps().contains(agent.path()));
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o700)).unwrap();
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        // Theirs, as a process of somebody else says.
        for path in [&inner, &agent.socket] {
            chown(path, Some(12_345), None).unwrap();
        }
        assert!(!ps().contains(agent.path()));
        for path in [&inner, &agent.socket] {
            chown(path, Some(0), None).unwrap();
        }
    }
    let aside = folder.join("aside");
    std::fs::rename(&inner, &aside).unwrap();
    symlink(&aside, &inner).unwrap();
    assert!(!ps().contains(agent.path()));
}

#[test]
fn folders_and_links_of_others_are_not_looked_into() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = runtime_dir("others");
    let agent = Agent::new(&folder, "1.sock", always(dump()));
    let ps = || {
        let output = command(&["ps", "--json"]).env("XDG_RUNTIME_DIR", &*folder).output().unwrap();
        ended(&output).1
    };
    assert!(ps().contains(agent.path()));
    // Whoever may write there could have put the socket of another there.
    let inner = folder.join("backtrace-waker");
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(!ps().contains(agent.path()));
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o700)).unwrap();
    let aside = folder.join("aside");
    std::fs::rename(&inner, &aside).unwrap();
    symlink(&aside, &inner).unwrap();
    // Whole paths: agents that are none of ours may be here, of whatever number.
    assert!(!ps().contains(agent.path()));
    std::fs::remove_file(&inner).unwrap();
    std::fs::create_dir(&inner).unwrap();
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o700)).unwrap();
    let link = inner.join("2.sock");
    symlink(aside.join("1.sock"), &link).unwrap();
    assert!(!ps().contains(link.to_str().unwrap()));
}

#[test]
fn a_dump_goes_to_a_file_and_only_when_there_is_one() {
    let folder = runtime_dir("output");
    let output = folder.join("out");
    let path = output.to_str().unwrap();
    std::fs::write(&output, "precious").unwrap();
    assert_fails(run(&["dump", "4294967295", "-o", path]), "no process has the number");
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "precious");
    let (code, out, _) = run(&["dump", "nowhere.json", "-o", path]);
    assert_eq!((code, &*out), (0, ""));
    assert_golden("nowhere.text", &std::fs::read_to_string(&output).unwrap());
    assert_eq!(run(&["dump", "nowhere.json", "--format", "raw", "-o", path]).0, 0);
    assert_golden("nowhere.text", &run(&["symbolize", path]).1);
    let page = run(&["dump", "nowhere.json", "--html"]).1;
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("shop"), "{}", &page[..200]);
    let (code, _, err) = run(&["dump", "nowhere.json", "-o", "/nonexistent/x"]);
    assert!(code == 1 && err.contains("cannot write /nonexistent/x: No such file"), "{err}");
    for clash in [["--json", "--html"], ["--json", "--format=text"], ["--html", "--format=raw"]] {
        assert_eq!(run(&[&["dump", "nowhere.json"], &clash[..]].concat()).0, 2);
    }
}

#[test]
fn a_failed_output_leaves_no_file_and_is_never_a_device_that_is_removed() {
    let folder = runtime_dir("failed-output");
    let output = folder.join("out");
    // No file may have a byte, which the shell hands on to the command.
    let limited = |path: &str| {
        let command = command(&["dump", "nowhere.json", "--html", "-o", path]);
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
        shell.arg(command.get_program()).args(command.get_args()).current_dir(dumps());
        ended(&shell.stdin(Stdio::null()).output().unwrap())
    };
    let (code, _, err) = limited(output.to_str().unwrap());
    assert!(
        code == 1 && err.contains(&format!("cannot write {}: File too large", output.display())),
        "{err}"
    );
    assert!(!output.exists());
    // What was there before is somebody's.
    std::fs::write(&output, "").unwrap();
    assert_eq!(limited(output.to_str().unwrap()).0, 1);
    assert!(output.exists());
    let (code, _, err) = run(&["dump", "nowhere.json", "-o", "/dev/full"]);
    assert!(code == 1 && err.contains("cannot write /dev/full: No space left"), "{err}");
    assert!(std::path::Path::new("/dev/full").exists());
}

#[test]
fn help_is_help() {
    for name in ["ps", "dump", "tree", "diff", "watch"] {
        let (code, out, err) = run(&[name, "--help"]);
        assert_eq!((code, &*err), (0, ""));
        assert!(out.contains("Examples:") && out.contains("Exit codes:"), "{out}");
        assert_golden(&format!("{name}-help"), &out);
    }
}
