//! A program that notices when it is interrupted, and programs that do not hold still. A test looks at them from outside.

use std::io::{BufRead as _, Error, ErrorKind};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The variable that says what the program does.
pub(crate) const MODE: &str = "HARM_MODE";

const LONG: Duration = Duration::from_secs(86_400);

/// System calls that threads wait in, and how often each ended with `EINTR`.
static INTERRUPTED: [(&str, AtomicU64); 4] = [
    ("epoll_wait", AtomicU64::new(0)),
    ("recv", AtomicU64::new(0)),
    ("accept", AtomicU64::new(0)),
    ("futex", AtomicU64::new(0)),
];

/// How many signals were handled.
static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handle(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

fn count_signals() {
    for signal in [libc::SIGUSR1, libc::SIGRTMIN()] {
        // SAFETY: the handler only adds to a number.
        unsafe { libc::signal(signal, handle as *const () as libc::sighandler_t) };
    }
    println!("\ncounter {}", HANDLED.as_ptr() as usize);
}

/// Starts a thread that waits in a call again and again.
fn waits(number: usize, mut call: impl FnMut() -> i64 + Send + 'static) {
    std::thread::spawn(move || {
        loop {
            let result = call();
            assert!(result < 0, "nothing ever happens");
            match Error::last_os_error().kind() {
                ErrorKind::Interrupted => {
                    INTERRUPTED[number].1.fetch_add(1, Ordering::SeqCst);
                }
                error => panic!("{}: {error}", INTERRUPTED[number].0),
            }
        }
    });
}

fn start_waits() -> std::io::Result<()> {
    // SAFETY: creates a descriptor.
    let epoll = unsafe { libc::epoll_create1(0) };
    assert!(epoll >= 0);
    waits(0, move || {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: there is room for one event.
        i64::from(unsafe { libc::epoll_wait(epoll, &raw mut event, 1, -1) })
    });
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(LONG))?;
    waits(1, move || socket.recv(&mut [0]).map_or(-1, |_| 0));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let time = libc::timeval { tv_sec: 86_400, tv_usec: 0 };
    let length = libc::socklen_t::try_from(size_of_val(&time)).map_err(Error::other)?;
    let descriptor = listener.as_raw_fd();
    // SAFETY: the option takes a value of this type and length.
    let set = unsafe {
        libc::setsockopt(descriptor, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const time).cast(), length)
    };
    assert_eq!(set, 0);
    waits(2, move || {
        // SAFETY: the address of the other end is not asked for.
        i64::from(unsafe { libc::accept(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut()) })
    });
    static WORD: AtomicU32 = AtomicU32::new(0);
    waits(3, || {
        let time = libc::timespec { tv_sec: 86_400, tv_nsec: 0 };
        // SAFETY: the word and the time live through the call.
        unsafe { libc::syscall(libc::SYS_futex, WORD.as_ptr(), libc::FUTEX_WAIT, 0, &raw const time) }
    });
    Ok(())
}

/// Waits as `vfork` does: the kernel lets no signal interrupt the thread until its child ends.
fn wait_for_child_that_waits() {
    let flags = libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: without CLONE_VM the child has memory of its own, as after `fork`. It only makes system calls.
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    if child == 0 {
        // SAFETY: the child ends together with its parent.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        loop {
            // SAFETY: waits for a signal.
            unsafe { libc::pause() };
        }
    }
    assert!(child > 0);
    std::thread::sleep(LONG);
}

/// A few tasks to look at.
fn start_tasks() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| {
            runtime.block_on(async {
                for _ in 0..3 {
                    tokio::spawn(tokio::time::sleep(LONG));
                }
                tokio::time::sleep(LONG).await;
            });
        })
    });
}

/// Runs until it is killed.
pub(crate) fn run() -> std::io::Result<()> {
    start_tasks();
    match std::env::var(MODE).as_deref() {
        Ok("threads") => {
            println!("\nready");
            loop {
                std::thread::spawn(|| std::thread::sleep(Duration::from_millis(1))).join().ok();
                for _ in 0..4 {
                    std::thread::spawn(|| std::hint::black_box(vec![0_u8; 4096]));
                }
            }
        }
        Ok("forks") => {
            println!("\nready");
            loop {
                Command::new("true").status()?;
            }
        }
        Ok("execs") => {
            println!("\nready");
            std::thread::sleep(Duration::from_millis(20));
            let arguments: Vec<String> = std::env::args().collect();
            Err(Command::new(&arguments[0]).args(&arguments[1..]).exec())
        }
        Ok("uninterruptible") => {
            std::thread::spawn(wait_for_child_that_waits);
            println!("\nready");
            std::thread::sleep(LONG);
            Ok(())
        }
        Ok("large") => {
            let memory = std::hint::black_box(vec![1_u8; 136 << 20]);
            println!("\nready");
            std::thread::sleep(LONG);
            drop(memory);
            Ok(())
        }
        _ => {
            start_waits()?;
            count_signals();
            println!("ready");
            for line in std::io::stdin().lock().lines() {
                line?;
                let counts = INTERRUPTED
                    .iter()
                    .map(|(name, count)| format!("{name}={}", count.load(Ordering::SeqCst)));
                println!("{}", counts.collect::<Vec<_>>().join(" "));
            }
            Ok(())
        }
    }
}
