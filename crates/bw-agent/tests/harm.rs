//! What whoever connects must not be able to do.

#![cfg(unix)]
// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use backtrace_waker::TracedExt;
use support::{Answer, OwnAgent, PATIENCE, connect, exchange, request};

/// Whether the agent still answers, to somebody else.
fn answers(agent: &OwnAgent) -> bool {
    agent.get("/debug/async/process").status == 200
}

/// What is sent may not all be read before the connection is closed, and then neither may the answer.
fn send_and_see(agent: &OwnAgent, sent: &[u8]) -> Option<Answer> {
    let mut stream = connect(agent.socket());
    let _ = stream.write_all(sent);
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    Answer::parse(&received)
}

#[test]
fn no_path_leads_out_of_the_endpoints() {
    let agent = OwnAgent::start();
    for target in [
        "/debug/async/../..",
        "/debug/async/../../etc/passwd",
        "/debug/async/%2e%2e/%2e%2e/etc/passwd",
        "/debug/async/tasks/..",
        "/debug/async/tasks/../process",
        "/debug/async/tasks/%2e%2e",
        "/debug/async/tasks/..%2f..%2fetc%2fpasswd",
        "/debug/async/tasks/%00",
        "/debug/async/tasks/1%00",
        "/debug/async/tasks/%ff",
        "/debug/async/tasks/-1",
        "/debug/async/tasks/+1",
        "/debug/async/tasks/1.5",
        "/debug/async/tasks/0x1",
        "/debug/async/tasks/18446744073709551616",
        "/debug/async/tasks/1/2",
        "/debug/async/tasks/",
        "/debug/async//dump",
        "//debug/async/dump",
        "/debug/async/dump/",
        "/debug/ASYNC/dump",
        "/",
        "/favicon.ico",
        "*",
        "debug/async/dump",
    ] {
        let answer =
            send_and_see(&agent, &request("GET", target)).unwrap_or_else(|| panic!("{target}: no answer"));
        assert!(matches!(answer.status, 400 | 404), "{target}: {} {}", answer.status, answer.text());
        assert!(
            !answer.text().contains("root:") && !answer.text().contains('\0'),
            "{target}: {}",
            answer.text()
        );
    }
    assert!(answers(&agent));
}

#[test]
fn no_refusal_repeats_what_it_was_sent_raw_or_whole() {
    let agent = OwnAgent::start();
    let long = "%1b%5b31m".repeat(1_000);
    for target in [
        format!("dump?format={long}"),
        format!("dump?{long}"),
        format!("dump?filter={long}"),
        format!("dump?timeout_ms={long}"),
        format!("tasks/{long}"),
        format!("dump?format={}", "%ff".repeat(100)),
        format!("dump?format={}", "%e2%80%ae".repeat(100)),
    ] {
        let answer = agent.get(&format!("/debug/async/{target}"));
        assert_eq!(answer.status, 400);
        assert!(answer.body.len() < 1_500, "{}", answer.text());
        assert!(answer.body.iter().all(|&byte| byte == b'\n' || byte >= b' '), "{:?}", answer.text());
        assert!(!answer.text().contains('\u{202e}'), "{:?}", answer.text());
    }
}

#[test]
fn bytes_that_are_no_request_never_stop_it() {
    let agent = OwnAgent::start();
    // Any bytes, from a generator that gives the same ones each time.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut garbage = |length: usize| -> Vec<u8> {
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        std::iter::repeat_with(next).take(length).collect()
    };
    for length in [1, 16, 1_000, 100_000] {
        for _ in 0..8 {
            let mut stream = connect(agent.socket());
            let _ = stream.write_all(&garbage(length));
            let _ = stream.shutdown(Shutdown::Write);
            let mut received = Vec::new();
            let _ = stream.read_to_end(&mut received);
            assert!(
                Answer::parse(&received).is_none_or(|answer| answer.status == 400 || answer.status == 431)
            );
        }
    }
    for sent in [
        // HTTP/2.
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..],
        // A TLS hello.
        &b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n"[..],
        &b"\r\n\r\n\r\n"[..],
        &b"GET\r\n\r\n"[..],
        &b"GET / HTTP/9.9\r\n\r\n"[..],
        &b"GET / HTTP/1.1\r\nno colon\r\n\r\n"[..],
        &b"GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        &b"GET /\x1b[31m HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        &b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n"[..],
        &b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"[..],
    ] {
        let mut stream = connect(agent.socket());
        let _ = stream.write_all(sent);
        // Whoever sends half a request would wait for the time headers have.
        let _ = stream.shutdown(Shutdown::Write);
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received);
        let text = String::from_utf8_lossy(&received).into_owned();
        assert!(Answer::parse(&received).is_none_or(|answer| answer.status >= 400), "{sent:?}: {text}");
    }
    assert!(answers(&agent));
}

