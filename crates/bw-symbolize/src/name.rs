//! Names for people, from linkage names and from what debug information calls a body.
//!
//! Pure functions on strings. The compiler turns `async fn`, async blocks and closures all into the same path
//! segment, `{{closure}}` (legacy mangling) or `{closure#0}` (v0). Which of them one is, only the debug
//! information knows: there the body of `async fn app::bar` is named `{async_fn#0}` inside the namespace `bar`.
//! [`readable`] puts the two together.

/// What a place is called when its name is not known.
const UNKNOWN: &str = "{unknown}";

/// Demangles a linkage name of either Rust mangling, without the hash. `None` when it is neither.
///
/// Allocates the result.
pub(crate) fn demangle(linkage: &str) -> Option<String> {
    // Alternate formatting leaves out the hash of the legacy mangling and the crate disambiguators of v0.
    rustc_demangle::try_demangle(linkage).ok().map(|name| format!("{name:#}"))
}

/// How many bodies (closures and the like) a demangled path ends with: how many scopes [`readable`] can use.
pub(crate) fn trailing_bodies(path: &str) -> usize {
    segments(path).iter().rev().take_while(|segment| Body::parse(segment).is_some()).count()
}

/// The path that scope names from debug information make: innermost first in, outermost first out.
pub(crate) fn path_of_scopes(scopes: &[String]) -> String {
    scopes.iter().rev().map(String::as_str).collect::<Vec<_>>().join("::")
}

/// The name as people write it.
///
/// `path` is a demangled path, `scopes` the names that debug information gives to its last segments, **innermost
/// first**, as many as are known. Never empty, and never without the last segment that has a name.
///
/// | `path` | `scopes` | result |
/// |---|---|---|
/// | `app::bar` | | `app::bar` |
/// | `app::bar::{{closure}}` | `{async_fn#0}` | `async fn app::bar` |
/// | `app::bar::{{closure}}::{{closure}}` | `{closure#0}`, `{async_fn#0}` | `closure in async fn app::bar` |
/// | `app::bar::{{closure}}` | | `closure in app::bar` |
/// | `{async_fn#0}` | | `async fn {unknown}` |
pub(crate) fn readable(path: &str, scopes: &[String]) -> String {
    let segments = segments(path);
    let mut rest = segments.as_slice();
    let mut scopes = scopes.iter();
    let mut name = String::new();
    let mut after_async_closure = false;
    while let Some((body, outer)) =
        rest.split_last().and_then(|(last, outer)| Some((Body::parse(last)?, outer)))
    {
        let known = scopes.next().and_then(|scope| Body::parse(scope));
        rest = outer;
        let body = known.unwrap_or(body);
        // An async closure is two bodies: the closure, and what the call of it returns. People write one.
        if std::mem::take(&mut after_async_closure) && body.label == "closure" {
            continue;
        }
        after_async_closure = body.label == "async_closure";
        if !name.is_empty() {
            name.push_str(" in ");
        }
        name.push_str(&body.words());
        if body.is_function() {
            // `async fn app::bar`, not `async fn in app::bar`: the enclosing path is this body's own name.
            name.push(' ');
            name.push_str(&join(rest));
            return name;
        }
    }
    if name.is_empty() {
        return join(rest);
    }
    name.push_str(" in ");
    name.push_str(&join(rest));
    name
}

/// Returns the name of a type, as debug information has it, as people write it: `async fn app::bar` for
/// `app::bar::{async_fn_env#0}`. A type with a name of its own keeps it. Allocates the result.
#[must_use]
pub fn readable_type(name: &str) -> String {
    // The type of a body is named after the body, with three letters more.
    readable(&name.replace("_env#", "#"), &[])
}

/// A path segment that stands for a body without a name of its own.
struct Body<'a> {
    /// As in the debug information: `closure`, `async_fn`, `async_block`, `async_closure`, `gen_block`, …
    label: &'a str,
}

