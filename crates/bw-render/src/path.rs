//! Source paths as people want to read them.

use crate::origin::Origin;

/// Shortens a path: what the build machine's folders are called is of no interest.
///
/// | path | becomes |
/// |---|---|
/// | of a dependency or of std | what [`Origin`] finds below their folders: `tokio-1.54.1/src/a.rs`, `core/src/a.rs` |
/// | below a root, vendored dependencies included | what is below it |
///
/// `./` at the start goes too, as some compilations leave it.
pub(crate) fn shorten<'a>(path: &'a str, roots: &[String]) -> &'a str {
    let path = path.strip_prefix("./").unwrap_or(path);
    match Origin::of(path) {
        Origin::Dependency { below, .. } | Origin::Std { below } => return below,
        Origin::Vendored { .. } | Origin::Program => {}
    }
    for root in roots {
        let root = root.trim_end_matches(['/', '\\']);
        // The root of all paths shortens none.
        if !root.is_empty()
            && let Some(below) = path.strip_prefix(root).and_then(|rest| rest.strip_prefix(['/', '\\']))
        {
            return below.strip_prefix("./").unwrap_or(below);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_the_build_machine_go() {
        let roots = ["/home/me/app/".to_owned()];
        for (long, short) in [
            ("/home/me/app/src/main.rs", "src/main.rs"),
            ("/home/me/app/./src/main.rs", "src/main.rs"),
            ("/home/me/application/src/main.rs", "/home/me/application/src/main.rs"),
            ("/x/registry/src/index-0123/tokio-1.54.1/src/time/sleep.rs", "tokio-1.54.1/src/time/sleep.rs"),
            ("/x/git/checkouts/tokio-0123/abcd/src/lib.rs", "tokio-0123/abcd/src/lib.rs"),
            ("/rustc/0123/library/core/src/task/wake.rs", "core/src/task/wake.rs"),
            ("/x/lib/rustlib/src/rust/library/std/src/thread.rs", "std/src/thread.rs"),
            ("/home/me/app/registry/src/index/tokio-1.54.1/src/a.rs", "tokio-1.54.1/src/a.rs"),
            ("/usr/src/rustc-1.96.0/library/core/src/task/wake.rs", "core/src/task/wake.rs"),
            ("/home/me/app/vendor/tokio/src/a.rs", "vendor/tokio/src/a.rs"),
            // A crate of the program that is named like cargo's folder.
            ("/home/me/app/registry/src/net/conn.rs", "registry/src/net/conn.rs"),
            ("./src/main.rs", "src/main.rs"),
            ("src/main.rs", "src/main.rs"),
            ("", ""),
        ] {
            assert_eq!(shorten(long, &roots), short);
        }
    }

    #[test]
    fn a_working_directory_of_slash_shortens_nothing() {
        assert_eq!(shorten("/home/me/app/src/main.rs", &["/".to_owned()]), "/home/me/app/src/main.rs");
    }
}
