//! The types of tasks, from the names of the functions that poll them.

use bw_core::{RawTrace, StackFlags};
use bw_symbolize::{Symbolizer, readable_type};

/// Returns the type of the tasks that a function polls, as people write it, such as `async fn shop::accept`. `None` where debug
/// information does not tell.
///
/// `poll` is the address of tokio's `poll::<T, S>` or that of `RawTask::run` of the crate `async-task`, from
/// [`Inspection::poll_of`](crate::Inspection::poll_of). Costs what symbolizing one address costs.
#[must_use]
pub fn task_type(symbolizer: &Symbolizer, poll: u64) -> Option<String> {
    let after = usize::try_from(poll).ok()?.checked_add(1)?;
    let trace = symbolizer.symbolize(&RawTrace::from_stacks([([after], StackFlags::default())]));
    let frame = trace.stacks.first()?.frames.first()?;
    let function = frame.frames.last()?.function.as_ref()?;
    // One mangling has the arguments in the path, the other leaves them to the debug information.
    let path = function.generic.as_deref().unwrap_or(&function.path);
    let (_, arguments) = path
        .split_once("::raw::poll::<")
        .filter(|_| function.generic.is_none())
        .or(path.split_once("poll<"))
        // Of a task of `async-task`.
        .or(path.split_once("raw::RawTask<"))
        .or(path.split_once("run<"))?;
    Some(short(&readable_type(unwrapped(first_argument(arguments)))))
}

/// A type without what says nothing: the allocator that is meant anyway, and where the library has the parts of a boxed future.
fn short(name: &str) -> String {
    const SHORTER: [(&str, &str); 6] = [
        (", alloc::alloc::Global>", ">"),
        ("core::pin::Pin<", "Pin<"),
        ("alloc::boxed::Box<", "Box<"),
        ("core::future::future::Future<", "Future<"),
        (" + core::marker::", " + "),
        ("Output=", "Output = "),
    ];

    let name = SHORTER.iter().fold(name.to_owned(), |name, (long, short)| name.replace(long, short));
    let inside =
        name.strip_prefix("(dyn ").and_then(|it| it.strip_suffix(')')).filter(|it| !it.contains(", "));
    inside.map_or_else(|| name.clone(), |inside| format!("dyn {inside}"))
}

/// The future inside of a wrapper that says nothing about the task, such as that of a traced task.
fn unwrapped(future: &str) -> &str {
    /// That of a traced task by its crate, and by the crate that has a copy of its module.
    const WRAPPERS: [&str; 5] = [
        "bw_core::task::traced_task::TracedTask<",
        "backtrace_waker::task::traced_task::TracedTask<",
        // What executors of smol put around a future, in a box if it is large.
        "core::pin::Pin<alloc::boxed::Box<async_executor::AsyncCallOnDrop<",
        "async_executor::AsyncCallOnDrop<",
        "core::pin::Pin<alloc::boxed::Box<",
    ];

    let mut future = future;
    while let Some(inner) = WRAPPERS.iter().find_map(|wrapper| future.strip_prefix(wrapper)) {
        future = first_argument(inner);
    }
    future
}

/// The first of some generic arguments, up to a comma or the closing bracket.
fn first_argument(arguments: &str) -> &str {
    let mut depth = 0_usize;
    for (at, letter) in arguments.char_indices() {
        match letter {
            '<' | '(' | '[' => depth += 1,
            // The arrow of a function's type closes nothing.
            '>' if arguments[..at].ends_with('-') => {}
            ',' | '>' if depth == 0 => return &arguments[..at],
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapper_hides_what_it_wraps() {
        for (future, inner) in [
            ("bw_core::task::traced_task::TracedTask<a::b<c, d>>", "a::b<c, d>"),
            (
                "backtrace_waker::task::traced_task::TracedTask<bw_core::task::traced_task::TracedTask<a::{async_fn_env#0}>>",
                "a::{async_fn_env#0}",
            ),
            (
                "core::pin::Pin<alloc::boxed::Box<async_executor::AsyncCallOnDrop<a::B<c, d>, e::{closure#0}>, alloc::alloc::Global>>",
                "a::B<c, d>",
            ),
            (
                "core::pin::Pin<alloc::boxed::Box<(dyn core::future::future::Future<Output=()> + core::marker::Send), alloc::alloc::Global>>",
                "(dyn core::future::future::Future<Output=()> + core::marker::Send)",
            ),
            ("app::TracedTask<a>", "app::TracedTask<a>"),
            ("", ""),
        ] {
            assert_eq!(unwrapped(future), inner, "{future}");
        }
    }

    #[test]
    fn a_type_is_mostly_paths_of_the_library() {
        for (long, short) in [
            (
                "(dyn core::future::future::Future<Output=()> + core::marker::Send)",
                "dyn Future<Output = ()> + Send",
            ),
            ("a::Of<alloc::boxed::Box<u8, alloc::alloc::Global>>", "a::Of<Box<u8>>"),
            ("async fn shop::accept", "async fn shop::accept"),
            ("(dyn A, dyn B)", "(dyn A, dyn B)"),
        ] {
            assert_eq!(self::short(long), short);
        }
    }

    #[test]
    fn brackets_and_arrows_belong_to_the_argument() {
        for (arguments, first) in [
            ("a::b, S>", "a::b"),
            ("a::B<C, D>, S>", "a::B<C, D>"),
            ("Pin<Box<dyn Future<Output = ()>>>, S>", "Pin<Box<dyn Future<Output = ()>>>"),
            ("(a, b), S>", "(a, b)"),
            ("fn(a) -> b, S>", "fn(a) -> b"),
            ("a", "a"),
            ("", ""),
        ] {
            assert_eq!(first_argument(arguments), first, "{arguments}");
        }
    }
}
