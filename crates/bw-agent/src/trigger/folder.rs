//! A folder of raw dump files, bounded.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use backtrace_waker::RawDumpFile;
use bw_dump::rfc3339;
use parking_lot::Mutex;

use super::report::Report;
use crate::report::warn;

/// A folder for raw dump files, one for each report, bounded in number and bytes: the oldest go first.
///
/// Made if it is not there (the folder above it must be), for this user alone. One that is there must belong to this user, and
/// nobody else may write to it. Files are for this user alone (0600), and appear when they are complete, as
/// `backtrace-waker-2026-11-25T16-12-34.123Z-PID-NUMBER-REASON.dump.gz`; what the command `backtrace-waker` prints. Several
/// processes may share a folder, and its bounds then.
///
/// Nothing is symbolized in this process. A line on stderr says which file a report is in, and why there is one. When a file cannot
/// be written, because the disk is full, say, what there is of it is removed, a warning comes once until one can be written again,
/// a report that no other sink has goes to stderr, and the process goes on.
///
/// ```
/// use bw_agent::{ReportFolder, Sink};
///
/// let sink = Sink::from(ReportFolder::new("/var/tmp/shop-dumps").max_files(10).max_bytes(100 << 20));
/// # let _ = sink;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a folder is given to a sink"]
pub struct ReportFolder {
    path: PathBuf,
    max_files: usize,
    max_bytes: u64,
}

impl ReportFolder {
    /// How many files are kept unless told: 32.
    pub const MAX_FILES: usize = 32;
    /// How many bytes they may have together unless told: 256 MiB.
    pub const MAX_BYTES: u64 = 256 << 20;

    /// A folder of that path. Made when the agent starts, which warns if nothing can be written there, and looked at again when
    /// there is a report.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_files: Self::MAX_FILES, max_bytes: Self::MAX_BYTES }
    }

    /// Keeps at most so many files; at least one.
    pub fn max_files(mut self, files: usize) -> Self {
        self.max_files = files.max(1);
        self
    }

    /// Keeps at most so many bytes in all files together. A dump that is larger by itself is not kept. While one is written,
    /// there may be as many more as it has.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }
}

const PREFIX: &str = "backtrace-waker-";
const SUFFIX: &str = ".dump.gz";
/// What is being written. Hidden, and no dump by its name.
const UNFINISHED: &str = ".unfinished";
/// So old it is of a process that died while it wrote.
const ABANDONED: Duration = Duration::from_secs(600);

/// The folder at work.
pub(super) struct Folder {
    settings: ReportFolder,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last one could not be written, and that was said.
    is_warned: bool,
    /// Told apart by it are files of one moment.
    number: u32,
}

impl Folder {
    pub(super) fn new(settings: ReportFolder) -> Self {
        Self { settings, state: Mutex::default() }
    }

    /// Before there is a report, so that who set it up is told while he looks. Warns if nothing can be kept.
    pub(super) fn check(&self) {
        if let Some(warning) = self.complaint() {
            warn(warning);
        }
    }

    /// Writes it, and says so; or warns if the one before could be written. Whether it is kept.
    pub(super) fn take(&self, report: &Report) -> bool {
        let dump = RawDumpFile::of_this_process(report.dump().raw());
        match self.keep(report.at(), report.reason().name(), |out| dump.write_gzip(out)) {
            Ok(file) => {
                let why = report.reason().to_string();
                let why = why.lines().next().unwrap_or_default();
                let line = format!("bw-agent: {} has a report: {why}\n", file.display());
                // Nobody is left to be told when stderr is gone.
                let _ = io::stderr().lock().write_all(line.as_bytes());
                true
            }
            Err(warning) => {
                if let Some(warning) = warning {
                    warn(warning);
                }
                false
            }
        }
    }

    fn complaint(&self) -> Option<String> {
        self.noted(&mut self.state.lock(), self.settings.probe()).err()?
    }

