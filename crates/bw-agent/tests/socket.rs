//! The socket file: whose it is, where it is, and what becomes of it. Most of these tests start this program once more, as a
//! process that has an agent.

#![cfg(unix)]
// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod process;
mod support;

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

use process::{Process, cannot_run, is_root, may_mount, program, role};
use support::{Answer, Folder, connect, exchange, get, request};

/// A user that is not this one.
const STRANGER: u32 = 65_534;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

/// A folder that this user alone may enter, as `$XDG_RUNTIME_DIR` is one.
fn session() -> Folder {
    let folder = Folder::new();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    folder
}

fn socket_in(session: &Folder, name: &str) -> PathBuf {
    session.join("backtrace-waker").join(name)
}

/// A socket file on which nobody listens.
fn make_stale(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

fn pid_at(socket: &Path) -> u64 {
    get(socket, "/debug/async/process").json()["pid"].as_u64().unwrap()
}

#[test]
fn the_socket_is_in_a_folder_of_this_user_alone_and_removed_at_exit() {
    role::agent();
    let session = session();
    let mut process =
        Process::agent("the_socket_is_in_a_folder_of_this_user_alone_and_removed_at_exit", &session);
    let socket = socket_in(&session, &format!("{}.sock", process.id()));
    assert_eq!(process.socket(), socket);
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    assert_eq!(pid_at(&socket), u64::from(process.id()));
    // By `exit`, from `main`.
    assert!(process.ends_well());
    assert!(!socket.exists());
}

#[test]
fn sigterm_ends_the_process_as_ever_and_the_next_agent_removes_its_socket() {
    role::agent();
    let test = "sigterm_ends_the_process_as_ever_and_the_next_agent_removes_its_socket";
    let session = session();
    let mut process = Process::agent(test, &session);
    let socket = process.socket().to_owned();
    assert_eq!(process.ends_by(rustix::process::Signal::TERM), Some(libc::SIGTERM));
    assert!(socket.exists());
    let mut next = Process::agent(test, &session);
    assert!(!socket.exists() && next.socket().exists());
    assert!(next.ends_well());
}

#[test]
fn without_a_folder_of_the_session_the_socket_is_in_tmp() {
    role::agent();
    let test = "without_a_folder_of_the_session_the_socket_is_in_tmp";
    let open = session();
    fs::set_permissions(open.path(), Permissions::from_mode(0o755)).unwrap();
    let user = fs::metadata("/proc/self").unwrap().uid();
    for session in ["", "relative", "/nowhere/at/all", open.path().to_str().unwrap()] {
        let mut process =
            Process::start(program(test).env("XDG_RUNTIME_DIR", session).env("BW_AGENT_ROLE", "agent"));
        let socket = PathBuf::from(format!("/tmp/backtrace-waker-{user}/{}.sock", process.id()));
        assert_eq!(process.socket(), socket, "{session}");
        assert_eq!(mode(socket.parent().unwrap()), 0o700);
        assert!(process.ends_well() && !socket.exists());
    }
}

#[test]
fn a_folder_that_is_not_this_users_alone_is_refused() {
    role::agent();
    let test = "a_folder_that_is_not_this_users_alone_is_refused";
    let refusal = |session: &Folder| Process::agent(test, session).refusal();

    let linked = session();
    let target = session();
    symlink(target.path(), linked.join("backtrace-waker")).unwrap();
    let said = refusal(&linked);
    assert!(said.contains("is a symbolic link") && said.contains("BACKTRACE_WAKER_SOCKET"), "{said}");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);

    let open = session();
    fs::create_dir(open.join("backtrace-waker")).unwrap();
    fs::set_permissions(open.join("backtrace-waker"), Permissions::from_mode(0o770)).unwrap();
    let said = refusal(&open);
    assert!(said.contains("has the mode 770 and not 700"), "{said}");

    let file = session();
    fs::write(file.join("backtrace-waker"), "").unwrap();
    let said = refusal(&file);
    assert!(said.contains("is no folder"), "{said}");

    if !is_root() {
        return cannot_run("a folder of somebody else; only root can make one");
    }
    let theirs = session();
    fs::create_dir(theirs.join("backtrace-waker")).unwrap();
    fs::set_permissions(theirs.join("backtrace-waker"), Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(theirs.join("backtrace-waker"), Some(STRANGER), None).unwrap();
    let said = refusal(&theirs);
    assert!(said.contains("belongs to the user 65534 and not to 0"), "{said}");
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else_is() {
    let folder = Folder::new();
    let path = folder.join("agent.sock");
    make_stale(&path);
    let agent = bw_agent::builder().socket(&path).start().unwrap();
    assert_eq!(agent.socket(), Some(&*path));
    assert_eq!(mode(&path), 0o600);
    assert_eq!(pid_at(&path), u64::from(std::process::id()));

    // A live one stays, and so does its agent.
    let error = bw_agent::builder().socket(&path).start().unwrap_err().to_string();
    assert!(error.contains("another agent listens on") && error.contains("AgentBuilder::socket"), "{error}");
    assert_eq!(pid_at(&path), u64::from(std::process::id()));
    agent.stop();
    assert!(!path.exists());

    // One that was made and does not listen yet is live.
    let bound = bind_without_listening(&path);
    bw_agent::builder().socket(&path).start().unwrap_err();
    assert!(path.exists());
    drop(bound);

    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    let error = bw_agent::builder().socket(&path).start().unwrap_err().to_string();
    assert!(error.contains("is no socket, so it is left alone"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

    let link = folder.join("link.sock");
    symlink(&path, &link).unwrap();
    bw_agent::builder().socket(&link).start().unwrap_err();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    // Nothing was left beside them.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

fn bind_without_listening(path: &Path) -> rustix::fd::OwnedFd {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, socket};
    let bound = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&bound, &SocketAddrUnix::new(path).unwrap()).unwrap();
    bound
}

#[test]
fn what_killed_processes_left_is_swept() {
    role::agent();
    let test = "what_killed_processes_left_is_swept";
    let session = session();
    let mut killed = Process::agent(test, &session);
    killed.kill();
    assert!(killed.socket().exists());
    let live = Process::agent(test, &session);
    assert!(!killed.socket().exists());
    // What is not an agent's is nobody's to sweep.
    make_stale(&socket_in(&session, "mine.sock"));
    fs::write(socket_in(&session, "1.sock"), "").unwrap();
    let other = Process::agent(test, &session);
    assert!(socket_in(&session, "mine.sock").exists() && socket_in(&session, "1.sock").exists());
    assert_eq!(pid_at(live.socket()), u64::from(live.id()));
    assert_eq!(pid_at(other.socket()), u64::from(other.id()));
}

#[test]
fn two_agents_in_one_process_do_not_meet() {
    role::two_agents();
    let session = session();
    let mut process = Process::in_role("two_agents_in_one_process_do_not_meet", "two agents", &session);
    let second = PathBuf::from(process.line());
    assert_eq!(process.socket(), socket_in(&session, &format!("{}.sock", process.id())));
    assert_eq!(second, socket_in(&session, &format!("{}.1.sock", process.id())));
    assert_eq!([pid_at(process.socket()), pid_at(&second)], [u64::from(process.id()); 2]);
    process.go_on();
    assert_eq!(process.line(), "stopped the first");
    assert!(!process.socket().exists());
    assert_eq!(pid_at(&second), u64::from(process.id()));
    assert!(process.ends_well());
    assert!(!second.exists());
}

#[test]
fn processes_of_one_number_in_other_namespaces_do_not_meet() {
    role::agent();
    let test = "processes_of_one_number_in_other_namespaces_do_not_meet";
    let session = session();
    let contained = || {
        let mut command = std::process::Command::new("unshare");
        command.args(["-r", "-p", "-f", "--mount-proc"]);
        command
    };
    if !contained().arg("true").output().is_ok_and(|output| output.status.success()) {
        return cannot_run("unshare -r -p -f --mount-proc is not permitted here");
    }
    let start = || {
        let mut command = contained();
        command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
        Process::start(command.env("BW_AGENT_ROLE", "agent").env("XDG_RUNTIME_DIR", session.path()))
    };
    let (mut first, mut second) = (start(), start());
    assert_eq!(first.socket(), socket_in(&session, "1.sock"));
    assert_eq!(second.socket(), socket_in(&session, "1.1.sock"));
    assert_eq!([pid_at(first.socket()), pid_at(second.socket())], [1, 1]);
    assert!(first.ends_well());
    assert!(!socket_in(&session, "1.sock").exists());
    assert_eq!(pid_at(second.socket()), 1);
    assert!(second.ends_well());
}

#[test]
fn a_forked_child_never_answers_for_its_parent_nor_removes_its_socket() {
    role::forks();
    let session = session();
    let test = "a_forked_child_never_answers_for_its_parent_nor_removes_its_socket";
    let mut parent = Process::in_role(test, "forks", &session);
    // Stopping it in the child, and ending the child by `exit`, did nothing to the parent's.
    assert_eq!(parent.line(), "the first child has ended");
    assert_eq!(pid_at(parent.socket()), u64::from(parent.id()));
    // Of those that are connected too the child has no copy.
    let stream = connect(parent.socket());
    support::send(&stream, &request("GET", "/debug/async/dump?timeout_ms=60000"));
    parent.go_on();
    let line = parent.line();
    let (child, socket_of_child) = line.split_once(' ').unwrap();
    let socket_of_child = Path::new(socket_of_child);
    assert_eq!(socket_of_child, socket_in(&session, &format!("{child}.sock")));
    assert_eq!(pid_at(socket_of_child).to_string(), child);
    assert_eq!(pid_at(parent.socket()), u64::from(parent.id()));
    parent.kill();
    // Who waits is told that there will be nothing, and who connects that nobody is there: neither hangs.
    let mut received = Vec::new();
    let _ = (&stream).read_to_end(&mut received);
    assert!(received.is_empty());
    assert!(UnixStream::connect(parent.socket()).is_err());
    assert_eq!(pid_at(socket_of_child).to_string(), child, "the child lives");
    process::end(child.parse().unwrap());
}

#[test]
fn a_process_that_is_killed_in_the_middle_of_a_dump_never_hangs_who_asks() {
    role::agent();
    let test = "a_process_that_is_killed_in_the_middle_of_a_dump_never_hangs_who_asks";
    let session = session();
    let mut process = Process::agent(test, &session);
    let stream = connect(process.socket());
    support::send(&stream, &request("GET", "/debug/async/dump?timeout_ms=60000"));
    // Taken, and not answered: another one is told that it has to wait.
    let began = Instant::now();
    while get(process.socket(), "/debug/async/dump?timeout_ms=1").status != 503 {
        assert!(began.elapsed() < support::PATIENCE, "nobody has to wait");
    }
    process.kill();
    let mut received = Vec::new();
    let _ = (&stream).read_to_end(&mut received);
    assert!(received.is_empty());
    // What it left is taken for what it is.
    let agent = bw_agent::builder().socket(process.socket()).start().unwrap();
    assert_eq!(pid_at(process.socket()), u64::from(std::process::id()));
    agent.stop();
}

#[test]
fn a_stopped_agent_leaves_no_socket_and_can_be_started_again() {
    let folder = Folder::new();
    let path = folder.join("agent.sock");
    for _ in 0..3 {
        let agent = bw_agent::builder().socket(&path).start().unwrap();
        assert_eq!(pid_at(&path), u64::from(std::process::id()));
        agent.stop();
        agent.stop();
        assert!(!path.exists());
        assert!(UnixStream::connect(&path).is_err());
    }
}

#[test]
fn a_dropped_agent_goes_on() {
    let folder = Folder::new();
    let path = folder.join("agent.sock");
    drop(bw_agent::builder().socket(&path).start().unwrap());
    assert_eq!(pid_at(&path), u64::from(std::process::id()));
}

#[test]
fn a_file_that_took_the_sockets_place_is_never_removed() {
    let folder = Folder::new();
    let path = folder.join("agent.sock");
    let agent = bw_agent::builder().socket(&path).start().unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    agent.stop();
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn another_user_is_refused() {
    role::connects();
    let test = "another_user_is_refused";
    if !is_root() {
        return cannot_run("only root can be another user");
    }
    let folder = Folder::new();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let agent = bw_agent::builder().socket(folder.join("agent.sock")).start().unwrap();
    let socket = agent.socket().unwrap();
    let stranger = |role: &str| {
        let process = Process::start(
            process::of_user(test, STRANGER, &folder)
                .env("BW_AGENT_ROLE", role)
                .env("BW_AGENT_SOCKET", socket),
        );
        process.first().to_owned()
    };
    assert_eq!(stranger("connects"), "cannot connect");
    // Where the file would let them in, they are looked at.
    fs::set_permissions(socket, Permissions::from_mode(0o666)).unwrap();
    assert_eq!(stranger("connects"), "closed without an answer");
    assert_eq!(pid_at(socket), u64::from(std::process::id()));
    agent.stop();
}

#[test]
fn root_may_ask_everybody() {
    role::agent();
    let test = "root_may_ask_everybody";
    if !is_root() {
        return cannot_run("only root is root");
    }
    let session = session();
    std::os::unix::fs::chown(session.path(), Some(STRANGER), None).unwrap();
    let program_folder = Folder::new();
    fs::set_permissions(program_folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut command = process::of_user(test, STRANGER, &program_folder);
    let mut process =
        Process::start(command.env("BW_AGENT_ROLE", "agent").env("XDG_RUNTIME_DIR", session.path()));
    assert_eq!(fs::metadata(process.socket()).unwrap().uid(), STRANGER);
    assert_eq!(pid_at(process.socket()), u64::from(process.id()));
    assert!(process.ends_well());
}

#[test]
fn a_folder_in_which_nothing_can_be_made_is_an_error_that_says_what_to_do() {
    role::agent();
    let test = "a_folder_in_which_nothing_can_be_made_is_an_error_that_says_what_to_do";
    let says_what_to_do =
        |said: &str| said.contains("BACKTRACE_WAKER_SOCKET") && said.contains("AgentBuilder::socket");

    let missing = bw_agent::builder().socket("/nowhere/at/all/agent.sock").start().unwrap_err().to_string();
    assert!(says_what_to_do(&missing), "{missing}");
    let long = format!("/tmp/{}", "x".repeat(200));
    let long = bw_agent::builder().socket(long).start().unwrap_err().to_string();
    assert!(says_what_to_do(&long) && long.contains("shorter than about 100 bytes"), "{long}");

    if !may_mount() {
        return cannot_run("a disk that is full or read only; this process may not mount any");
    }
    for options in ["nr_inodes=2,mode=700", "ro,mode=700"] {
        let session = session();
        let said = process::with_mounted(test, options, session.path()).refusal();
        assert!(says_what_to_do(&said), "{options}: {said}");
    }
}

#[test]
fn a_disk_that_fills_up_later_never_keeps_an_agent_from_answering() {
    role::full_disk();
    let test = "a_disk_that_fills_up_later_never_keeps_an_agent_from_answering";
    // No byte can be written to any file: the socket is none.
    let session = session();
    let mut process = Process::in_role(test, "full disk", &session);
    let answer = get(process.socket(), "/debug/async/dump?format=raw&timeout_ms=10");
    assert_eq!((answer.status, answer.body[0]), (200, 0x1f));
    assert!(process.ends_well() && !process.socket().exists());
}

#[test]
fn the_operator_turns_it_off_or_moves_it() {
    role::agent();
    let test = "the_operator_turns_it_off_or_moves_it";
    let session = session();
    let start = |name: &str, value: &str| {
        let mut command = program(test);
        Process::start(
            command.env("BW_AGENT_ROLE", "agent").env("XDG_RUNTIME_DIR", session.path()).env(name, value),
        )
    };
    let off = start("BACKTRACE_WAKER", "off");
    assert_eq!(off.socket(), Path::new("none"));
    assert!(!session.join("backtrace-waker").exists());
    let moved = session.join("moved.sock");
    let process = start("BACKTRACE_WAKER_SOCKET", moved.to_str().unwrap());
    assert_eq!(process.socket(), moved);
    assert_eq!(pid_at(&moved), u64::from(process.id()));
    // A value that is none is warned of, and the agent is where it would be.
    let mut process = start("BACKTRACE_WAKER_TIMEOUT_MS", "soon");
    assert_eq!(process.socket(), socket_in(&session, &format!("{}.sock", process.id())));
    process.kill();
    let said = process.said();
    assert!(said.contains("BACKTRACE_WAKER_TIMEOUT_MS=\"soon\" is ignored: write milliseconds"), "{said}");
}

#[test]
fn what_the_operator_wants_in_vain_never_keeps_a_program_from_starting() {
    role::agent();
    let test = "what_the_operator_wants_in_vain_never_keeps_a_program_from_starting";
    let session = session();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let live = UnixListener::bind(session.join("live.sock")).unwrap();
    for (name, value, said) in [
        (
            "BACKTRACE_WAKER_TCP",
            taken.local_addr().unwrap().to_string(),
            "BACKTRACE_WAKER_TCP is ignored, as if it were not set: ",
        ),
        (
            "BACKTRACE_WAKER_SOCKET",
            session.join("live.sock").to_str().unwrap().into(),
            "another agent listens on",
        ),
        ("BACKTRACE_WAKER_SOCKET", "/nowhere/at/all.sock".into(), "cannot make a socket"),
    ] {
        let mut command = program(test);
        let command = command.env("BW_AGENT_ROLE", "agent").env("XDG_RUNTIME_DIR", session.path());
        let mut process = Process::start(command.env(name, value));
        assert_eq!(process.socket(), socket_in(&session, &format!("{}.sock", process.id())));
        assert_eq!(pid_at(process.socket()), u64::from(process.id()));
        process.kill();
        let warned = process.said();
        assert!(warned.contains(said) && !warned.contains("did not start"), "{warned}");
        if name == "BACKTRACE_WAKER_SOCKET" {
            let instead =
                format!("{name} is ignored, and the agent listens on {} instead: ", process.first());
            assert!(warned.contains(&instead), "{warned}");
        }
    }
    drop(live);
}

#[test]
fn the_port_that_the_operator_left_open_is_said() {
    role::agent();
    let test = "the_port_that_the_operator_left_open_is_said";
    let session = session();
    let mut command = program(test);
    let command = command.env("BW_AGENT_ROLE", "agent").env("XDG_RUNTIME_DIR", session.path());
    let mut process = Process::start(command.env("BACKTRACE_WAKER_TCP", "127.0.0.1:0"));
    let json = get(process.socket(), "/debug/async/process").json();
    let address: std::net::SocketAddr = json["tcp"].as_str().unwrap().parse().unwrap();
    assert_ne!(address.port(), 0);
    let stream = std::net::TcpStream::connect(address).unwrap();
    let answer = exchange(stream, &request("GET", "/debug/async/process")).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&answer));
    process.kill();
    let said = process.said();
    assert_eq!(
        said.matches(&format!("bw-agent: listens on http://{address}/debug/async/\n")).count(),
        1,
        "{said}"
    );
}

#[test]
fn a_client_that_goes_away_never_ends_a_program_that_did_not_ignore_that() {
    role::default_sigpipe();
    let test = "a_client_that_goes_away_never_ends_a_program_that_did_not_ignore_that";
    let session = session();
    let mut process = Process::in_role(test, "default sigpipe", &session);
    for _ in 0..3 {
        let stream = connect(process.socket());
        support::send(&stream, &request("GET", "/debug/async/tasks"));
        // Until it is being sent: more than a socket holds.
        (&stream).read_exact(&mut [0; 1]).unwrap();
        drop(stream);
        assert_eq!(pid_at(process.socket()), u64::from(process.id()));
    }
    assert!(process.ends_well());
}

#[test]
fn a_process_without_descriptors_answers_again_when_it_has_some() {
    role::descriptors();
    let test = "a_process_without_descriptors_answers_again_when_it_has_some";
    let session = session();
    let mut process = Process::in_role(test, "descriptors", &session);
    let stream = connect(process.socket());
    support::send(&stream, &request("GET", "/debug/async/process"));
    // It has none until now, so this is not accepted.
    process.go_on();
    let mut received = Vec::new();
    (&stream).read_to_end(&mut received).unwrap();
    assert_eq!(Answer::parse(&received).unwrap().status, 200);
    assert!(process.ends_well());
}

#[test]
fn a_mask_that_takes_all_rights_away_never_locks_the_agent_out() {
    role::masked();
    let test = "a_mask_that_takes_all_rights_away_never_locks_the_agent_out";
    for mask in ["777", "0"] {
        let session = session();
        let mut command = program(test);
        let process = Process::start(
            command
                .env("BW_AGENT_ROLE", "masked")
                .env("BW_AGENT_MASK", mask)
                .env("XDG_RUNTIME_DIR", session.path()),
        );
        assert_eq!(
            (mode(process.socket()), mode(process.socket().parent().unwrap())),
            (0o600, 0o700),
            "{mask}"
        );
        assert_eq!(pid_at(process.socket()), u64::from(process.id()));
    }
}

#[test]
fn a_client_gone_before_it_is_accepted_is_none_to_worry_about() {
    let folder = Folder::new();
    let agent = bw_agent::builder().socket(folder.join("agent.sock")).start().unwrap();
    for _ in 0..1_000 {
        drop(UnixStream::connect(agent.socket().unwrap()).unwrap());
    }
    let received =
        exchange(connect(agent.socket().unwrap()), &request("GET", "/debug/async/process")).unwrap();
    assert_eq!(Answer::parse(&received).unwrap().status, 200);
    agent.stop();
}
