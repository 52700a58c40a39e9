//! A waker that is cloned in a signal handler: nobody should, but the walk must survive it.

use std::cell::Cell;
use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::task::{Context, Poll, Waker};

use crate::drive::{Cases, EITHER, Expect, leaf};

thread_local!(static WAKER: Cell<*const Waker> = const { Cell::new(std::ptr::null()) });

extern "C" fn handler(_: libc::c_int) {
    // SAFETY: a waker that outlives the call of `raise`, set just before.
    leaf(unsafe { &*WAKER.get() });
}

fn install(signal: libc::c_int, flags: libc::c_int) {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let action = action.as_mut_ptr();
    // SAFETY: zeroed, which is valid for a structure of integers; no other reference to it.
    let action = unsafe { &mut *action };
    action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
    action.sa_flags = flags;
    // SAFETY: a handler of the type that these flags ask for; its raise is synchronous, so it may do what any
    // function may.
    assert_eq!(unsafe { libc::sigaction(signal, action, null_mut()) }, 0);
}

fn raises(cx: &Context<'_>, signal: libc::c_int) {
    WAKER.set(cx.waker());
    // SAFETY: the handler is installed.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

pub(crate) fn run(cases: &mut Cases) {
    install(libc::SIGUSR1, 0);
    cases.check(
        "signal handler",
        EITHER,
        poll_fn(|cx| {
            raises(cx, libc::SIGUSR1);
            Poll::<()>::Pending
        }),
    );
    const ON_ITS_OWN: &str = "signal handler on its own stack";
    // The one that the standard library has given this thread is too small for a hook.
    static mut STACK: [u128; 1 << 16] = [0; 1 << 16];
    let stack = libc::stack_t { ss_sp: (&raw mut STACK).cast(), ss_flags: 0, ss_size: 1 << 20 };
    // SAFETY: memory that is nobody else's, for ever.
    assert_eq!(unsafe { libc::sigaltstack(&raw const stack, null_mut()) }, 0);
    install(libc::SIGUSR2, libc::SA_ONSTACK);
    if !cases.wanted_on_another_stack(ON_ITS_OWN, stack.ss_sp.addr()) {
        return;
    }
    cases.check(
        ON_ITS_OWN,
        Expect { truncated: None, ..EITHER },
        poll_fn(|cx| {
            raises(cx, libc::SIGUSR2);
            Poll::<()>::Pending
        }),
    );
}
