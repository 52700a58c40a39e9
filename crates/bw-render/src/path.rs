//! Source paths as people want to read them.

/// Shortens a path: what the build machine's folders are called is of no interest.
///
/// | path | becomes |
/// |---|---|
/// | below a root | what is below it |
/// | `…/registry/src/<index>/tokio-1.54.1/src/a.rs` | `tokio-1.54.1/src/a.rs` |
/// | `…/git/checkouts/<repository>/<revision>/src/a.rs` | `<repository>/<revision>/src/a.rs` |
/// | `/rustc/<hash>/library/core/src/a.rs`, or as installed by rustup | `core/src/a.rs` |
///
/// `./` at the start goes too, as some compilations leave it.
pub(crate) fn shorten<'a>(path: &'a str, roots: &[String]) -> &'a str {
    let path = path.strip_prefix("./").unwrap_or(path);
    if let Some((_, after)) = path.split_once("/registry/src/") {
        return after.split_once('/').map_or(after, |(_, package)| package);
    }
    if let Some((_, after)) = path.split_once("/git/checkouts/") {
        return after;
    }
    let std = path.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    let std = std.or_else(|| path.split_once("/lib/rustlib/src/rust/").map(|(_, rest)| rest));
    if let Some(std) = std {
        return std.strip_prefix("library/").unwrap_or(std);
    }
    for root in roots {
        let root = root.trim_end_matches('/');
        // The root of all paths shortens none.
        if !root.is_empty()
            && let Some(below) = path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/'))
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
