//! Where a source file comes from: told by its folders, never by asking the disk.

/// Where a source file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceOrigin<'a> {
    /// The standard library's, or that of what it is built from. `below` begins with the crate: `core/src/task/wake.rs`.
    Std { below: &'a str },
    /// A dependency's, where cargo keeps it. `below` begins with the folder that names it:
    /// `tokio-1.54.1/src/sync/mutex.rs`. A git checkout names a repository, which has many packages.
    Dependency { below: &'a str, package: Option<&'a str> },
    /// A dependency's, in a folder of the program.
    Vendored { package: &'a str },
    /// Everything else, which is the program's own.
    Program,
}

const SEPARATORS: [char; 2] = ['/', '\\'];

impl<'a> SourceOrigin<'a> {
    /// A folder alone proves nothing: a program may have a crate named `registry`, which is at `registry/src` as well. What
    /// stands below must look like what cargo or rustc put there.
    ///
    /// | file | is |
    /// |---|---|
    /// | `…/registry/src/<index>/<name>-<version>/…` | a dependency from a registry |
    /// | `…/git/checkouts/<name>-<hash>/<revision>/…` | a dependency from git |
    /// | `…/vendor/<name>/…` | a vendored dependency. That is all there is to go by, so a program below such a folder is one too |
    /// | `/rustc/<hash or version>/library/…`, `/rust/deps/…` | std, as its authors build it |
    /// | `…/lib/rustlib/src/rust/library/…` | std, as rustup installs its source |
    /// | `…/rustc-<version>/library/…` | std, as distributions build it |
    pub(crate) fn of(file: &'a str) -> Self {
        let dependency = registry(file).or_else(|| git(file));
        dependency.or_else(|| std(file)).or_else(|| vendored(file)).unwrap_or(Self::Program)
    }
}

fn registry(file: &str) -> Option<SourceOrigin<'_>> {
    each_below(file, &["registry", "src"]).find_map(|rest| {
        let (index, below) = folder(rest)?;
        let (package, _) = folder(below)?;
        let name = without_version(package)?;
        (!index.is_empty()).then_some(SourceOrigin::Dependency { below, package: Some(name) })
    })
}

fn git(file: &str) -> Option<SourceOrigin<'_>> {
    each_below(file, &["git", "checkouts"]).find_map(|below| {
        let (repository, rest) = folder(below)?;
        let (revision, _) = folder(rest)?;
        let (_, hash) = repository.rsplit_once('-')?;
        (is_hash(hash) && is_hash(revision)).then_some(SourceOrigin::Dependency { below, package: None })
    })
}

fn vendored(file: &str) -> Option<SourceOrigin<'_>> {
    each_below(file, &["vendor"]).find_map(|below| {
        let (package, _) = folder(below)?;
        Some(SourceOrigin::Vendored { package: without_version(package).unwrap_or(package) })
    })
}

fn std(file: &str) -> Option<SourceOrigin<'_>> {
    let prefixed = |prefix| file.strip_prefix(prefix)?.strip_prefix(SEPARATORS);
    let built = prefixed("/rustc").and_then(folder).map(|(_, rest)| rest);
    let installed = || each_below(file, &["lib", "rustlib", "src", "rust"]).next();
    if let Some(rest) = built.or_else(installed) {
        return Some(SourceOrigin::Std { below: strip_folder(rest, "library").unwrap_or(rest) });
    }
    if let Some(below) = prefixed("/rust/deps") {
        return Some(SourceOrigin::Std { below });
    }
    let distributed = file.match_indices("rustc-").find_map(|(at, name)| {
        let (version, rest) = folder(&file[at + name.len()..])?;
        let is_folder = file[..at].ends_with(SEPARATORS);
        let is_version = version.starts_with(|c: char| c.is_ascii_digit());
        strip_folder(rest, "library").filter(|_| is_folder && is_version)
    })?;
    Some(SourceOrigin::Std { below: distributed })
}

