//! Debug files from debuginfod servers, kept where elfutils' own client keeps them.
//!
//! The protocol: `GET <url>/buildid/<build id>/debuginfo` gives the file, or 404. The cache: a folder for each build id,
//! with the file `debuginfo` in it. See `debuginfod(8)` and `debuginfod_find_debuginfo(3)` of elfutils.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bw_dump::BuildId;

/// Servers that have debug files of builds, and where what they sent is kept.
///
/// A server learns which build ids this program asks for, and what it sends is parsed. Each module is asked for once,
/// when nothing else describes it; while that lasts, other threads that symbolize addresses of the same module wait.
#[derive(Clone, Debug)]
pub struct Debuginfod {
    urls: Vec<String>,
    cache: PathBuf,
    timeout: Duration,
    max_bytes: u64,
}

impl Debuginfod {
    /// The servers at these addresses (`https://…`), asked in this order. Files are kept in the folder `cache`, for ever:
    /// emptying it is somebody else's.
    #[must_use]
    pub fn new(urls: impl IntoIterator<Item = String>, cache: impl Into<PathBuf>) -> Self {
        Self {
            urls: urls.into_iter().collect(),
            cache: cache.into(),
            timeout: Duration::from_secs(30),
            max_bytes: 2 << 30,
        }
    }

    /// As the environment says, like elfutils' own client: the servers in `DEBUGINFOD_URLS`, `None` when there are none, or
    /// when nothing says where files are to be kept;
    /// the cache in `DEBUGINFOD_CACHE_PATH`, or `debuginfod_client` in `XDG_CACHE_HOME`, or in `~/.cache`; the bounds in
    /// `DEBUGINFOD_MAXTIME` (seconds) and `DEBUGINFOD_MAXSIZE` (bytes).
    #[must_use]
    pub fn from_env() -> Option<Self> {
        Self::from_variables(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let urls: Vec<String> = variable("DEBUGINFOD_URLS")?.split_whitespace().map(str::to_owned).collect();
        let below = |name, folder: &str| Some(Path::new(&variable(name)?).join(folder));
        let cache = variable("DEBUGINFOD_CACHE_PATH")
            .map(PathBuf::from)
            .or_else(|| below("XDG_CACHE_HOME", "debuginfod_client"))
            .or_else(|| below("HOME", ".cache/debuginfod_client"))?;
        let number = |name| variable(name).and_then(|value| value.trim().parse::<u64>().ok());
        let mut servers = Self::new(urls, cache);
        if let Some(seconds) = number("DEBUGINFOD_MAXTIME").filter(|&seconds| seconds > 0) {
            servers = servers.timeout(Duration::from_secs(seconds));
        }
        if let Some(bytes) = number("DEBUGINFOD_MAXSIZE").filter(|&bytes| bytes > 0) {
            servers = servers.max_bytes(bytes);
        }
        (!servers.urls.is_empty()).then_some(servers)
    }

    /// How long one server may take for one file, from first to last byte. 30 seconds unless told otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How large a file may be. 2 GiB unless told otherwise.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        self.urls.iter().map(String::as_str)
    }

    /// The file of a build, if it was fetched before, by whomever. Elfutils leaves an empty file where a server had none.
    pub(crate) fn cached(&self, id: &BuildId) -> Option<PathBuf> {
        let file = self.file(id);
        fs::metadata(&file).is_ok_and(|it| it.len() > 0).then_some(file)
    }

    fn file(&self, id: &BuildId) -> PathBuf {
        self.cache.join(id.to_string()).join("debuginfo")
    }

    /// Fetches the file of a build, and returns where it is: in the cache, whole, and found right.
    ///
    /// Blocks up to the timeout. Other processes find the whole file or none.
    pub(crate) fn fetch(
        &self,
        url: &str,
        id: &BuildId,
        is_right: impl FnOnce(&Path) -> bool,
    ) -> Result<PathBuf, String> {
        let file = self.file(id);
        let in_cache = |error: io::Error| format!("the cache {}: {error}", self.cache.display());
        let part = Part::create(&file).map_err(in_cache)?;
        self.download(&format!("{}/buildid/{id}/debuginfo", url.trim_end_matches('/')), &part.file)?;
        if !is_right(&part.path) {
            return Err("it sent another file than was asked for".to_owned());
        }
        part.rename(&file).map_err(in_cache)?;
        Ok(file)
    }

    fn download(&self, url: &str, mut to: &File) -> Result<(), String> {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .http_status_as_error(false)
            .user_agent(concat!("backtrace-waker/", env!("CARGO_PKG_VERSION")));
        let agent = ureq::Agent::new_with_config(config.build());
        let response = agent.get(url).call().map_err(|error| error.to_string())?;
        match response.status().as_u16() {
            200 => {}
            404 => return Err("it does not have this build".to_owned()),
            status => return Err(format!("it answered {status}")),
        }
        // One byte more than is allowed tells that there are more.
        let body = response.into_body().into_with_config().limit(self.max_bytes.saturating_add(1)).reader();
        let length = io::copy(&mut body.take(self.max_bytes.saturating_add(1)), &mut to)
            .map_err(|error| error.to_string())?;
        if length > self.max_bytes {
            return Err(format!("its file is larger than {} bytes, which is the bound", self.max_bytes));
        }
        to.flush().map_err(|error| error.to_string())
    }
}

