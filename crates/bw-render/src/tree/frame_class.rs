//! Whose function a frame is: decided by its path and its file, never by addresses.

use std::collections::HashSet;

use bw_symbolize::Frame;

use crate::tree::Node;
use crate::tree::forwarding::{is_forwarding, type_and_trait};
use crate::tree::source_origin::SourceOrigin;

/// Whose a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The program's own.
    User,
    /// Unknown: neither name nor file. Shown, because it may be the program's.
    Nameless,
    /// A dependency's.
    Library,
    /// A dependency's as well, but it only waits for futures it was given: `timeout` says less than what it is around.
    Combinator,
    /// The standard library's.
    Std,
    /// Between a future and its poll, whoever it belongs to.
    Glue,
    /// This project's, on the way of the recording.
    Hook,
}

/// The module of the wrapper, whose poll is the root of every stack; then the names of the same functions in older dumps.
const TRACED_POLLS: &[&str] =
    &["bw_core::task::traced_task::", "bw_core::task::TracedTask", "bw_core::task::poll_attended"];

/// The module of the facade's wrapper, whose poll calls that of `bw_core`.
const FACADE_WRAPPER: &str = "backtrace_waker::task::traced_task::";

/// Libraries that are glue as a whole or in part, by path.
const GLUE: &[&str] = &[
    "backtrace_waker::tokio::timeout_in_test::",
    "backtrace_waker::tokio::timeout::",
    "tokio::future::maybe_done::",
    "tokio::future::poll_fn::",
    "tokio::future::try_join::",
    "tokio::task::coop::",
    // Between an executor and the future of a task: the root of stacks of emulated polls.
    "tokio::runtime::task::raw::poll",
    "tokio::runtime::task::harness::poll_future",
    "tokio::runtime::task::harness::Harness<T,S>::poll",
    "tokio::runtime::task::core::Core<",
    "tokio::runtime::task::waker::",
    "event_listener_strategy::",
    "tokio::time::timeout::poll_delay",
    "tokio::macros::",
    "futures_util::future::maybe_done::",
    "futures_util::future::try_maybe_done::",
    "futures_util::future::poll_fn::",
    "futures_util::future::join::",
    "futures_util::future::try_join::",
    "futures_util::future::select::",
    "futures_util::async_await::",
    "futures_util::stream::stream::next::",
    "futures_util::stream::stream::StreamExt::poll_next_unpin",
    "futures_util::sink::SinkExt::",
    "futures_util::sink::feed::",
    "tokio_util::sync::reusable_box::",
];

/// Futures of libraries that wait for what they were given.
const COMBINATORS: &[&str] = &[
    "tokio::time::timeout::Timeout",
    "tokio::task::local::RunUntil",
    "tokio::task::task_local::TaskLocalFuture",
    "tokio_util::sync::cancellation_token::RunUntil",
    "futures_util::future::",
    "futures_util::stream::",
    "futures_lite::future::",
    "futures_lite::stream::",
    "tokio_stream::",
    "tower::timeout::",
    "tower::util::",
    "http_body_util::combinators::",
];

/// What functions of the standard library are glue, by a part of their path.
const STD_GLUE: &[&str] = &[
    "Future>::poll",
    "::poll_fn::",
    "::ops::function::",
    "::ops::async_function::",
    "::panic::unwind_safe::",
    "::panicking::",
    "::panic::catch_unwind",
    "::future::into_future::",
    "::task::wake::",
    "::task::poll::",
];

const STD_CRATES: &[&str] = &["core", "alloc", "std"];

/// Libraries that are known by name where their files do not tell them from the program: those that every stack of a service passes through.
const LIBRARIES: &[&str] = &[
    "actix_http",
    "actix_rt",
    "actix_server",
    "actix_service",
    "actix_web",
    "async_channel",
    "async_executor",
    "async_io",
    "async_lock",
    "async_net",
    "async_process",
    "async_std",
    "async_task",
    "axum",
    "backtrace_waker",
    "event_listener",
    "futures_channel",
    "futures_core",
    "futures_executor",
    "futures_lite",
    "futures_util",
    "h2",
    "hyper",
    "hyper_util",
    "mio",
    "reqwest",
    "rustls",
    "smol",
    "sqlx_core",
    "tokio",
    "tokio_rustls",
    "tokio_stream",
    "tokio_util",
    "tonic",
    "tower",
    "tower_http",
    "tracing",
];

