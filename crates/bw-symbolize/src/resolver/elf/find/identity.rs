//! What a module is and where it lies, for finding the files that describe it.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use object::{Object, ObjectSegment};

use bw_dump::{BuildId, Module};

/// A module of some process, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// For people.
    pub(crate) path: Arc<str>,
    pub(crate) is_main: bool,
    pub(crate) build_id: Option<BuildId>,
    /// Address in the process minus address in the file; wraps.
    pub(crate) bias: u64,
    pub(crate) layout: Layout,
}

/// Which addresses in its file (SVMAs) a module takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Every loaded segment, as the loader has them.
    Segments(Vec<Segment>),
    /// From the first segment to the last, as a map of modules has them.
    Span(Range<u64>),
}

/// A part of a module's file that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Addresses in the file (SVMAs).
    pub(crate) range: Range<u64>,
    /// Whether it may be executed.
    pub(crate) is_code: bool,
}

impl Identity {
    /// A module out of a map. Which one is the main program, maps do not tell.
    pub(crate) fn recorded(module: &Module) -> Self {
        let in_file = |address: u64| address.wrapping_sub(module.bias());
        let range = module.range();
        Self {
            path: path_text(module.path()),
            is_main: false,
            build_id: module.build_id().cloned(),
            bias: module.bias(),
            layout: Layout::Span(in_file(range.start)..in_file(range.end)),
        }
    }

    /// Whether code may be at an address in the file, as far as it is known.
    ///
    /// Debug information of functions that the linker dropped says address 0, where the file's header is.
    pub(crate) fn has_code_at(&self, svma: u64) -> bool {
        match &self.layout {
            Layout::Segments(segments) => {
                segments.iter().any(|segment| segment.is_code && segment.range.contains(&svma))
            }
            Layout::Span(span) => span.contains(&svma),
        }
    }

    /// The addresses in its process that belong to it.
    pub(crate) fn ranges(&self) -> Vec<Range<u64>> {
        // A range that wraps around is the loader's mistake; it then contains nothing.
        let in_process =
            |range: &Range<u64>| self.bias.wrapping_add(range.start)..self.bias.wrapping_add(range.end);
        match &self.layout {
            Layout::Segments(segments) => segments.iter().map(|segment| in_process(&segment.range)).collect(),
            Layout::Span(span) => vec![in_process(span)],
        }
    }

    /// Whether a file is what was loaded: it may have been replaced since, and under `ld.so program`,
    /// `/proc/self/exe` is the loader. Told by the build id where the module has one, else by the place of the
    /// segments.
    pub(crate) fn compare(&self, file: &[u8]) -> Match {
        let Ok(object) = object::File::parse(file) else { return Match::NoObject };
        if let Some(wanted) = &self.build_id {
            let found = object.build_id().ok().flatten().and_then(BuildId::from_bytes);
            if found.as_ref() == Some(wanted) {
                return Match::Same;
            }
            return Match::OtherBuild { wanted: wanted.clone(), found };
        }
        // Empty segments are not listed by every reader.
        let in_file = object
            .segments()
            .filter(|segment| segment.size() != 0)
            .map(|segment| segment.address()..segment.address().saturating_add(segment.size()));
        let is_same = match &self.layout {
            Layout::Segments(segments) => {
                in_file.eq(segments.iter().map(|it| it.range.clone()).filter(|range| !range.is_empty()))
            }
            Layout::Span(span) => {
                in_file.reduce(|all, it| all.start.min(it.start)..all.end.max(it.end)).as_ref() == Some(span)
            }
        };
        if is_same { Match::Same } else { Match::OtherLayout }
    }
}

/// How a file compares to a module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Same,
    NoObject,
    OtherBuild { wanted: BuildId, found: Option<BuildId> },
    OtherLayout,
}

pub(crate) fn path_text(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}

// They read this program, an ELF file there.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// This program, from its file: as the loader would have it, and as a map would.
    fn this_program() -> (Vec<u8>, Identity) {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let object = object::File::parse(&*file).unwrap();
        let segments = object
            .segments()
            .filter(|segment| segment.size() != 0)
            .map(|it| Segment { range: it.address()..it.address() + it.size(), is_code: true })
            .collect();
        let build_id = object.build_id().unwrap().and_then(BuildId::from_bytes);
        let layout = Layout::Segments(segments);
        let identity = Identity { path: "app".into(), is_main: true, build_id, bias: 0x1000, layout };
        (file, identity)
    }

    #[test]
    fn a_file_of_another_build_is_told_by_both_ids() {
        let (file, identity) = this_program();
        assert_eq!(identity.compare(&file), Match::Same);
        let wanted = BuildId::from_bytes(&[0; 20]).unwrap();
        let found = identity.build_id.clone();
        let other = Identity { build_id: Some(wanted.clone()), ..identity };
        assert_eq!(other.compare(&file), Match::OtherBuild { wanted, found });
    }

    #[test]
    fn without_build_id_a_file_loaded_elsewhere_is_refused() {
        let (file, identity) = this_program();
        let identity = Identity { build_id: None, ..identity };
        assert_eq!(identity.compare(&file), Match::Same);
        let Layout::Segments(segments) = &identity.layout else { unreachable!() };
        let mut other_place = segments.clone();
        other_place[0].range.end += 1;
        let span = segments[0].range.start..segments.last().unwrap().range.end;
        for (layout, expected) in [
            (Layout::Segments(other_place), Match::OtherLayout),
            (Layout::Span(span.clone()), Match::Same),
            (Layout::Span(span.start..span.end + 1), Match::OtherLayout),
        ] {
            assert_eq!(Identity { layout, ..identity.clone() }.compare(&file), expected);
        }
    }

    #[test]
    fn what_is_no_object_is_nothing() {
        let (file, identity) = this_program();
        for bytes in [&b""[..], b"\x7fELF", b"root:x:0:0:root:/root:/bin/bash\n", &file[..100]] {
            assert_eq!(identity.compare(bytes), Match::NoObject);
        }
    }
}
