//! Names for people, from the names of the types of futures.
//!
//! Pure functions on strings. `core::any::type_name` has `app::transfer::{{closure}}` for the body of an `async fn` and, alike, for an
//! async block in a function. One more `{{closure}}` is a body in a body: an async block, or that of an async closure.

/// What holds one future and says less than what it holds.
const WRAPPERS: &[&str] = &[
    "alloc::boxed::Box",
    "backtrace_waker::task::traced_task::TracedTask",
    "bw_core::task::traced_task::TracedTask",
    "core::panic::unwind_safe::AssertUnwindSafe",
    "core::pin::Pin",
    "futures_util::future::future::catch_unwind::CatchUnwind",
    "futures_util::future::future::fuse::Fuse",
    "tracing::instrument::Instrumented",
    "tracing::instrument::WithDispatch",
];

const BODY: &str = "::{{closure}}";

/// The type inside of pointers and wrappers.
pub(crate) fn unwrapped(type_name: &str) -> &str {
    let mut rest = type_name;
    loop {
        let inner = rest.strip_prefix("&mut ").or_else(|| {
            WRAPPERS.iter().find_map(|wrapper| {
                let arguments = rest.strip_prefix(wrapper)?.strip_prefix('<')?.strip_suffix('>')?;
                is_one_argument(arguments).then_some(arguments)
            })
        });
        match inner {
            Some(inner) => rest = inner,
            None => return rest,
        }
    }
}

/// The type as people write it: bodies by the function they are in, wherever they stand in it.
pub(crate) fn readable(type_name: &str) -> String {
    // What is declared in a body says it all by itself.
    let items = each_body(type_name, |name, path, _, is_item_below| {
        name.push_str(path);
        is_item_below
    });
    each_body(&items, |name, path, bodies, _| {
        let start = start_of_path(path);
        name.push_str(&path[..start]);
        name.push_str(if bodies == 1 { "async fn " } else { "async block in " });
        name.push_str(&path[start..]);
        true
    })
}

/// Copies a name. Of each run of bodies, `copy` appends what is before it, given how many they are, and whether an item follows that is
/// declared in them; and says whether the run is left out.
fn each_body(name: &str, copy: impl Fn(&mut String, &str, usize, bool) -> bool) -> String {
    let mut copied = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find(BODY) {
        let after = rest[at..].trim_start_matches(BODY);
        let run = &rest[at..rest.len() - after.len()];
        if !copy(&mut copied, &rest[..at], run.len() / BODY.len(), after.starts_with("::")) {
            copied.push_str(run);
        }
        rest = after;
    }
    copied + rest
}

/// Where the path begins that a text ends with: after what opens or separates types around it.
fn start_of_path(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices().rev() {
        match c {
            // The arrow of a function type opens nothing.
            '>' if text[..at].ends_with('-') => {}
            '>' | ')' | ']' => depth += 1,
            '<' | '(' | '[' | ',' | ' ' | '&' if depth == 0 => return at + c.len_utf8(),
            '<' | '(' | '[' => depth -= 1,
            _ => {}
        }
    }
    0
}

fn is_one_argument(arguments: &str) -> bool {
    let mut depth = 0_usize;
    for (at, c) in arguments.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if arguments[..at].ends_with('-') => {}
            // More closes than opens: the brackets around are not a pair.
            '>' | ')' | ']' if depth == 0 => return false,
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => return false,
            _ => {}
        }
    }
    depth == 0
}

#[cfg(test)]
mod tests {
    use std::any::type_name_of_val;
    use std::pin::Pin;

    use super::*;

    fn named(type_name: &str) -> String {
        readable(unwrapped(type_name))
    }

    async fn transfer<T>(_: T) {}

    fn made<F>(make: impl FnOnce() -> F) -> F {
        make()
    }

    #[test]
    fn futures_are_called_as_the_functions_they_are() {
        let of_value = |name: &str| named(name).replace(concat!(module_path!(), "::"), "");
        assert_eq!(of_value(type_name_of_val(&transfer(1_u8))), "async fn transfer<u8>");
        let boxed = Box::pin(transfer(vec![1_u8]));
        assert_eq!(of_value(type_name_of_val(&boxed)), "async fn transfer<alloc::vec::Vec<u8>>");
        let block = async {};
        let function = "futures_are_called_as_the_functions_they_are";
        assert_eq!(of_value(type_name_of_val(&block)), format!("async fn {function}"));
        let in_closure = made(|| async {});
        assert_eq!(of_value(type_name_of_val(&in_closure)), format!("async block in {function}"));
        let hidden: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async {});
        assert!(of_value(type_name_of_val(&hidden)).starts_with("dyn core::future::future::Future<"));
    }

    #[test]
    fn bodies_are_told_wherever_they_stand() {
        for (type_name, name) in [
            ("orders::transfer::{{closure}}", "async fn orders::transfer"),
            ("app::main::{{closure}}::{{closure}}", "async block in app::main"),
            ("<app::Conn as app::Handler>::call::{{closure}}", "async fn <app::Conn as app::Handler>::call"),
            (
                "tokio::time::timeout::Timeout<app::run<u8, fn() -> u8>::{{closure}}>",
                "tokio::time::timeout::Timeout<async fn app::run<u8, fn() -> u8>>",
            ),
            ("a::Both<b::c::{{closure}}, &mut d::{{closure}}>", "a::Both<async fn b::c, &mut async fn d>"),
            ("app::main::{{closure}}::Inner", "app::main::Inner"),
            ("app::main::{{closure}}::inner::{{closure}}", "async fn app::main::inner"),
            ("tracing::instrument::Instrumented<app::a::{{closure}}>", "async fn app::a"),
            ("core::pin::Pin<&mut app::a::{{closure}}>", "async fn app::a"),
            ("alloc::boxed::Box<app::A, app::Arena>", "alloc::boxed::Box<app::A, app::Arena>"),
            ("app::Connection", "app::Connection"),
        ] {
            assert_eq!(named(type_name), name, "{type_name}");
        }
    }

    #[test]
    fn damaged_names_do_not_panic() {
        for part in ["::{{closure}}", "<", ">", "é", ", ", "->", "core::pin::Pin<", "(", "] "] {
            for other in ["::{{closure}}", ">", "<", "é::", "&mut ", ""] {
                let _does_not_panic = named(&format!("{part}{other}").repeat(50));
            }
        }
    }
}