#[test]
fn a_request_that_is_too_large_is_not_read_to_its_end() {
    let agent = OwnAgent::start();
    let long = "x".repeat(1 << 20);
    let many: String = (0..1_000).map(|n| format!("x-{n}: 1\r\n")).collect();
    for sent in [
        format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"),
        format!("{long} / HTTP/1.1\r\nhost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"),
    ] {
        let answer = send_and_see(&agent, sent.as_bytes());
        assert!(answer.is_none_or(|answer| matches!(answer.status, 400 | 414 | 431)));
    }
    // A body is nobody's to read; the answer comes all the same.
    let sent =
        format!("GET /debug/async/process HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\nx", u64::MAX);
    assert!(send_and_see(&agent, sent.as_bytes()).is_none_or(|answer| answer.status >= 400));
    let sent = "GET /debug/async/process HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nx";
    assert_eq!(send_and_see(&agent, sent.as_bytes()).map(|answer| answer.status), Some(200));
    assert!(answers(&agent));
}

#[test]
fn a_slow_request_never_holds_its_place_for_long() {
    let soon = Duration::from_millis(20);
    let agent = OwnAgent::told(|builder| builder.bounds(2, soon, PATIENCE));
    // All places, and more: one that says nothing, the others never an end.
    let streams: Vec<_> = (0..6).map(|_| connect(agent.socket())).collect();
    for mut stream in &streams[1..] {
        let _ = stream.write_all(b"GET /debug/async/dump HTTP/1.1\r\nhost: a\r\nx: ");
    }
    // Those who are in the way are gone before this one is.
    assert!(answers(&agent));
    for mut stream in streams {
        let mut received = Vec::new();
        // The end comes: a read that waits fails after the test's patience.
        let read = stream.read_to_end(&mut received);
        assert!(read.is_ok_and(|_| Answer::parse(&received).is_none_or(|answer| answer.status == 408)));
    }
    // Neither does one that goes on sending, a byte at a time.
    let mut stream = connect(agent.socket());
    while stream.write_all(b"G").is_ok() {
        std::thread::yield_now();
    }
    assert!(answers(&agent));
}

#[test]
fn a_connection_never_lives_longer_than_it_may() {
    let soon = Duration::from_millis(20);
    let agent = OwnAgent::told(|builder| builder.bounds(2, PATIENCE, soon));
    // What asks for a minute is cut off, and so is what never asks.
    let task = backtrace_waker::Tracer::new().named("lifetime").trace(std::future::pending::<()>());
    let mut task = std::pin::pin!(task);
    assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let waits = request("GET", "/debug/async/dump?timeout_ms=60000&filter=name:lifetime");
    assert!(exchange(connect(agent.socket()), &waits).unwrap().is_empty());
    assert!(exchange(connect(agent.socket()), b"").unwrap().is_empty());
}

#[test]
fn a_thousand_connections_at_once_are_all_answered() {
    // However slow the machine is.
    let agent = OwnAgent::told(|builder| builder.bounds(64, PATIENCE, PATIENCE));
    let ask = request("GET", "/debug/async/process");
    let mut streams: Vec<_> = (0..1_000)
        .map(|_| {
            // Where the backlog is full, this waits.
            let stream = connect(agent.socket());
            support::send(&stream, &ask);
            stream
        })
        .collect();
    for stream in &mut streams {
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert_eq!(Answer::parse(&received).unwrap().status, 200);
    }
    assert!(answers(&agent));
}

#[test]
fn of_requests_sent_at_once_no_answer_is_another_ones() {
    let agent = OwnAgent::start();
    let sent = [request("GET", "/debug/async/process"), request("GET", "/debug/async/nothing")].concat();
    let answer = send_and_see(&agent, &sent).unwrap();
    // One request is answered, and the connection says that it ends.
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    let length: usize = answer.header("content-length").unwrap().parse().unwrap();
    assert_eq!(length, answer.body.len());
}

