//! Source paths as people want to read them.

use crate::tree::source_origin::SourceOrigin;

/// How source paths are shown: without the folders of the machine that built the program, or as the debug information has
/// them. The one setting for every format. [`default`](Self::default) is what each format says of itself: text, pages and
/// profiles have short paths, JSON and [`Detail::Full`](crate::Detail::Full) have full ones.
///
/// ```
/// use bw_render::Paths;
///
/// let paths = Paths::short().relative_to("/home/me/shop");
/// assert_eq!(paths.shorten("/home/me/shop/src/main.rs"), "src/main.rs");
/// let dependency = "/home/me/.cargo/registry/src/index.crates.io-6f17d22bba15001f/tokio-1.54.1/src/time/sleep.rs";
/// assert_eq!(paths.shorten(dependency), "tokio-1.54.1/src/time/sleep.rs");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    full: Option<bool>,
    folders: Vec<String>,
}

impl Paths {
    /// Returns short paths, whatever the format says.
    #[must_use]
    pub fn short() -> Self {
        Self { full: Some(false), folders: Vec::new() }
    }

    /// Returns full paths, whatever the format says.
    #[must_use]
    pub fn full() -> Self {
        Self { full: Some(true), folders: Vec::new() }
    }

    /// Shows short paths below this folder relative to it. May be called repeatedly.
    #[must_use]
    pub fn relative_to(mut self, folder: impl Into<String>) -> Self {
        self.folders.push(folder.into());
        self
    }

    /// Returns a path as short as it can be shown, also where these paths are full.
    #[must_use]
    pub fn shorten<'a>(&self, path: &'a str) -> &'a str {
        shorten(path, &self.folders)
    }

    /// Returns a path as it is shown by a format that has full or short paths unless told.
    pub(crate) fn show<'a>(&self, path: &'a str, full_by_default: bool) -> &'a str {
        if self.full.unwrap_or(full_by_default) { path } else { self.shorten(path) }
    }

    /// Returns the same, short where nothing else was said.
    #[cfg(feature = "html")]
    pub(crate) fn or_short(&self) -> Self {
        Self { full: Some(self.full.unwrap_or(false)), ..self.clone() }
    }
}

/// Shortens a path: what the build machine's folders are called is of no interest.
///
/// | path | becomes |
/// |---|---|
/// | of a dependency or of std | what [`SourceOrigin`] finds below their folders: `tokio-1.54.1/src/a.rs`, `core/src/a.rs` |
/// | below a folder of [`Paths::relative_to`], vendored dependencies included | what is below it |
///
/// `./` at the start goes too, as some compilations leave it.
fn shorten<'a>(path: &'a str, folders: &[String]) -> &'a str {
    let path = path.strip_prefix("./").unwrap_or(path);
    match SourceOrigin::of(path) {
        SourceOrigin::Dependency { below, .. } | SourceOrigin::Std { below } => return below,
        SourceOrigin::Vendored { .. } | SourceOrigin::Program => {}
    }
    for folder in folders {
        let folder = folder.trim_end_matches(['/', '\\']);
        // The root folder shortens none.
        if !folder.is_empty()
            && let Some(below) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix(['/', '\\']))
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
        let folders = ["/home/me/app/".to_owned()];
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
            assert_eq!(shorten(long, &folders), short);
        }
    }

    #[test]
    fn a_working_directory_of_slash_shortens_nothing() {
        assert_eq!(shorten("/home/me/app/src/main.rs", &["/".to_owned()]), "/home/me/app/src/main.rs");
    }
}
