//! JSON with a line for each thing a person may look for.

use std::io;

use serde_json::ser::Formatter;

/// Writes every field of the outermost object, and every element of the arrays in it, on a line of its own; else no spaces.
/// Such a file can be searched by line, and an error can say in which line it is.
#[derive(Debug)]
pub(super) struct LineFormatter {
    depth: usize,
}

impl LineFormatter {
    /// Leaves the outermost object open, so that more fields can be written behind.
    pub(super) fn left_open() -> Self {
        Self { depth: 0 }
    }

    fn separate<W: ?Sized + io::Write>(&self, out: &mut W, first: bool, depth: usize) -> io::Result<()> {
        out.write_all(match (first, self.depth == depth) {
            (true, true) => b"\n",
            (false, true) => b",\n",
            (true, false) => b"",
            (false, false) => b",",
        })
    }
}

impl Formatter for LineFormatter {
    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        out.write_all(b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        out.write_all(b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.separate(out, first, 2)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        out.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.depth == 0 { Ok(()) } else { out.write_all(b"}") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.separate(out, first, 1)
    }
}