#[test]
fn a_client_that_never_reads_never_takes_more_memory_than_the_cap() {
    // More than a socket holds: what is not read stays with the agent.
    let long = "x".repeat(2_000);
    let filler: Vec<_> =
        (0..1_000).map(|n| std::future::pending::<()>().traced_as(format!("unread {n} {long}"))).collect();
    let list = "/debug/async/tasks?format=json&filter=name:unread";
    let agent = OwnAgent::told(|builder| builder.timeout(Duration::from_millis(50)));
    let size = agent.get(list).body.len();
    drop(agent);
    assert!(size > 2 << 20, "{size}");

    let agent =
        OwnAgent::told(|builder| builder.timeout(Duration::from_millis(50)).size_cap(size * 2 - size / 4));
    let unread: Vec<_> = (0..8)
        .map(|_| {
            let stream = connect(agent.socket());
            support::send(&stream, &request("GET", list));
            stream
        })
        .collect();
    // Less than two of them fit. The others, and this one, are told so.
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "memory is always to be had");
        let answer = agent.get(list);
        assert!(matches!(answer.status, 200 | 503), "{}", answer.status);
        if answer.status == 503 && answer.text().contains("nobody has read yet") {
            break;
        }
    }
    assert!(answers(&agent), "who asks for little is in nobody's way");
    let mut statuses: Vec<u16> = unread
        .into_iter()
        .map(|mut stream| {
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            Answer::parse(&received).unwrap().status
        })
        .collect();
    statuses.sort_unstable();
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1, "{statuses:?}");
    // What was read made room.
    assert_eq!(agent.get(list).status, 200);
    drop(filler);
}

#[test]
fn who_goes_away_never_keeps_the_turn() {
    let task = backtrace_waker::Tracer::new().named("left").trace(std::future::pending::<()>());
    let mut task = std::pin::pin!(task);
    assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let agent = OwnAgent::start();
    for _ in 0..20 {
        let stream = connect(agent.socket());
        support::send(&stream, &request("GET", "/debug/async/dump?timeout_ms=60000&filter=name:left"));
    }
    // Twenty minutes, if each of them kept it.
    assert_eq!(agent.get("/debug/async/dump?timeout_ms=50000&filter=name:nobody").status, 200);
}

/// Wakes nobody, and does not return before it is told to.
struct Blocks(Mutex<mpsc::Receiver<()>>);

impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        let _ = self.0.lock().unwrap().recv();
    }
}

#[test]
fn a_waker_that_blocks_never_keeps_the_agent_from_answering() {
    let (release, released) = mpsc::channel();
    let waker = Waker::from(Arc::new(Blocks(Mutex::new(released))));
    let task = backtrace_waker::Tracer::new().named("its waker blocks").trace(std::future::pending::<()>());
    let handle = task.handle();
    let mut task = std::pin::pin!(task);
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let agent = OwnAgent::start();
    let stuck = connect(agent.socket());
    support::send(&stuck, &request("GET", &format!("/debug/async/tasks/{}?timeout_ms=60000", handle.id())));
    // Woken, and not returned from that.
    let began = Instant::now();
    while handle.state().name() != "woken" {
        assert!(began.elapsed() < PATIENCE, "it is asked");
        std::thread::yield_now();
    }
    assert!(answers(&agent));
    assert_eq!(agent.get("/debug/async/tasks?filter=name:blocks").status, 200);
    let refused = agent.get("/debug/async/dump?timeout_ms=1");
    assert_eq!(refused.status, 503, "{}", refused.text());
    drop(release);
    // Whoever waits may have what there is, and the next one gets his turn.
    let mut received = Vec::new();
    let shut = stuck.shutdown(Shutdown::Both);
    assert!(shut.is_ok() && (&stuck).read_to_end(&mut received).is_ok());
    assert_eq!(agent.get("/debug/async/dump?timeout_ms=50000&filter=name:nobody").status, 200);
}

#[test]
#[cfg(target_os = "linux")]
fn no_signal_of_the_program_is_handled_on_the_agents_threads() {
    let agent = OwnAgent::start();
    // So that a thread has been started that makes answers.
    assert_eq!(agent.get("/debug/async/tasks").status, 200);
    let mut seen = 0;
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        let thread = thread.unwrap().path();
        // A thread of another test may be gone.
        let Ok(name) = std::fs::read_to_string(thread.join("comm")) else { continue };
        let Ok(status) = std::fs::read_to_string(thread.join("status")) else { continue };
        if !name.starts_with("bw-agent") {
            continue;
        }
        seen += 1;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
        let is_blocked = |signal: i32| mask & (1 << (signal - 1)) != 0;
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGCHLD, libc::SIGPROF]
        {
            assert!(is_blocked(signal), "{name}: {signal} in {mask:x}");
        }
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT] {
            assert!(!is_blocked(fault), "{name}: {fault} in {mask:x}");
        }
    }
    assert!(seen >= 2, "{seen}");
    // Nor is the mask of who started it changed.
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
    assert_eq!(u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (libc::SIGTERM - 1)), 0, "{mask}");
}