/// The crates that have sources of their own in a tree: in the program, or in a package of their name.
///
/// Tells the inside of a macro from a library whose package is named otherwise than its crate. Both are closures in the
/// source of a package of another name; but the macro was used by somebody, whose own source is in the tree as well.
#[derive(Default)]
pub(crate) struct CratesWithSource<'a>(HashSet<&'a str>);

impl<'a> CratesWithSource<'a> {
    pub(crate) fn of(frames: impl Iterator<Item = &'a Frame>) -> Self {
        let at_home = |frame: &'a Frame| {
            let owner = owner(&frame.function.as_ref()?.path);
            match SourceOrigin::of(&frame.location.as_ref()?.file) {
                SourceOrigin::Program => Some(owner),
                SourceOrigin::Dependency { package: Some(package), .. }
                | SourceOrigin::Vendored { package } => is_crate_of(owner, package).then_some(owner),
                SourceOrigin::Dependency { package: None, .. } | SourceOrigin::Std { .. } => None,
            }
        };
        Self(frames.filter_map(at_home).collect())
    }
}

impl Class {
    pub(crate) fn of(frame: &Frame, crates: &CratesWithSource<'_>) -> Self {
        let path = frame.function.as_ref().map(|function| &*function.path);
        let origin = frame.location.as_ref().map(|location| SourceOrigin::of(&location.file));
        let Some(path) = path else {
            return match origin {
                None => Self::Nameless,
                Some(SourceOrigin::Std { .. }) => Self::Std,
                Some(SourceOrigin::Dependency { .. } | SourceOrigin::Vendored { .. }) => Self::Library,
                Some(SourceOrigin::Program) => Self::User,
            };
        };
        let owner = owner(path);
        if owner == "bw_core" || starts_with_path(path, FACADE_WRAPPER) || is_wakers_own(path) {
            return Self::Hook;
        }
        if GLUE.iter().any(|glue| starts_with_path(path, glue)) {
            return Self::Glue;
        }
        // What `catch_unwind` compiles to; it has no crate and no file.
        if path == "__rust_try" {
            return Self::Glue;
        }
        // `impl Stream for Pin<P>` of futures-core stands between, as that of `Future` of core does. The program's own may do more.
        if origin != Some(SourceOrigin::Program) && is_forwarding(path) {
            return Self::Glue;
        }
        if STD_CRATES.contains(&owner) && matches!(origin, None | Some(SourceOrigin::Std { .. })) {
            let glue = STD_GLUE.iter().any(|part| path.contains(part));
            return if glue { Self::Glue } else { Self::Std };
        }
        // A closure of somebody who stands in another's source: the inside of `join!` or `select!`.
        let inside_macro = |package: &str| {
            let own = is_crate_of(owner, package)
                || trait_owner(path).is_some_and(|owner| is_crate_of(owner, package));
            is_closure(path) && !own && crates.0.contains(owner)
        };
        match origin {
            Some(SourceOrigin::Std { .. }) => Self::Glue,
            // What its macro makes of a future of async-channel or async-lock, in front of that of which it is made.
            Some(SourceOrigin::Dependency { package: Some("event-listener-strategy"), .. }) => Self::Glue,
            Some(
                SourceOrigin::Dependency { package: Some(package), .. } | SourceOrigin::Vendored { package },
            ) if inside_macro(package) => Self::Glue,
            Some(SourceOrigin::Dependency { .. } | SourceOrigin::Vendored { .. }) => Self::of_library(path),
            Some(SourceOrigin::Program) => Self::User,
            None if LIBRARIES.contains(&owner) => Self::of_library(path),
            None => Self::User,
        }
    }

    /// As [`of`](Self::of), where the module is known too: functions of the C library have no crate, and seldom a file.
    pub(crate) fn of_node(node: &Node, crates: &CratesWithSource<'_>) -> Self {
        // What stands for functions of the program, or may.
        if node.marks.of_type || node.marks.left_out > 0 {
            return Self::User;
        }
        let is_in_libc = || node.place.module.as_ref().is_some_and(|module| is_c_library(&module.path));
        match Self::of(&node.frame, crates) {
            Self::User | Self::Nameless if is_in_libc() || is_entry(&node.frame) => Self::Std,
            class => class,
        }
    }