impl<'a> Body<'a> {
    /// Reads `{{closure}}`, `{closure#0}`, `{closure#0}::<T>`, `{async_fn#0}`, `{async_fn#0}<T>`.
    fn parse(segment: &'a str) -> Option<Self> {
        if segment.starts_with("{{closure}}") {
            return Some(Self { label: "closure" });
        }
        let inner = segment.strip_prefix('{')?;
        // v0 puts a name after a colon where the compiler had one: `{closure:name#0}`.
        let label = &inner[..inner.find(['#', ':'])?];
        let is_body = ["closure", "coroutine"].contains(&label)
            || ["_fn", "_block", "_closure"].iter().any(|end| label.ends_with(end));
        is_body.then_some(Self { label })
    }

    fn words(&self) -> String {
        self.label.replace('_', " ")
    }

    fn is_function(&self) -> bool {
        self.label.ends_with("_fn")
    }
}

/// Joins the segments that name an item. Bodies between them are left out: an item declared in a body is
/// written `app::outer::inner`.
fn join(segments: &[&str]) -> String {
    let named: Vec<&str> =
        segments.iter().copied().filter(|segment| Body::parse(segment).is_none()).collect();
    let Some((first, rest)) = named.split_first() else { return UNKNOWN.to_owned() };
    // v0 writes an inherent method `<app::Foo>::new`; people, and the legacy mangling, write `app::Foo::new`.
    let plain = first.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).filter(|inner| {
        !rest.is_empty() && inner.starts_with(|c: char| c.is_alphabetic() || c == '_') && is_plain_type(inner)
    });
    std::iter::once(plain.unwrap_or(first)).chain(rest.iter().copied()).collect::<Vec<_>>().join("::")
}

/// Whether a type is a path, with or without arguments: not `A as B`, `dyn A`, `fn()`, `impl A`.
fn is_plain_type(name: &str) -> bool {
    let mut depth = Depth::default();
    let mut path_so_far = true;
    for (at, c) in name.char_indices() {
        if depth.at_top() && (c == ' ' || c == '(') {
            path_so_far = false;
        }
        depth.pass(name, at, c);
    }
    path_so_far
}

/// Splits a path at the `::` outside of any bracket. Generic arguments stay with the segment they belong to.
fn segments(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut depth = Depth::default();
    let mut start = 0;
    for (at, c) in path.char_indices() {
        let rest = &path[at..];
        if at > start && depth.at_top() && rest.starts_with("::") && !rest.starts_with("::<") {
            segments.push(&path[start..at]);
            start = at + 2;
        }
        depth.pass(path, at, c);
    }
    if start < path.len() {
        segments.push(&path[start..]);
    }
    segments
}

/// Which brackets are open.
#[derive(Default)]
struct Depth(usize);

impl Depth {
    fn at_top(&self) -> bool {
        self.0 == 0
    }

