//! Frames of C code, in a library that is loaded after the first capture, built in every way that concerns unwinding.

use std::future::poll_fn;
use std::task::Poll;

use crate::drive::{Cases, EITHER, Expect, FALLS_BACK};
use crate::library::{self, FUNCTIONS, Library};

/// Whether the rules do it, and whether anything does, depends on the flags and on the compiler; that all agree does not.
const ANY: Expect = Expect { truncated: None, ..EITHER };

const FLAGS: &[(&str, &[&str])] = &[
    ("debug", &["-O0", "-g"]),
    ("optimized", &["-O2"]),
    ("omit_frame_pointer", &["-O2", "-fomit-frame-pointer"]),
    ("frame_pointer", &["-O2", "-fno-omit-frame-pointer"]),
    ("debug_omit_frame_pointer", &["-O0", "-fomit-frame-pointer"]),
    ("no_tables", &["-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-exceptions"]),
    (
        "no_tables_frame_pointer",
        &["-O2", "-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"],
    ),
    ("synchronous_tables", &["-O2", "-fno-asynchronous-unwind-tables", "-funwind-tables"]),
    ("no_header", &["-O2", "-Wl,--no-eh-frame-hdr"]),
    ("sections", &["-O2", "-ffunction-sections", "-Wl,-z,separate-code"]),
    ("one_segment", &["-O2", "-Wl,-z,noseparate-code", "-s"]),
    ("size", &["-Os"]),
    ("fast", &["-O3", "-fno-plt", "-fno-stack-protector", "-fno-reorder-functions"]),
    ("stack_protector", &["-O2", "-fstack-protector-all", "-fstack-clash-protection"]),
    #[cfg(target_arch = "x86_64")]
    ("realign", &["-O2", "-mstackrealign"]),
    #[cfg(target_arch = "x86_64")]
    ("push_arguments", &["-O2", "-mpush-args", "-mno-accumulate-outgoing-args", "-mno-red-zone"]),
    #[cfg(target_arch = "aarch64")]
    ("signed_return_addresses", &["-O2", "-mbranch-protection=standard"]),
    #[cfg(target_arch = "aarch64")]
    ("signed_leaves", &["-O2", "-mbranch-protection=pac-ret+leaf"]),
];

pub(crate) fn run(cases: &mut Cases) {
    moved_headers(cases);
    for (name, flags) in FLAGS {
        let names = FUNCTIONS.map(|function| format!("C {name} {}", function.to_string_lossy()));
        if !names.iter().any(|name| cases.wanted(name)) {
            continue;
        }
        let Some(path) = library::compile(name, flags) else { continue };
        let library = Library::load(&path);
        for (name, function) in names.iter().zip(FUNCTIONS) {
            cases.check(
                name,
                ANY,
                poll_fn(|cx| {
                    library.call(function, cx.waker());
                    Poll::<()>::Pending
                }),
            );
        }
    }
    library::clean();
}

/// A library whose program headers are at the end of its file, which is not mapped. Tools that rewrite binaries do this.
fn moved_headers(cases: &mut Cases) {
    const NAME: &str = "moved program headers";
    if !cases.wanted(NAME) {
        return;
    }
    let Some(path) = library::compile("moved", &["-O2", "-Wl,--build-id"]) else { return };
    let mut file = std::fs::read(&path).expect("it was just compiled");
    let half = |file: &[u8], at: usize| usize::from(u16::from_ne_bytes([file[at], file[at + 1]]));
    // `e_phoff`, `e_phentsize` and `e_phnum`.
    let start = file[32..40].try_into().map(u64::from_ne_bytes).expect("eight bytes");
    let start = usize::try_from(start).expect("64 bits");
    let headers = file[start..start + half(&file, 54) * half(&file, 56)].to_vec();
    file.resize(file.len().next_multiple_of(0x10_0000), 0);
    let moved = file.len() as u64;
    file[32..40].copy_from_slice(&moved.to_ne_bytes());
    file.extend(headers);
    std::fs::write(&path, file).expect("it was just compiled");
    let library = Library::load(&path);
    cases.check(
        NAME,
        FALLS_BACK,
        poll_fn(|cx| {
            library.call(c"call", cx.waker());
            Poll::<()>::Pending
        }),
    );
}