    /// Whether that is a poll of the wrapper.
    pub(crate) fn is_traced_poll(frame: &Frame) -> bool {
        let is_it = |path: &str| TRACED_POLLS.iter().any(|traced| starts_with_path(path, traced));
        frame.function.as_ref().is_some_and(|function| is_it(&function.path))
    }

    fn of_library(path: &str) -> Self {
        // What it waits for it polls with wakers of its own: nothing of that will be below.
        let sub_executor = path.contains("::futures_unordered::") || path.contains("::futures_ordered::");
        if !sub_executor && COMBINATORS.iter().any(|combinator| starts_with_path(path, combinator)) {
            Self::Combinator
        } else {
            Self::Library
        }
    }

    /// Whose it is, for programs: a combinator is its library's.
    #[cfg(feature = "json")]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Nameless => "unknown",
            Self::Library | Self::Combinator => "library",
            Self::Std => "std",
            Self::Glue => "glue",
            Self::Hook => "hook",
        }
    }

    pub(crate) fn is_users(self) -> bool {
        matches!(self, Self::User | Self::Nameless)
    }

    pub(crate) fn is_shown_with_libraries(self) -> bool {
        !matches!(self, Self::Hook | Self::Glue)
    }
}

/// Whether a function is one of a library that is known by name, or has no name.
pub(crate) fn is_of_known_library(frame: &Frame) -> bool {
    frame.function.as_ref().is_none_or(|function| LIBRARIES.contains(&owner(&function.path)))
}

/// Where a program begins, before its own `main`: what linker and compiler add, which has no line.
fn is_entry(frame: &Frame) -> bool {
    let path = frame.function.as_ref().map(|function| &*function.path);
    frame.location.is_none() && matches!(path, Some("_start" | "main"))
}

/// glibc, musl, and their loaders, by the names of their files.
fn is_c_library(module: &str) -> bool {
    let name = module.rsplit('/').next().unwrap_or(module);
    ["libc.", "libc-", "libpthread", "ld-linux", "ld-musl"].iter().any(|begin| name.starts_with(begin))
}

/// `Waker::clone` and `Waker::wake_by_ref`, in the spellings of both manglings.
fn is_wakers_own(path: &str) -> bool {
    let path = path.strip_prefix('<').unwrap_or(path);
    path.strip_prefix("core::task::wake::Waker").is_some_and(|rest| {
        rest.starts_with(" as core::clone::Clone>::clone")
            || rest.ends_with("::wake_by_ref")
            || rest.ends_with("::clone")
    })
}

/// Whether a function is the poll of tokio's `timeout`.
pub(crate) fn is_timeout(path: &str) -> bool {
    starts_with_path(path, "tokio::time::timeout::Timeout<") && path.ends_with("Future>::poll")
}

pub(crate) fn starts_with_path(path: &str, prefix: &str) -> bool {
    path.trim_start_matches(['<', '&', '*', '(', '[']).starts_with(prefix)
}

fn is_closure(path: &str) -> bool {
    path.contains("{{closure}}") || path.contains("{closure#")
}

/// The crate of a path: of the type it is implemented for, where the path names one.
fn owner(path: &str) -> &str {
    crate_of(path).unwrap_or(path)
}

/// The crate of a path, if it names one: functions of C do not.
pub(crate) fn crate_of(path: &str) -> Option<&str> {
    first_segment(path).or_else(|| trait_owner(path))
}

/// The crate of the trait in `<Type as Trait>::method`.
fn trait_owner(path: &str) -> Option<&str> {
    first_segment(type_and_trait(path)?.1)
}