    /// Keeps what `write` writes, and tells in which file; or gives the warning, if there is one to be given.
    fn keep(
        &self,
        at: SystemTime,
        reason: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<PathBuf, Option<String>> {
        let mut state = self.state.lock();
        state.number = state.number.wrapping_add(1);
        let name = name(at, reason, state.number);
        let kept = self.settings.keep(&name, write);
        self.noted(&mut state, kept).map(|()| self.settings.path.join(name))
    }

    fn noted(&self, state: &mut State, kept: io::Result<()>) -> Result<(), Option<String>> {
        let was_warned = std::mem::replace(&mut state.is_warned, kept.is_err());
        kept.map_err(|cause| {
            (!was_warned).then(|| {
                format!(
                    "cannot keep a dump in {}: {cause}; that is not said again until one can be kept, and a report that \
                     no other sink has goes to stderr",
                    self.settings.path.display()
                )
            })
        })
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

/// Sorts by time. With a number, and the process', so that no two mean the same file.
fn name(at: SystemTime, reason: &str, number: u32) -> String {
    // No colons: not every file system takes them, and other programs take them for hosts.
    let at = rfc3339::milliseconds(at).replace(':', "-");
    format!("{PREFIX}{at}-{}-{number}-{reason}{SUFFIX}", std::process::id())
}

impl ReportFolder {
    fn keep(&self, name: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        self.prepare()?;
        let unfinished = self.path.join(format!(".{name}{UNFINISHED}"));
        // Fails where there is anything of that name, a symbolic link included.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = Bounded { file: options.open(&unfinished)?, left: self.max_bytes, of: self.max_bytes };
        let kept = write(&mut out).and_then(|()| out.file.flush()).and_then(|()| {
            self.make_room(self.max_bytes - out.left)?;
            fs::rename(&unfinished, self.path.join(name))
        });
        if kept.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        kept
    }

    /// Whether a file can be made there. Leaves none.
    fn probe(&self) -> io::Result<()> {
        self.prepare()?;
        let probe = self.path.join(format!(".{PREFIX}{}{UNFINISHED}", std::process::id()));
        // Of a process of this number that died.
        remove(&probe)?;
        File::create_new(&probe)?;
        remove(&probe)
    }

    fn prepare(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        match self.complaint()? {
            None => Ok(()),
            Some(complaint) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("the folder {complaint}; give it one that is not there yet, in a folder that is"),
            )),
        }
    }

    #[cfg(unix)]
    fn complaint(&self) -> io::Result<Option<String>> {
        use std::os::unix::fs::MetadataExt;

        // Through a link: where it leads is checked.
        let is = fs::metadata(&self.path)?;
        let user = rustix::process::geteuid().as_raw();
        Ok(if is.uid() != user {
            Some(format!("belongs to the user {} and not to {user}", is.uid()))
        } else if is.mode() & 0o022 != 0 {
            Some(format!("has the mode {:o}, so others may write to it", is.mode() & 0o777))
        } else {
            None
        })
    }

    #[cfg(not(unix))]
    fn complaint(&self) -> io::Result<Option<String>> {
        fs::metadata(&self.path).map(|_| None)
    }

    /// Removes the oldest dumps until one more of so many bytes can be kept, and what nobody will finish.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.path)?.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            // Not through links.
            let Some(is) = entry.metadata().ok().filter(fs::Metadata::is_file) else { continue };
            if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
                kept.push((name.to_owned(), is.len()));
            } else if name.strip_prefix('.').is_some_and(|name| name.starts_with(PREFIX))
                && name.ends_with(UNFINISHED)
                && is.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= ABANDONED))
            {
                remove(&entry.path())?;
            }
        }
        // By time, as names begin with it.
        kept.sort_unstable();
        let mut files = kept.len();
        let mut total = kept.iter().map(|(_, len)| len).sum::<u64>();
        for (name, len) in kept {
            if files < self.max_files && total.saturating_add(bytes) <= self.max_bytes {
                break;
            }
            remove(&self.path.join(name))?;
            files -= 1;
            total -= len;
        }
        Ok(())
    }
}

