//! The layout of one type.

use std::sync::Arc;

/// Types that a variant of a coroutine is named after, in which it waits.
const SUSPENDED: &str = "Suspend";
/// What the types of async bodies are named.
const BODIES: [&str; 5] =
    ["{async_fn_env#", "{async_block_env#", "{async_closure_env#", "{coroutine_env#", "{gen_block_env#"];

/// A type: the offset of its entry in the debug information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TypeRef(pub(super) usize);

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: Arc<str>,
    pub(crate) line: u64,
}

/// A member of a type, or one of its variants.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) of_type: TypeRef,
    pub(crate) offset: u64,
    /// Of a variant of an async body: the line of the `await`.
    pub(crate) place: Option<Place>,
}

/// What a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Struct,
    Pointer(Option<TypeRef>),
    Array { element: TypeRef, count: u64 },
    Other,
}

/// The variants of an enum or of an async body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variants {
    /// Where the number of the variant is, and how many bytes it has. `None` if there is one variant only.
    pub(crate) discriminant: Option<(u64, u64)>,
    /// The variants with their numbers. The one without a number is that of all other numbers.
    pub(crate) list: Vec<(Option<u64>, Member)>,
}

impl Variants {
    /// The variant of a number.
    pub(crate) fn of_number(&self, number: u64) -> Option<&Member> {
        let exact = self.list.iter().find(|(of, _)| *of == Some(number));
        exact.or_else(|| self.list.iter().find(|(of, _)| of.is_none())).map(|(_, member)| member)
    }
}

/// The layout of one type.
#[derive(Clone, Debug)]
pub(crate) struct TypeLayout {
    /// Its name with its path, such as `tokio::sync::mutex::MutexGuard<u32>`.
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) shape: Shape,
    pub(crate) members: Vec<Member>,
    pub(crate) variants: Option<Variants>,
    /// Its type arguments.
    pub(crate) arguments: Vec<(String, TypeRef)>,
}

impl TypeLayout {
    /// Whether it is the type of an async function, block or closure.
    pub(crate) fn is_async_body(&self) -> bool {
        BODIES.iter().any(|body| self.own_name().starts_with(body))
    }

    /// Whether it is a variant of an async body in which the body waits.
    pub(crate) fn is_suspended(&self) -> bool {
        self.own_name().starts_with(SUSPENDED)
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The name without its path: what is behind the last `::` that is in no brackets.
    pub(crate) fn own_name(&self) -> &str {
        let mut depth = 0_usize;
        let mut start = 0;
        let bytes = self.name.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'<' | b'(' | b'[' => depth += 1,
                // The arrow of a function's type closes nothing.
                b'>' if at > 0 && bytes.get(at - 1) == Some(&b'-') => {}
                b'>' | b')' | b']' => depth = depth.saturating_sub(1),
                b':' if depth == 0 && bytes.get(at + 1) == Some(&b':') => start = at + 2,
                _ => {}
            }
        }
        self.name.get(start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> TypeLayout {
        TypeLayout {
            name: name.to_owned(),
            size: 0,
            shape: Shape::Struct,
            members: Vec::new(),
            variants: None,
            arguments: Vec::new(),
        }
    }

    #[test]
    fn the_path_of_an_argument_is_taken_for_that_of_the_type() {
        for (name, own) in [
            ("a::B<c::D>", "B<c::D>"),
            ("a::{impl#0}::b::{async_fn_env#0}<c::D>", "{async_fn_env#0}<c::D>"),
            ("fn(a::B) -> c::D", "D"),
            ("u32", "u32"),
            ("", ""),
        ] {
            assert_eq!(named(name).own_name(), own, "{name}");
        }
        assert!(named("a::b::{async_fn_env#0}<c::D>").is_async_body());
        assert!(!named("a::B<c::{async_fn_env#0}>").is_async_body());
    }

    #[test]
    fn a_number_without_a_variant_is_that_of_the_other_variants() {
        let member = |name: &str| Member { name: name.into(), of_type: TypeRef(0), offset: 0, place: None };
        let list = vec![(Some(1), member("one")), (None, member("other"))];
        let variants = Variants { discriminant: None, list };
        assert_eq!(variants.of_number(1).unwrap().name, "one");
        assert_eq!(variants.of_number(7).unwrap().name, "other");
        assert!(Variants::default().of_number(0).is_none());
    }
}
