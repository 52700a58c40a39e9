//! What a look from outside does to a process: nothing by default, and with a stop what is documented.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used)]

mod program;
mod victim;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use bw_core::TaskRecord;
use bw_inspect::target::{LiveProcess, OpenError};
use bw_inspect::{Inspection, Limits, inspect, inspect_stopped};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use victim::Victim;

/// How long threads may be stopped at most: more than a busy machine takes.
const MOST: Duration = Duration::from_secs(10);

/// The tasks. What threads wait for in `block_on` has a name, and tasks have none yet.
fn tasks(looked: &Inspection) -> Vec<&TaskRecord> {
    looked.dump().tasks().iter().filter(|task| task.name().is_none()).collect()
}

#[test]
#[ignore = "this is the program that the other tests start and look at"]
fn the_program() {
    program::run().unwrap();
}

fn look(process: &LiveProcess) -> Result<Inspection, OpenError> {
    inspect(process, &Limits::default())
}

fn stop_and_look(process: &LiveProcess) -> Result<Inspection, OpenError> {
    inspect_stopped(process, &Limits::default(), MOST)
}

#[test]
fn a_look_interrupts_system_calls() {
    let mut victim = Victim::new("waits");
    // Since a thread may not have come to its call, or may have been interrupted by what starts it.
    victim.wait_until("S");
    let before = victim.interrupted();
    let process = victim.open();
    let until = Instant::now() + Duration::from_millis(2500);
    let mut looks = 0;
    while looks < 300 && Instant::now() < until {
        assert_eq!(tasks(&look(&process).unwrap()).len(), 3);
        looks += 1;
    }
    assert_eq!(victim.interrupted(), before, "after {looks} looks");
    println!("{looks} looks");
    for _ in 0..3 {
        let looked = stop_and_look(&process).unwrap();
        assert_eq!(tasks(&looked).len(), 3);
        assert!(looked.dump().pause().is_some() && looked.dump().notes().is_empty(), "{looked:?}");
        victim.wait_until("S");
    }
    // These are the documented ones. A futex wait goes on.
    let names = ["epoll_wait", "recv", "accept", "futex"];
    let after = victim.interrupted();
    let grew: Vec<_> = names.into_iter().filter(|name| after[*name] > before[*name]).collect();
    assert_eq!(grew, ["epoll_wait", "recv", "accept"], "{after:?}");
}

#[test]
fn a_stopped_process_runs_on_when_it_is_looked_at() {
    let victim = Victim::new("waits");
    kill(victim.pid(), Signal::SIGSTOP).unwrap();
    victim.wait_until("T");
    let process = victim.open();
    let said = format!("the process is stopped, and `kill -CONT {}` makes it go on", victim.pid());
    for _ in 0..3 {
        for looked in [look(&process).unwrap(), stop_and_look(&process).unwrap()] {
            assert_eq!(tasks(&looked).len(), 3);
            assert_eq!(looked.dump().notes(), std::slice::from_ref(&said));
        }
        victim.wait_until("T");
    }
    kill(victim.pid(), Signal::SIGCONT).unwrap();
    victim.wait_until("S");
    assert!(look(&process).unwrap().dump().notes().is_empty());
}

#[test]
fn a_signal_that_comes_while_threads_stop_is_lost() {
    let victim = Victim::new("waits");
    let process = victim.open();
    let mut sent = victim.handled(&process);
    // One that has a name, and one that has none.
    for signal in [libc::SIGUSR1, libc::SIGRTMIN()] {
        std::thread::scope(|scope| {
            let looks = scope.spawn(|| {
                // Most of the time is for the stop, and none for tasks.
                let mut limits = Limits::default();
                limits.data_bytes = 0;
                let until = Instant::now() + Duration::from_millis(1500);
                while Instant::now() < until {
                    inspect_stopped(&process, &limits, MOST).unwrap();
                }
            });
            while !looks.is_finished() {
                // SAFETY: sends a signal to a child that this test started.
                assert_eq!(unsafe { libc::kill(victim.pid().as_raw(), signal) }, 0);
                sent += 1;
                let until = Instant::now() + Duration::from_secs(20);
                while victim.handled(&process) != sent {
                    assert!(Instant::now() < until, "signal {sent} of number {signal} was lost");
                    std::hint::spin_loop();
                }
            }
            looks.join().unwrap();
        });
    }
    println!("{sent} signals");
}

#[test]
fn a_process_that_another_one_traces_is_not_looked_at() {
    let victim = Victim::new("waits");
    let process = victim.open();
    let pid = victim.pid();
    let (seized, is_seized) = std::sync::mpsc::channel();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            ptrace::seize(pid, ptrace::Options::empty()).unwrap();
            seized.send(()).unwrap();
            is_done.recv().ok();
        });
        is_seized.recv().unwrap();
        assert_eq!(tasks(&look(&process).unwrap()).len(), 3);
        let error = stop_and_look(&process).unwrap_err();
        assert!(
            matches!(&error, OpenError::Traced { tracer, .. } if *tracer == std::process::id()),
            "{error}"
        );
        assert!(error.help().unwrap().contains("leave out --stop"));
        assert!(error.to_string().contains(" traces it"), "{error}");
        // Traced, and not stopped by that.
        assert!(look(&process).unwrap().dump().notes().is_empty());
        drop(done);
    });
    // What was stopped before the error goes on.
    victim.wait_until("S");
}