/// Another process that shares the folder may have been faster.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that takes so much and no more.
struct Bounded {
    file: File,
    left: u64,
    of: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            let message = format!("it has more than {} bytes; see ReportFolder::max_bytes", self.of);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        let written = self.file.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// An empty folder, removed at the end.
    struct Place(PathBuf);

    impl Place {
        fn new() -> Self {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("bw-agent-folder-{}-{number}", std::process::id()));
            fs::create_dir(&path).expect("a folder");
            Self(path)
        }

        fn reports(&self) -> PathBuf {
            self.0.join("reports")
        }

        fn files(&self) -> Vec<String> {
            let files = fs::read_dir(self.reports()).expect("the folder");
            let mut files: Vec<_> =
                files.map(|file| file.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
            files.sort();
            files
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Keeps `bytes` bytes as of that second.
    fn keep(folder: &Folder, second: u64, bytes: usize) -> Option<String> {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + second);
        folder.keep(at, "test", |out| out.write_all(&vec![b'x'; bytes])).err().flatten()
    }

    #[test]
    fn the_oldest_go_first() {
        let place = Place::new();
        let folder = Folder::new(ReportFolder::new(place.reports()).max_files(3).max_bytes(100));
        for second in 0..5 {
            assert_eq!(keep(&folder, second, 10), None);
        }
        let at = |name: &String| name.trim_start_matches(PREFIX)[17..19].to_owned();
        assert_eq!(place.files().iter().map(at).collect::<Vec<_>>(), ["42", "43", "44"]);
        let pid = std::process::id();
        let name = format!("backtrace-waker-2001-09-09T01-46-44.000Z-{pid}-5-test.dump.gz");
        assert_eq!(place.files()[2], name);
        // And for its bytes: three of ten and one of 75 have more than 100.
        assert_eq!(keep(&folder, 5, 75), None);
        assert_eq!(place.files().iter().map(at).collect::<Vec<_>>(), ["43", "44", "45"]);
        assert_eq!(keep(&folder, 6, 100), None);
        assert_eq!(place.files().iter().map(at).collect::<Vec<_>>(), ["46"]);
    }

    #[test]
    fn a_dump_larger_than_all_may_be_is_not_kept_and_costs_no_other() {
        let place = Place::new();
        let folder = Folder::new(ReportFolder::new(place.reports()).max_bytes(100));
        assert_eq!(keep(&folder, 0, 50), None);
        let warning = keep(&folder, 1, 101).expect("a warning");
        assert!(warning.contains("more than 100 bytes") && warning.contains("reports"), "{warning}");
        assert_eq!(place.files().len(), 1, "{:?}", place.files());
    }

    #[test]
    fn a_full_disk_is_said_once_and_leaves_nothing() {
        let place = Place::new();
        let folder = Folder::new(ReportFolder::new(place.reports()));
        let full = |folder: &Folder| {
            folder
                .keep(SystemTime::now(), "test", |out| {
                    out.write_all(b"half of it")?;
                    Err(io::ErrorKind::StorageFull.into())
                })
                .expect_err("it cannot be kept")
        };
        let warning = full(&folder).expect("a warning");
        assert!(warning.contains(&io::Error::from(io::ErrorKind::StorageFull).to_string()), "{warning}");
        assert_eq!((full(&folder), full(&folder)), (None, None));
        assert!(place.files().is_empty());
        // Somebody made room, and it fills again.
        assert_eq!(keep(&folder, 0, 10), None);
        assert!(full(&folder).is_some());
        assert_eq!(place.files().len(), 1);
    }

    #[test]
    fn files_and_folder_are_this_users_alone() {
        let place = Place::new();
        let folder = Folder::new(ReportFolder::new(place.reports()));
        assert_eq!(keep(&folder, 0, 10), None);
        let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!(mode(&place.reports()), 0o700);
        assert_eq!(mode(&place.reports().join(&place.files()[0])), 0o600);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let place = Place::new();
        fs::create_dir(place.reports()).expect("a folder");
        for mode in [0o777, 0o1777, 0o770, 0o702] {
            fs::set_permissions(place.reports(), fs::Permissions::from_mode(mode)).expect("ours");
            let folder = Folder::new(ReportFolder::new(place.reports()));
            let warning = keep(&folder, 0, 10).expect("a warning");
            assert!(warning.contains("others may write to it"), "{warning}");
        }
        fs::set_permissions(place.reports(), fs::Permissions::from_mode(0o755)).expect("ours");
        assert_eq!(keep(&Folder::new(ReportFolder::new(place.reports())), 0, 10), None);
        assert_eq!(place.files().len(), 1);
    }

    #[test]
    fn what_cannot_be_a_folder_is_said() {
        let place = Place::new();
        fs::write(place.reports(), "a file").expect("ours");
        assert!(keep(&Folder::new(ReportFolder::new(place.reports())), 0, 10).is_some());
        let nowhere = place.0.join("not there").join("reports");
        let warning = keep(&Folder::new(ReportFolder::new(nowhere)), 0, 10).expect("a warning");
        assert!(warning.contains("not there"), "{warning}");
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_said_before_there_is_a_report_and_once() {
        let place = Place::new();
        let nowhere = Folder::new(ReportFolder::new(place.0.join("not there").join("reports")));
        let warning = nowhere.complaint().expect("a warning");
        assert!(warning.contains("not there"), "{warning}");
        assert_eq!((nowhere.complaint(), keep(&nowhere, 0, 10)), (None, None));
        let folder = Folder::new(ReportFolder::new(place.reports()));
        assert_eq!((folder.complaint(), folder.complaint()), (None, None));
        assert!(place.files().is_empty(), "{:?}", place.files());
        // It is there and this user's, and something is in the way.
        let probe = format!(".{PREFIX}{}{UNFINISHED}", std::process::id());
        fs::create_dir(place.reports().join(probe)).expect("ours");
        assert!(folder.complaint().is_some());
    }

    #[test]
    fn other_files_are_left_alone_and_links_are_not_followed() {
        let place = Place::new();
        fs::create_dir(place.reports()).expect("a folder");
        let [precious, link, note] = [
            place.0.join("precious"),
            place.reports().join(format!("{PREFIX}1999{SUFFIX}")),
            place.reports().join("note.txt"),
        ];
        fs::write(&precious, "of somebody").expect("ours");
        symlink(&precious, &link).expect("ours");
        fs::write(&note, "of somebody").expect("ours");
        let folder = Folder::new(ReportFolder::new(place.reports()).max_files(1));
        for second in 0..3 {
            assert_eq!(keep(&folder, second, 10), None);
        }
        assert!(link.is_symlink() && note.exists());
        assert_eq!(fs::read(&precious).expect("it is there"), b"of somebody");
        // Where the file would be written there is a link to somewhere else.
        let at = SystemTime::UNIX_EPOCH;
        let unfinished = place.reports().join(format!(".{}{UNFINISHED}", name(at, "test", 4)));
        symlink(&precious, &unfinished).expect("ours");
        assert!(folder.keep(at, "test", |out| out.write_all(b"overwritten")).is_err());
        assert_eq!(fs::read(&precious).expect("it is there"), b"of somebody");
    }

    #[test]
    fn what_a_process_left_that_died_is_removed_in_time() {
        let place = Place::new();
        fs::create_dir(place.reports()).expect("a folder");
        let [old, new] =
            ["old", "new"].map(|name| place.reports().join(format!(".{PREFIX}{name}{SUFFIX}{UNFINISHED}")));
        for file in [&old, &new] {
            fs::write(file, "half of it").expect("ours");
        }
        let long_ago = SystemTime::now() - ABANDONED * 2;
        File::options().write(true).open(&old).expect("ours").set_modified(long_ago).expect("a time");
        assert_eq!(keep(&Folder::new(ReportFolder::new(place.reports())), 0, 10), None);
        assert!(!old.exists() && new.exists());
    }
}
