//! Generic arguments, left out where they make a name too long to read.

use std::borrow::Cow;

/// How long a name may be, in characters, before its generic arguments are left out, innermost first. A name with a
/// position and some levels of indentation then still fits on a wide terminal.
const MOST: usize = 100;

/// Arguments of so few bytes stay, since `<St,Fut,F>` tells more than what would stand for it, for little more room.
const BRIEF: usize = 10;

/// A future that a library implements by hand is what it is called: `tokio::time::sleep::Sleep`, not the function that polls it.
const POLL_OF_FUTURE: &str = " as core::future::future::Future>::poll";

/// The name without the generic arguments that make it long, each list of them replaced by `<…>`.
///
/// `<T as Trait>` around a path is no list of arguments, and stays. A name that is long without any stays as it is.
///
/// Of the poll of a future it is the name of its type, which is what the program has.
pub(crate) fn shorten<'a>(name: &'a str, ellipsis: &str) -> Cow<'a, str> {
    let future = name.strip_prefix('<').and_then(|rest| rest.strip_suffix(POLL_OF_FUTURE));
    // Of `<<A as B>::C as Future>`, or of a pointer, the type alone would be no name.
    let name = future.filter(|of| of.starts_with(char::is_alphabetic)).unwrap_or(name);
    // Bytes first: cheap, and never less than characters.
    if name.len() <= MOST || name.chars().count() <= MOST {
        return Cow::Borrowed(name);
    }
    let deepest = lists(name).map(|(_, _, depth)| depth).max().unwrap_or(0);
    // Deeper lists are in those that are left out anyway; damaged names have no end of them.
    for depth in (1..=deepest.min(8)).rev() {
        let short = without(name, depth, ellipsis);
        if depth == 1 || short.chars().count() <= MOST {
            return Cow::Owned(short);
        }
    }
    Cow::Borrowed(name)
}

/// The name without the lists that are so deep.
fn without(name: &str, depth: usize, ellipsis: &str) -> String {
    let mut short = String::new();
    let mut copied = 0;
    for (start, end, at) in lists(name) {
        if at == depth && start >= copied && end > start + BRIEF {
            short.push_str(&name[copied..start]);
            short.push_str(ellipsis);
            copied = end;
        }
    }
    short.push_str(&name[copied..]);
    short
}

/// Lists of generic arguments: from after `<` to before its `>`, and in how many lists they are, themselves included.
fn lists(name: &str) -> impl Iterator<Item = (usize, usize, usize)> {
    // For each open bracket: where it is, and whether it is a list.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut depth = 0;
    let mut found = Vec::new();
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'<' => {
                // A list follows a name; `<T as Trait>` begins a path.
                let is_list =
                    name[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '}'));
                depth += usize::from(is_list);
                open.push((at, is_list));
            }
            // The arrow of a function type closes nothing.
            b'>' if !name[..at].ends_with('-') => {
                if let Some((start, is_list)) = open.pop()
                    && is_list
                {
                    found.push((start + 1, at, depth));
                    depth -= 1;
                }
            }
            _ => {}
        }
    }
    found.sort_unstable();
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_stay() {
        let name = "async fn app::Service<A, B<C>>::call";
        assert!(matches!(shorten(name, "…"), Cow::Borrowed(same) if same == name));
    }

    #[test]
    fn the_innermost_arguments_go_first() {
        let inner =
            "core::option::Option<core::result::Result<alloc::string::String, std::io::error::Error>>";
        let name = format!("async fn app::connect::<alloc::vec::Vec<{inner}>>");
        let short = shorten(&name, "…");
        assert_eq!(
            short,
            "async fn app::connect::<alloc::vec::Vec<core::option::Option<core::result::Result<…>>>>"
        );
    }

    #[test]
    fn the_poll_of_a_future_is_its_type() {
        let poll = |of: &str| format!("<{of} as core::future::future::Future>::poll");
        let [sleep, timeout] = ["tokio::time::sleep::Sleep", "tokio::time::timeout::Timeout<T>"];
        assert_eq!(shorten(&poll(sleep), "…"), sleep);
        assert_eq!(shorten(&poll(timeout), "…"), timeout);
        for name in ["<&mut F as core::future::future::Future>::poll", "<A as b::Stream>::poll_next"] {
            assert_eq!(shorten(name, "…"), name);
        }
    }

    #[test]
    fn what_implements_what_stays() {
        let long = "app::layer::".repeat(10);
        let name = format!("<app::Timeout<{long}A> as tower::Service<{long}B>>::call::<fn(u8) -> {long}C>");
        assert_eq!(shorten(&name, "..."), "<app::Timeout<...> as tower::Service<...>>::call::<...>");
    }

    #[test]
    fn names_that_are_long_without_arguments_stay() {
        let name = "app::layer::".repeat(20);
        assert_eq!(shorten(&name, "…"), name);
    }

    #[test]
    fn damaged_names_do_not_panic() {
        for part in ["a<", ">", "a<é>", "->", "a<>", "><", "<a<a as b>"] {
            let name = part.repeat(200);
            assert!(!shorten(&name, "…").is_empty());
        }
    }
}