#[test]
fn a_huge_hostile_name_never_makes_a_huge_or_hostile_answer() {
    let name = format!("huge \u{1b}[2J\u{202e}</script>{}", "x".repeat(2 << 20));
    let _task = backtrace_waker::Tracer::new().named(name).trace(std::future::pending::<()>());
    let agent = OwnAgent::told(|builder| builder.size_cap(1 << 20));
    for target in ["dump?debug=1&", "dump?debug=2&", "tasks?"] {
        let answer = agent.get(&format!("/debug/async/{target}filter=name:huge"));
        assert_eq!(answer.status, 200, "{target}");
        assert!(
            answer.body.len() < 10_000 && answer.text().contains("huge"),
            "{target}: {}",
            answer.body.len()
        );
        assert!(!answer.text().contains(['\u{1b}', '\u{202e}']), "{target}");
    }
    for target in ["dump?format=json&", "dump?format=html&", "tasks?format=json&"] {
        assert_eq!(agent.get(&format!("/debug/async/{target}filter=name:huge")).status, 503, "{target}");
    }
}

/// Calls itself, in boxes.
fn deep(levels: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match levels {
            0 => tokio::time::sleep(Duration::from_secs(3_600)).await,
            _ => deep(levels - 1).await,
        }
    })
}

#[test]
fn a_very_deep_task_never_overflows_a_stack_of_the_agent() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_stack_size(512 << 20)
        .enable_all()
        .build()
        .unwrap();
    let task = backtrace_waker::Tracer::new().named("deep").trace(deep(10_000));
    let handle = task.handle();
    runtime.spawn(task);
    handle.capture_blocking(PATIENCE).unwrap();
    let agent = OwnAgent::start();
    for how in [
        "debug=1",
        "debug=2",
        "detail=full",
        "format=json",
        "format=folded",
        "format=html",
        "debug=0",
        "format=raw",
    ] {
        let answer = agent.get(&format!("/debug/async/dump?{how}&timeout_ms=60000&filter=name:deep"));
        assert_eq!(answer.status, 200, "{how}");
        assert_eq!(answer.header("backtrace-waker-partial"), None, "{how}");
    }
    assert_eq!(agent.get(&format!("/debug/async/tasks/{}", handle.id())).status, 200);
}

#[test]
#[cfg(target_os = "linux")]
fn no_program_that_is_started_inherits_a_descriptor() {
    let agent = OwnAgent::told(|builder| builder.tcp(([127, 0, 0, 1], 0)));
    let _open = connect(agent.socket());
    assert!(answers(&agent));
    let links = std::process::Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    let links = String::from_utf8(links.stdout).unwrap();
    assert!(links.contains(" -> ") && !links.contains("socket:") && !links.contains("anon_inode"), "{links}");
}

#[test]
fn stopping_in_the_middle_of_a_dump_breaks_it_off() {
    let task = backtrace_waker::Tracer::new().named("stopped").trace(std::future::pending::<()>());
    let mut task = std::pin::pin!(task);
    assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let agent = OwnAgent::start();
    let stream = connect(agent.socket());
    support::send(&stream, &request("GET", "/debug/async/dump?timeout_ms=60000&filter=name:stopped"));
    let socket = agent.socket().to_owned();
    agent.agent().stop();
    assert!(!socket.exists());
    // In its whole answer, or none of it, if it was not accepted yet.
    let mut received = Vec::new();
    let _ = (&stream).read_to_end(&mut received);
    assert!(received.is_empty(), "{}", String::from_utf8_lossy(&received));
    agent.agent().stop();
}

#[test]
fn an_agent_is_started_and_stopped_inside_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let agent = OwnAgent::start();
        assert!(answers(&agent));
        let folder = support::Folder::new();
        // Also where it fails after its own runtime was made.
        std::fs::write(folder.join("file"), "").unwrap();
        bw_agent::builder().socket(folder.join("file")).start().unwrap_err();
    });
}
