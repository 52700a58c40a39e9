//! Every stack the rules recover is, address for address, the one the `backtrace` crate recovers.
//!
//! Each case polls one task again and again, by turns with each backend, through the same call sites; so whole stacks
//! can be compared. Inside the leaf function, beside the clone, the case asks `backtrace` itself, independently of this
//! crate. A program without the test harness, so that it can be built with `-C panic=abort`; `ci/equality` builds
//! it in every profile. Cases run one after the other: they count, and the counters are the whole process's.
//!
//! `equality [WORD]...` runs the cases whose names contain one of the words.

#[cfg(target_os = "linux")]
mod c_frames;
#[cfg(target_os = "linux")]
mod coroutines;
mod drive;
#[cfg(target_os = "linux")]
mod library;
mod rust_frames;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(target_os = "linux")]
mod unload;

use drive::Cases;

fn main() {
    // Given by cargo to every test program.
    let words = std::env::args().skip(1).filter(|word| !word.starts_with('-'));
    let mut cases = Cases::new(words.collect());
    println!(
        "equality: {} {}, panic={}, debug assertions {}, default backend {:?}",
        std::env::consts::ARCH,
        std::env::consts::OS,
        if cfg!(panic = "abort") { "abort" } else { "unwind" },
        if cfg!(debug_assertions) { "on" } else { "off" },
        bw_core::Backend::DEFAULT,
    );
    rust_frames::run(&mut cases);
    #[cfg(target_os = "linux")]
    {
        signals::run(&mut cases);
        c_frames::run(&mut cases);
        coroutines::run(&mut cases);
        unload::run(&mut cases);
    }
    cases.finish();
}