#[test]
fn a_process_that_does_not_hold_still_does_harm() {
    for mode in ["threads", "forks", "execs"] {
        let victim = Victim::new(mode);
        let until = Instant::now() + Duration::from_millis(700);
        let mut looks = [0; 2];
        while Instant::now() < until || looks.contains(&0) {
            let Ok(process) = LiveProcess::open(victim.pid().as_raw().unsigned_abs()) else { continue };
            for (number, result) in [look(&process), stop_and_look(&process)].into_iter().enumerate() {
                match result {
                    Ok(_) => looks[number] += 1,
                    Err(error) => assert!(error.is_end(), "{mode}: {error}"),
                }
            }
        }
        victim.assert_runs();
        println!("{mode}: {looks:?} looks");
    }
}

#[test]
fn an_end_while_threads_are_stopped_does_harm() {
    for delay in (0..6).map(|number| Duration::from_millis(number * 9)) {
        let mut victim = Victim::new("waits");
        let process = victim.open();
        std::thread::scope(|scope| {
            let looks = scope.spawn(|| {
                let result = loop {
                    let Err(error) = stop_and_look(&process) else { continue };
                    break error;
                };
                assert!(result.is_end(), "{result}");
            });
            let from = Instant::now();
            while from.elapsed() < delay {
                std::thread::yield_now();
            }
            victim.end();
            looks.join().unwrap();
        });
    }
}

#[test]
fn more_memory_than_is_copied_whole_takes_long() {
    let victim = Victim::new("large");
    let process = victim.open();
    let looked = stop_and_look(&process).unwrap();
    let tasks = tasks(&looked);
    assert_eq!(tasks.len(), 3);
    assert!(tasks.iter().all(|task| task.trace().is_ok() && task.incomplete().is_none()), "{tasks:?}");
    let notes = looked.dump().notes();
    assert!(notes.len() == 1 && notes[0].starts_with("the process has more memory than"), "{notes:?}");
    // Less than what is there: it has 136 MiB besides.
    assert!(looked.figures().searched_bytes < 64 << 20, "{:?}", looked.figures());
}

#[test]
fn a_limit_that_is_over_loses_tasks() {
    let victim = Victim::new("waits");
    let looked = inspect_stopped(&victim.open(), &Limits::default(), Duration::ZERO).unwrap();
    assert_eq!(tasks(&looked).len(), 3);
    let notes = looked.dump().notes();
    assert!(
        notes[0].contains("they ran while memory was read") || notes[0].contains("read while they ran"),
        "{notes:?}"
    );
    victim.wait_until("S");
}

#[test]
fn a_thread_that_cannot_be_interrupted_is_waited_for_or_stays_traced() {
    let victim = Victim::new("uninterruptible");
    let process = victim.open();
    let looked = look(&process).unwrap();
    assert_eq!(tasks(&looked).len(), 3);
    assert!(tasks(&looked).iter().all(|task| task.trace().is_ok()) && looked.dump().notes().is_empty());

    let most = Duration::from_millis(200);
    let looked = inspect_stopped(&process, &Limits::default(), most).unwrap();
    assert_eq!(tasks(&looked).len(), 3);
    let pause = looked.dump().pause().unwrap();
    // A busy machine may take its time on the way out.
    assert!((most..MOST).contains(&pause), "{pause:?}");
    let notes = looked.dump().notes();
    assert_eq!(notes, ["not all threads stopped within 200 ms, so they ran while memory was read"]);
    assert!(!victim.is_traced());
    victim.assert_runs();
    // The wait ends as if nobody had looked.
    victim.end_children();
    victim.wait_until("S");
}

#[test]
fn a_process_in_a_container_is_shown_without_its_threads() {
    let Some(victim) = Victim::in_container() else {
        println!("not tested, since no process can be started in a namespace of its own");
        return;
    };
    let looked = look(&victim.open()).unwrap();
    let tasks = tasks(&looked);
    assert_eq!(tasks.len(), 3);
    assert!(tasks.iter().all(|task| task.trace().is_ok() && task.incomplete().is_none()), "{tasks:?}");
}

/// A program of 32 bits that waits: `pause` again and again.
const PROGRAM_OF_32_BITS: [u8; 93] = [
    // The ELF header: little-endian, 32 bits, an executable for the 80386 that begins at 0x8048054.
    0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 1, 0, 0, 0, 0x54, 0x80, 4, 8, 52,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0,
    // Its only segment: this file, at 0x8048000.
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 4, 8, 0, 0x80, 4, 8, 93, 0, 0, 0, 93, 0, 0, 0, 5, 0, 0, 0, 0, 0x10, 0, 0,
    // mov eax, 29; int 0x80; jmp to the first
    0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7,
];

#[test]
fn a_program_of_32_bits_is_taken_for_one_of_64() {
    let path = std::env::temp_dir().join(format!("harm-32-{}", std::process::id()));
    std::fs::write(&path, PROGRAM_OF_32_BITS).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let started = Command::new(&path).spawn();
    let result = started.map(|mut child| {
        let opened = LiveProcess::open(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        opened
    });
    std::fs::remove_file(&path).unwrap();
    match result {
        Ok(opened) => {
            let error = opened.unwrap_err();
            assert!(matches!(error, OpenError::OtherArchitecture { is_32_bit: true, .. }), "{error}");
        }
        Err(error) => println!("not tested, since no program of 32 bits can be started: {error}"),
    }
}

#[test]
fn a_thread_of_the_kernel_is_taken_for_a_program() {
    let is_kernels = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|it| it.contains("\nKthread:\t1\n"))
    };
    let Some(pid) = (2..100).find(is_kernels) else {
        println!("not tested, since no thread of the kernel is visible");
        return;
    };
    let error = LiveProcess::open(pid).unwrap_err();
    assert!(matches!(error, OpenError::KernelThread { .. } | OpenError::OtherUser { .. }), "{error}");
}
