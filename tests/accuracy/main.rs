//! Every function of a chain of awaits is there, in order, with the line of its `.await`: for each kind of leaf, in
//! every shape people write futures in, built without optimization, with it, and with thin LTO.
//!
//! ```text
//! cargo test -p tests --test accuracy
//! cargo test -p tests --test accuracy --release
//! cargo test -p tests --test accuracy --profile thin
//! ```
//!
//! What is expected does not depend on the profile, nor on whether the task's root future is boxed: see [`harness`].
#![allow(missing_docs, reason = "a test program")]

mod blocked;
mod channels;
mod combinators;
mod ends;
mod harness;
mod io;
mod names;
mod optimized;
mod printed;
mod services;
mod shapes;
mod share;
mod sync;
mod tasks;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod watched;