    /// Takes note of the character `c` at byte `at` of `text`.
    fn pass(&mut self, text: &str, at: usize, c: char) {
        match c {
            '<' | '(' | '[' | '{' => self.0 += 1,
            // The arrow of a function type closes nothing.
            '>' if text[..at].ends_with('-') => {}
            // Unbalanced input, from a damaged file, must not wrap around.
            '>' | ')' | ']' | '}' => self.0 = self.0.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_bodies_are_named_after_what_people_wrote() {
        for (name, readable) in [
            ("app::bar::{async_fn_env#0}", "async fn app::bar"),
            ("app::main::{async_fn#0}::{async_block_env#2}", "async block in async fn app::main"),
            ("app::run::{closure_env#1}<u32>", "closure in app::run"),
            (
                "core::pin::Pin<alloc::boxed::Box<(dyn core::future::future::Future)>>",
                "core::pin::Pin<alloc::boxed::Box<(dyn core::future::future::Future)>>",
            ),
            ("tokio::time::sleep::Sleep", "tokio::time::sleep::Sleep"),
        ] {
            assert_eq!(readable_type(name), readable, "{name}");
        }
    }

    fn named(path: &str, scopes: &[&str]) -> String {
        readable(path, &scopes.iter().map(|&scope| scope.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn both_manglings_lose_hash_and_disambiguator() {
        let legacy = "_ZN3app3bar28_$u7b$$u7b$closure$u7d$$u7d$17hb129e0ec2e8f3642E";
        assert_eq!(demangle(legacy).unwrap(), "app::bar::{{closure}}");
        let v0 = "_RNCNvCs79I5SkX59gv_3app3bar0B3_";
        assert_eq!(demangle(v0).unwrap(), "app::bar::{closure#0}");
        let method = "_RNCNvMs0_Cs79I5SkX59gv_3appNtB7_3Foo4meth0B7_";
        assert_eq!(demangle(method).unwrap(), "<app::Foo>::meth::{closure#0}");
        let generic = "_RNCINvNtNtCs79I5SkX59gv_3app1m1n4deephE0B8_";
        assert_eq!(demangle(generic).unwrap(), "app::m::n::deep::<u8>::{closure#0}");
        let legacy_impl = "_ZN39_$LT$app..Foo$u20$as$u20$app..Trait$GT$6method28_$u7b$$u7b$closure$u7d$$u7d$17h80b95a3dfbc3343fE";
        assert_eq!(demangle(legacy_impl).unwrap(), "<app::Foo as app::Trait>::method::{{closure}}");
    }

    #[test]
    fn names_of_other_languages_are_not_demangled() {
        for name in ["malloc", "main", "__libc_start_main", "_ZN3foo3barEv", "_Rubbish", "", "{async_fn#0}"] {
            assert_eq!(demangle(name), None, "{name}");
        }
    }

    #[test]
    fn plain_functions_keep_their_path() {
        assert_eq!(named("app::bar", &[]), "app::bar");
        assert_eq!(named("main", &[]), "main");
        assert_eq!(named("<app::Conn as app::Handler>::call", &[]), "<app::Conn as app::Handler>::call");
        assert_eq!(
            named("core::ops::function::FnOnce::call_once{{vtable.shim}}", &[]),
            "core::ops::function::FnOnce::call_once{{vtable.shim}}"
        );
    }

    #[test]
    fn one_body() {
        for closure in ["{{closure}}", "{closure#0}", "{closure#3}"] {
            let path = format!("app::bar::{closure}");
            assert_eq!(trailing_bodies(&path), 1);
            assert_eq!(named(&path, &["{async_fn#0}"]), "async fn app::bar");
            assert_eq!(named(&path, &["{async_fn#0}<alloc::string::String>"]), "async fn app::bar");
            assert_eq!(named(&path, &["{async_block#1}"]), "async block in app::bar");
            assert_eq!(named(&path, &["{closure#0}"]), "closure in app::bar");
            assert_eq!(named(&path, &[]), "closure in app::bar");
            assert_eq!(named(&path, &["{gen_block#0}"]), "gen block in app::bar");
            assert_eq!(named(&path, &["{async_gen_fn#0}"]), "async gen fn app::bar");
            assert_eq!(named(&path, &["{coroutine#0}"]), "coroutine in app::bar");
        }
    }

    #[test]
    fn nested_bodies_read_from_the_inside_out() {
        let two = "app::bar::{{closure}}::{{closure}}";
        assert_eq!(trailing_bodies(two), 2);
        assert_eq!(named(two, &["{closure#0}", "{async_fn#0}"]), "closure in async fn app::bar");
        assert_eq!(named(two, &["{async_block#0}", "{async_fn#0}"]), "async block in async fn app::bar");
        assert_eq!(named(two, &["{async_block#0}", "{closure#0}"]), "async block in closure in app::bar");
        assert_eq!(named(two, &["{async_block#0}"]), "async block in closure in app::bar");
        assert_eq!(named(two, &[]), "closure in closure in app::bar");
        let v0 = "app::bar::<u8>::{closure#0}::{closure#1}";
        assert_eq!(named(v0, &["{closure#1}", "{async_fn#0}<u8>"]), "closure in async fn app::bar::<u8>");
    }

    #[test]
    fn an_async_closure_is_one_body_though_the_compiler_makes_two() {
        let path = "app::run::{{closure}}::{{closure}}";
        assert_eq!(named(path, &["{async_closure#0}", "{closure#0}"]), "async closure in app::run");
        let path = "app::run::{closure#0}::{closure#0}::{closure#0}::<i16>";
        assert_eq!(trailing_bodies(path), 3);
        assert_eq!(
            named(path, &["{async_closure#0}", "{closure#0}", "{async_block#0}"]),
            "async closure in async block in app::run"
        );
        // Only the closure directly around it is its other half.
        assert_eq!(
            named(
                "app::run::{{closure}}::{{closure}}::{{closure}}",
                &["{async_closure#0}", "{closure#0}", "{closure#0}"]
            ),
            "async closure in closure in app::run"
        );
    }

    #[test]
    fn methods() {
        let path = "<app::Foo as app::Trait>::method::{{closure}}";
        assert_eq!(named(path, &["{async_block#0}"]), "async block in <app::Foo as app::Trait>::method");
        assert_eq!(named(path, &["{async_fn#0}"]), "async fn <app::Foo as app::Trait>::method");
        assert_eq!(named("<app::Foo>::meth::{closure#0}", &["{async_fn#0}"]), "async fn app::Foo::meth");
        assert_eq!(named("<app::Foo<u8>>::meth", &[]), "app::Foo<u8>::meth");
        assert_eq!(named("<alloc::vec::Vec<(u8, &str)>>::push", &[]), "alloc::vec::Vec<(u8, &str)>::push");
        // What is not a path keeps its brackets.
        for path in [
            "<[u8]>::len",
            "<&str>::x",
            "<dyn app::Trait>::x",
            "<fn(u8) -> u8>::x",
            "<(u8, u8)>::x",
            "<*const u8>::x",
        ] {
            assert_eq!(named(path, &[]), path);
        }
    }

    #[test]
    fn items_in_bodies_leave_the_body_out() {
        let path = "app::nested::{{closure}}::inner::{{closure}}::{{closure}}";
        assert_eq!(trailing_bodies(path), 2);
        assert_eq!(
            named(path, &["{async_block#0}", "{async_fn#0}"]),
            "async block in async fn app::nested::inner"
        );
        assert_eq!(named("app::nested::{closure#0}::inner", &[]), "app::nested::inner");
    }

    #[test]
    fn bodies_inside_generic_arguments_are_no_bodies_of_the_path() {
        let path = "core::ptr::drop_in_place::<app::bar::{closure#0}>";
        assert_eq!(trailing_bodies(path), 0);
        assert_eq!(named(path, &["{async_fn#0}"]), path);
        let path = "<core::pin::Pin<&mut app::bar::{closure#0}> as core::future::future::Future>::poll";
        assert_eq!(named(path, &[]), path);
        let path = "<F as app::Call<fn(u8) -> u8>>::call::{{closure}}";
        assert_eq!(named(path, &[]), "closure in <F as app::Call<fn(u8) -> u8>>::call");
    }

    #[test]
    fn bare_names_stay_readable() {
        assert_eq!(named("{async_fn#0}", &[]), "async fn {unknown}");
        assert_eq!(named("{async_fn#0}<u8>", &[]), "async fn {unknown}");
        assert_eq!(named("{async_block#0}", &[]), "async block in {unknown}");
        assert_eq!(named("{closure#0}", &[]), "closure in {unknown}");
        assert_eq!(named("{impl#3}", &[]), "{impl#3}");
        assert_eq!(named("poll<app::Foo>", &[]), "poll<app::Foo>");
        assert_eq!(named("", &[]), "{unknown}");
    }

    #[test]
    fn scopes_make_a_path() {
        let scopes = ["{async_fn#0}", "bar", "app"].map(str::to_owned);
        assert_eq!(path_of_scopes(&scopes), "app::bar::{async_fn#0}");
        assert_eq!(readable(&path_of_scopes(&scopes), &scopes), "async fn app::bar");
    }

    #[test]
    fn scopes_that_do_not_fit_are_ignored() {
        assert_eq!(named("app::bar", &["{async_fn#0}"]), "app::bar");
        assert_eq!(named("app::bar::{{closure}}", &["bar", "app"]), "closure in app::bar");
    }

    #[test]
    fn damaged_names_do_not_panic() {
        for path in [
            ">>>::a",
            "<<<::a",
            "::",
            "::a",
            "a::",
            "{",
            "{{",
            "{#",
            "}{::{closure",
            "<>::x",
            "é::{é#0}",
            "->",
        ] {
            assert!(!named(path, &["{", "{#"]).is_empty(), "{path}");
        }
    }
}
