//! What comes on stdin: a raw dump, or a core file, which is kept in a temporary file because its parts are read in any order.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, Read};
use std::path::PathBuf;

use bw_inspect::target::CoreFile;

use crate::output::failure::Failure;

/// Stdin, and the bytes of it that were read to see what it is.
#[derive(Debug)]
pub(crate) struct StdinInput {
    head: Vec<u8>,
}

impl StdinInput {
    /// Waits for the first bytes.
    pub(crate) fn open() -> Result<Self, Failure> {
        let mut head = Vec::new();
        let read = io::stdin().lock().take(CoreFile::HEAD_BYTES as u64).read_to_end(&mut head);
        read.map_err(|error| Failure::new(format!("stdin cannot be read: {error}")))?;
        Ok(Self { head })
    }

    pub(crate) fn is_core_file(&self) -> bool {
        CoreFile::is_head(&self.head)
    }

    /// All of it, from the beginning.
    pub(crate) fn reader(&self) -> impl Read {
        Cursor::new(self.head.clone()).chain(io::stdin().lock())
    }

    /// Copies it to a temporary file that nobody else can read, and that is gone when it is closed or the command is killed.
    pub(crate) fn keep(&self) -> Result<File, Failure> {
        let folder = std::env::temp_dir();
        let failed = |error: &io::Error| {
            let failure = format!("cannot keep the core file from stdin in {}: {error}", folder.display());
            Failure::new(failure)
                .with_help("name another folder in the variable TMPDIR, or save the core file and name it")
        };
        let mut file = temporary(folder.join(format!("backtrace-waker-{}.core", std::process::id())))
            .map_err(|error| failed(&error))?;
        io::copy(&mut self.reader(), &mut file).map_err(|error| failed(&error))?;
        Ok(file)
    }
}

/// Creates a file, and removes its name.
fn temporary(path: PathBuf) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}