/// A file that is not whole yet, beside the one it will be. Gone when dropped.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    fn create(whole: &Path) -> io::Result<Self> {
        /// Tells parts of one process apart.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        if let Some(folder) = whole.parent() {
            fs::create_dir_all(folder)?;
        }
        // Ordering: numbers only have to differ.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = whole.with_extension(format!("{}-{number}.part", std::process::id()));
        let file = File::options().write(true).create_new(true).open(&path);
        let file = match file {
            // Left by a process of the same number that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&path)?;
                File::options().write(true).create_new(true).open(&path)?
            }
            file => file?,
        };
        Ok(Self { path, file })
    }

    /// Gives it its name. Whoever opens that name finds all of it.
    fn rename(self, whole: &Path) -> io::Result<()> {
        fs::rename(&self.path, whole)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is nothing left of that name.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn id() -> BuildId {
        BuildId::from_bytes(&[0xab; 20]).unwrap()
    }

    /// A folder of its own for a test, empty.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("bw-debuginfod-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    /// A server that answers one request with these bytes, then says no more but stays.
    fn server(answer: &'static [u8]) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            let mut lines = io::BufReader::new(stream.try_clone().unwrap());
            lines.read_line(&mut request).unwrap();
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            stream.write_all(answer).unwrap();
            // Until the client goes.
            let _ = lines.read_line(&mut line);
            request
        });
        (url, served)
    }

    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn a_file_is_fetched_once_and_kept_where_elfutils_keeps_it() {
        let cache = folder("kept");
        let (url, served) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfile");
        let servers = Debuginfod::new([url.clone()], &cache);
        assert_eq!(servers.cached(&id()), None);
        let file = servers.fetch(&url, &id(), |part| fs::read(part).unwrap() == b"file").unwrap();
        assert_eq!(file, cache.join("ab".repeat(20)).join("debuginfo"));
        assert_eq!(servers.cached(&id()), Some(file.clone()));
        assert_eq!(files_below(&cache), [file]);
        let request = served.join().unwrap();
        assert!(
            request.starts_with(&format!("GET /buildid/{}/debuginfo HTTP/1.1", "ab".repeat(20))),
            "{request}"
        );
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn what_fails_leaves_nothing() {
        let answers: [(&[u8], &str); 4] = [
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "does not have this build"),
            (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "answered 503"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nlarge files", "larger than 10 bytes"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother", "another file"),
        ];
        for (answer, reason) in answers {
            let cache = folder("nothing");
            let (url, served) = server(answer);
            let servers = Debuginfod::new([url.clone()], &cache).max_bytes(10);
            let error = servers.fetch(&url, &id(), |_| false).unwrap_err();
            assert!(error.contains(reason), "{error}");
            assert_eq!(files_below(&cache), Vec::<PathBuf>::new(), "{reason}");
            served.join().unwrap();
            fs::remove_dir_all(cache).unwrap();
        }
    }

    #[test]
    fn a_server_that_stops_sending_is_waited_for_no_longer_than_allowed() {
        let cache = folder("stops");
        let (url, served) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
        let servers = Debuginfod::new([url.clone()], &cache).timeout(Duration::from_millis(200));
        assert!(servers.fetch(&url, &id(), |_| true).is_err());
        assert_eq!(files_below(&cache), Vec::<PathBuf>::new());
        served.join().unwrap();
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn an_empty_file_of_elfutils_is_none() {
        let cache = folder("empty");
        let servers = Debuginfod::new([], &cache);
        let file = servers.file(&id());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        assert_eq!(servers.cached(&id()), None);
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn the_environment_says_what_it_says_to_elfutils() {
        let servers = |variables: &'static [(&str, &str)]| {
            Debuginfod::from_variables(|name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(servers(&[("HOME", "/home/me")]).is_none());
        assert!(servers(&[("HOME", "/home/me"), ("DEBUGINFOD_URLS", "  ")]).is_none());
        let found = servers(&[("HOME", "/home/me"), ("DEBUGINFOD_URLS", "http://a http://b")]).unwrap();
        assert_eq!(found.urls().collect::<Vec<_>>(), ["http://a", "http://b"]);
        assert_eq!(found.cache, Path::new("/home/me/.cache/debuginfod_client"));
        let found = servers(&[
            ("DEBUGINFOD_URLS", "http://a"),
            ("XDG_CACHE_HOME", "/cache"),
            ("DEBUGINFOD_MAXTIME", "7"),
            ("DEBUGINFOD_MAXSIZE", "8"),
        ])
        .unwrap();
        assert_eq!(found.cache, Path::new("/cache/debuginfod_client"));
        assert_eq!((found.timeout, found.max_bytes), (Duration::from_secs(7), 8));
        let found = servers(&[("DEBUGINFOD_URLS", "http://a"), ("DEBUGINFOD_CACHE_PATH", "/c")]).unwrap();
        assert_eq!(found.cache, Path::new("/c"));
    }
}
