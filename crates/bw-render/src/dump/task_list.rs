//! The tasks of a dump without where they wait: for dumps in which nobody was asked.

use std::fmt::{self, Write as _};

use bw_core::RawTaskDump;

use crate::dump::dump_text::DumpText;

impl DumpText {
    /// Every task in a line of its own, by id, after a line that sums up; not where it waits.
    #[must_use]
    pub fn list<'a>(&'a self, dump: &'a RawTaskDump) -> impl fmt::Display + 'a {
        List { settings: self, dump }
    }
}

struct List<'a> {
    settings: &'a DumpText,
    dump: &'a RawTaskDump,
}

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let out = &mut self.settings.text().painter(f);
        DumpText::counts(out, self.dump)?;
        for (at, task) in self.dump.tasks().iter().enumerate() {
            out.write_str(if at == 0 { "\n\n" } else { "\n" })?;
            self.settings.heading(out, task, self.dump.took())?;
        }
        Ok(())
    }
}