/// What stands below these folders, wherever in a path they are.
fn each_below<'a>(path: &'a str, folders: &[&str]) -> impl Iterator<Item = &'a str> {
    path.match_indices(SEPARATORS).filter_map(move |(at, separator)| {
        folders.iter().try_fold(&path[at + separator.len()..], |rest, folder| strip_folder(rest, folder))
    })
}

fn strip_folder<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix(SEPARATORS)
}

/// The first folder of a path, and what is below it.
fn folder(path: &str) -> Option<(&str, &str)> {
    path.split_once(SEPARATORS).filter(|(folder, _)| !folder.is_empty())
}

/// `tokio-util` of `tokio-util-0.7.1`. A number without a dot may be a part of the name, as in `md-5-0.10.6`.
fn without_version(folder: &str) -> Option<&str> {
    let is_version = |text: &str| {
        let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
        number.len() < text.len() && number.starts_with('.')
    };
    folder
        .match_indices('-')
        .map(|(at, _)| at)
        .find(|&at| is_version(&folder[at + 1..]))
        .map(|at| &folder[..at])
}

fn is_hash(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_told_by_what_cargo_puts_below_its_folders() {
        for (file, folder, name) in [
            ("/x/registry/src/index-0123/tokio-1.54.1/src/a.rs", "tokio-1.54.1/src/a.rs", Some("tokio")),
            ("/x/registry/src/i.io-6f17/tokio-util-0.7.1/a.rs", "tokio-util-0.7.1/a.rs", Some("tokio-util")),
            ("/x/registry/src/y/registry/src/i-0/md-5-0.10.6/a.rs", "md-5-0.10.6/a.rs", Some("md-5")),
            (r"C:\x\registry\src\i-0\tokio-1.54.1\src\a.rs", r"tokio-1.54.1\src\a.rs", Some("tokio")),
            ("/x/git/checkouts/tokio-0123/abcd/tokio/a.rs", "tokio-0123/abcd/tokio/a.rs", None),
        ] {
            assert_eq!(
                SourceOrigin::of(file),
                SourceOrigin::Dependency { below: folder, package: name },
                "{file}"
            );
        }
        for file in ["/x/vendor/tokio-util/src/a.rs", "/x/vendor/tokio-util-0.7.1/src/a.rs"] {
            assert_eq!(SourceOrigin::of(file), SourceOrigin::Vendored { package: "tokio-util" }, "{file}");
        }
    }

    #[test]
    fn the_standard_library_is_told_however_it_was_built() {
        for (file, below) in [
            ("/rustc/59807616e1fa/library/core/src/task/wake.rs", "core/src/task/wake.rs"),
            ("/rustc/1.75.0/library/std/src/thread.rs", "std/src/thread.rs"),
            (r"/rustc/59807616e1fa\library\std\src\thread.rs", r"std\src\thread.rs"),
            ("/rust/deps/hashbrown-0.15.2/src/map.rs", "hashbrown-0.15.2/src/map.rs"),
            ("/x/lib/rustlib/src/rust/library/alloc/src/boxed.rs", "alloc/src/boxed.rs"),
            ("/usr/src/rustc-1.96.0/library/core/src/future/poll_fn.rs", "core/src/future/poll_fn.rs"),
        ] {
            assert_eq!(SourceOrigin::of(file), SourceOrigin::Std { below }, "{file}");
        }
    }

    #[test]
    fn folders_of_the_program_that_are_named_alike_are_the_programs() {
        for file in [
            "/home/me/shop/registry/src/net/conn.rs",
            "/home/me/shop/registry/src/main.rs",
            "/home/me/rustc/src/main.rs",
            "/home/me/library/core/src/lib.rs",
            "/home/me/rustc-tools/library/src/lib.rs",
            "/home/git/checkouts/app/src/main.rs",
            "registry/src/main.rs",
            "src/main.rs",
            "vendor",
            "/vendor/",
            "/rustc/",
            "",
            "é/registry/src/é/é-é/é",
        ] {
            assert_eq!(SourceOrigin::of(file), SourceOrigin::Program, "{file}");
        }
    }
}