/// The first segment of a path, past whatever a type may begin with. `None` for a generic parameter or a primitive.
fn first_segment(path: &str) -> Option<&str> {
    let mut rest = path;
    loop {
        let shorter = rest.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
        let shorter = ["mut ", "const ", "dyn ", "impl ", "unsafe "]
            .iter()
            .fold(shorter, |shorter, word| shorter.strip_prefix(word).unwrap_or(shorter));
        // A lifetime.
        let shorter = match shorter.strip_prefix('\'') {
            Some(named) => named.split_once(' ').map_or(named, |(_, rest)| rest),
            None => shorter,
        };
        if shorter.len() == rest.len() {
            break;
        }
        rest = shorter;
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let (segment, after) = rest.split_at(end);
    (after.starts_with("::") && !segment.is_empty()).then_some(segment)
}

/// Whether a crate has the name that a package of this name gives it: `tokio_util` of `tokio-util`.
fn is_crate_of(owner: &str, package: &str) -> bool {
    let name = |c: u8| if c == b'-' { b'_' } else { c };
    owner.bytes().eq(package.bytes().map(name))
}

#[cfg(test)]
mod tests {
    use bw_symbolize::{Function, Location};

    use super::*;

    const TOKIO: &str = "/home/me/.cargo/registry/src/index-0123/tokio-1.54.1/src/macros/join.rs";
    const CORE: &str = "/rustc/0123/library/core/src/future/poll_fn.rs";
    const MINE: &str = "/home/me/app/src/main.rs";

    fn frame(path: &str, file: Option<&str>) -> Frame {
        Frame::new(
            Some(Function::new(path, path)),
            file.map(|file| Location::new(file, Some(1), None)),
            false,
        )
    }

    /// In a tree that has a function of the program as well.
    fn class(path: &str, file: Option<&str>) -> Class {
        let (frame, main) = (frame(path, file), frame("app::main", Some(MINE)));
        Class::of(&frame, &CratesWithSource::of([&frame, &main].into_iter()))
    }

    #[test]
    fn the_hook_is_known_by_its_crate_and_not_by_a_part_of_a_name() {
        for path in [
            "bw_core::hook::clone",
            "<bw_core::task::TracedTask<F> as core::future::future::Future>::poll",
            "<bw_core::task::traced_task::TracedTask<F> as core::future::future::Future>::poll",
            "<backtrace_waker::task::traced_task::TracedTask<F> as core::future::future::Future>::poll",
            "<core::task::wake::Waker as core::clone::Clone>::clone",
            "core::task::wake::Waker::wake_by_ref",
            "<core::task::wake::Waker>::wake_by_ref",
        ] {
            assert_eq!(class(path, None), Class::Hook, "{path}");
        }
        for path in
            ["app::with::<bw_core::RawTrace>", "my_bw_core::hook::clone", "<app::Mine<bw_core::TaskId>>::run"]
        {
            assert_eq!(class(path, Some(MINE)), Class::User, "{path}");
        }
    }

    #[test]
    fn what_comes_before_main_is_taken_for_a_part_of_the_program() {
        assert!(is_entry(&frame("_start", None)) && is_entry(&frame("main", None)));
        assert!(!is_entry(&frame("app::main", None)) && !is_entry(&frame("main", Some("src/main.rs"))));
    }

    #[test]
    fn the_poll_of_the_wrapper_is_that_of_bw_core_alone() {
        let poll_of = |path: &str| format!("<{path}<F> as core::future::future::Future>::poll");
        for path in [
            poll_of("bw_core::task::traced_task::TracedTask"),
            poll_of("bw_core::task::TracedTask"),
            "bw_core::task::traced_task::poll_attended".to_owned(),
            "bw_core::task::poll_attended".to_owned(),
        ] {
            assert!(Class::is_traced_poll(&frame(&path, None)), "{path}");
        }
        for path in
            ["backtrace_waker::task::traced_task::TracedTask", "bw_core::task::capture_future::CaptureFuture"]
        {
            assert!(!Class::is_traced_poll(&frame(&poll_of(path), None)), "{path}");
        }
        assert!(!Class::is_traced_poll(&frame("bw_core::task::poll_traced::poll_traced", None)));
    }

    #[test]
    fn the_inside_of_a_macro_is_glue_and_the_librarys_own_closures_are_not() {
        assert_eq!(class("app::bar::{{closure}}::{{closure}}", Some(TOKIO)), Class::Glue);
        assert_eq!(class("tokio::sync::mutex::Mutex<T>::lock::{{closure}}", Some(TOKIO)), Class::Library);
        assert_eq!(class("<T as tokio::io::AsyncRead>::read::{{closure}}", Some(TOKIO)), Class::Library);
        assert_eq!(class("tokio::future::maybe_done::MaybeDone<F>::x", Some(TOKIO)), Class::Glue);
    }

    #[test]
    fn the_standard_library_is_glue_where_it_polls() {
        assert_eq!(
            class("<core::future::poll_fn::PollFn<F> as core::future::future::Future>::poll", Some(CORE)),
            Class::Glue
        );
        assert_eq!(class("<core::pin::Pin<P> as core::future::future::Future>::poll", None), Class::Glue);
        assert_eq!(class("std::thread::local::LocalKey<T>::with", Some(CORE)), Class::Std);
        assert_eq!(
            class("<F as core::future::into_future::IntoFuture>::into_future", Some(CORE)),
            Class::Glue
        );
    }

    #[test]
    fn a_boxed_stream_does_not_hide_what_is_awaited() {
        let pin = "<core::pin::Pin<P> as futures_core::stream::Stream>::poll_next";
        let receiver = "<futures_channel::mpsc::Receiver<T> as futures_core::stream::Stream>::poll_next";
        let file = |package: &str| format!("/x/registry/src/index-0123/{package}-0.3.34/src/x.rs");
        for files in [(Some(&*file("futures-core")), Some(&*file("futures-channel"))), (None, None)] {
            assert_eq!(class(pin, files.0), Class::Glue);
            assert_eq!(class(receiver, files.1), Class::Library);
        }
        // The program's own may do more than pass on.
        assert_eq!(class("<alloc::boxed::Box<S> as app::Service>::call", Some(MINE)), Class::User);
    }

    #[test]
    fn the_macro_of_event_listener_strategy_does_not_stand_in_for_async_channel() {
        let file = |package: &str| format!("/x/registry/src/index-0123/{package}/src/lib.rs");
        let made = "<async_channel::Recv<T> as core::future::future::Future>::poll";
        let own = "<async_channel::RecvInner<T> as event_listener_strategy::EventListenerFuture>::poll_with_strategy";
        assert_eq!(class(made, Some(&file("event-listener-strategy-0.5.4"))), Class::Glue);
        assert_eq!(class(own, Some(&file("async-channel-2.5.0"))), Class::Library);
    }

    #[test]
    fn without_a_file_known_libraries_are_told_by_name() {
        assert_eq!(
            class("<tokio::time::sleep::Sleep as core::future::future::Future>::poll", None),
            Class::Library
        );
        assert_eq!(
            class("<tokio::time::timeout::Timeout<T> as core::future::future::Future>::poll", None),
            Class::Combinator
        );
        assert_eq!(class("app::run", None), Class::User);
        assert_eq!(class("__rust_try", None), Class::Glue);
        let nameless = Frame::new(None, None, false);
        assert_eq!(Class::of(&nameless, &CratesWithSource::of([].into_iter())), Class::Nameless);
    }

    #[test]
    fn a_library_whose_package_has_another_name_is_no_macro() {
        const BUCKET: &str = "/x/registry/src/index-0123/rust-s3-0.34.0/src/bucket.rs";
        assert_eq!(class("s3::bucket::Bucket::get::{{closure}}", Some(BUCKET)), Class::Library);
        assert!(is_crate_of("tokio_util", "tokio-util") && !is_crate_of("tokio", "tokio-util"));
    }

    #[test]
    fn the_standard_library_of_a_distribution_is_no_program() {
        let file = "/usr/src/rustc-1.96.0/library/core/src/future/poll_fn.rs";
        let path = "<core::future::poll_fn::PollFn<F> as core::future::future::Future>::poll";
        assert_eq!(class(path, Some(file)), Class::Glue);
        assert_eq!(class("std::thread::local::LocalKey<T>::with", Some(file)), Class::Std);
    }

    #[test]
    fn a_crate_of_the_program_may_be_named_registry() {
        assert_eq!(class("app::conn::run", Some("/home/me/shop/registry/src/net/conn.rs")), Class::User);
    }

    #[test]
    fn hostile_paths_do_not_panic() {
        for path in
            ["", "<", "<<<", "< as ", "<é as ", "'", "&'a ", "-", "->", "<fn() -> é as é::é>::é", "::"]
        {
            let _ = class(path, Some(path));
        }
    }
}
