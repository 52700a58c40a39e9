//! Libraries in C, compiled and loaded while the test runs.

use std::ffi::{CStr, CString, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::task::Waker;

use crate::drive::leaf;

/// `frame` is the size of the frame between the caller and the callback.
const SOURCE: &str = r"
#include <stdlib.h>
#include <string.h>
typedef void callback(void *);
#ifndef FRAME
#define FRAME 24
#endif
static void *volatile sink;
/* So many that builds do not differ where a tool might look first. */
#define FILL(n) int fill_##n(int value) { return value * 3 + 1##n; }
#define FILL8(n) FILL(n##0) FILL(n##1) FILL(n##2) FILL(n##3) FILL(n##4) FILL(n##5) FILL(n##6) FILL(n##7)
FILL8(0) FILL8(1) FILL8(2) FILL8(3) FILL8(4) FILL8(5) FILL8(6) FILL8(7)
void call(callback *back, void *data) { volatile char frame[FRAME]; frame[0] = 1; back(data); frame[FRAME - 1] = 2; }
void call_plt(callback *back, void *data) { call(back, data); sink = data; }
void call_alloca(callback *back, void *data) {
    volatile int size = 1000;
    char *block = __builtin_alloca(size);
    memset(block, 1, size);
    sink = block;
    back(data);
    sink = block;
}
void call_array(callback *back, void *data) {
    volatile int size = 300;
    volatile char block[size];
    block[size - 1] = 1;
    back(data);
    block[0] = 2;
}
void call_aligned(callback *back, void *data) {
    volatile char block[100] __attribute__((aligned(128)));
    block[0] = 1;
    back(data);
    block[99] = 2;
}
void call_aligned_alloca(callback *back, void *data) {
    volatile int size = 500;
    volatile char block[100] __attribute__((aligned(64)));
    char *more = __builtin_alloca(size);
    memset(more, 1, size);
    sink = more;
    block[0] = 1;
    back(data);
    block[99] = more[3];
}
void call_big(callback *back, void *data) {
    volatile char block[700000];
    block[0] = 1;
    back(data);
    block[699999] = 2;
}
static int __attribute__((noinline)) recurse(callback *back, void *data, int depth) {
    volatile char frame[FRAME];
    frame[0] = 1;
    int below = depth ? recurse(back, data, depth - 1) : (back(data), 0);
    return below + frame[0];
}
void call_recursive(callback *back, void *data) { sink = (void *)(size_t)recurse(back, data, 30); }
/* Every register that a callee saves is in use. */
void call_registers(callback *back, void *data) {
    volatile long in[12] = {0};
    long a = in[0], b = in[1], c = in[2], d = in[3], e = in[4], f = in[5], g = in[6], h = in[7], i = in[8];
    back(data);
    sink = (void *)(a + b * 3 + c * 5 + d * 7 + e * 9 + f * 11 + g * 13 + h * 15 + i * 17);
}
static __thread callback *sort_back;
static __thread void *sort_data;
static int compare(const void *a, const void *b) { sort_back(sort_data); return *(int *)a - *(int *)b; }
void call_qsort(callback *back, void *data) {
    int values[2] = {2, 1};
    sort_back = back;
    sort_data = data;
    qsort(values, 2, sizeof *values, compare);
    sink = data;
}
";

/// The functions of a library.
pub(crate) const FUNCTIONS: [&CStr; 10] = [
    c"call",
    c"call_plt",
    c"call_alloca",
    c"call_array",
    c"call_aligned",
    c"call_aligned_alloca",
    c"call_big",
    c"call_recursive",
    c"call_registers",
    c"call_qsort",
];

fn compilers() -> &'static [&'static str] {
    // Under emulation the machine's own `cc` makes code for another architecture.
    if cfg!(target_arch = "aarch64") { &["aarch64-linux-gnu-gcc", "cc"] } else { &["cc"] }
}

/// Compiles the library with these flags; `None`, and says why, if there is no compiler.
pub(crate) fn compile(name: &str, flags: &[&str]) -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("equality-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("cargo made the directory");
    let (source, library) = (directory.join(format!("{name}.c")), directory.join(format!("lib{name}.so")));
    std::fs::write(&source, SOURCE).expect("the directory can be written to");
    for compiler in compilers() {
        let mut command = Command::new(compiler);
        command.args(["-shared", "-fPIC", "-w", "-o"]).arg(&library).args(flags).arg(&source);
        match command.output() {
            Ok(output) if output.status.success() => return Some(library),
            Ok(output) => println!("  {compiler}: {}", String::from_utf8_lossy(&output.stderr).trim()),
            Err(error) => println!("  {compiler}: {error}"),
        }
    }
    println!("  SKIPPED {name}: no C compiler could build it with {flags:?}");
    None
}

/// Removes what [`compile`] left.
pub(crate) fn clean() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("equality-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(directory);
}

type Callback = unsafe extern "C" fn(*mut c_void);
type Call = unsafe extern "C" fn(Callback, *mut c_void);

/// A loaded library; unloaded when dropped.
pub(crate) struct Library(*mut c_void);

// SAFETY: a handle of the loader's, which any thread may use.
unsafe impl Send for Library {}
// SAFETY: the same.
unsafe impl Sync for Library {}

impl Library {
    pub(crate) fn load(path: &Path) -> Self {
        let path = CString::new(path.as_os_str().as_encoded_bytes()).expect("no nul in the path");
        // SAFETY: the library has no constructors.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "cannot load {path:?}");
        Self(handle)
    }

    fn function(&self, name: &CStr) -> Call {
        // SAFETY: a live handle and a nul-terminated name.
        let symbol = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!symbol.is_null(), "{name:?}");
        // SAFETY: every function of the library has this type.
        unsafe { std::mem::transmute::<*mut c_void, Call>(symbol) }
    }

    /// Where the library was loaded, told by one of its functions.
    pub(crate) fn address(&self) -> usize {
        self.function(c"call") as usize
    }

    /// Clones the waker behind a frame of the library.
    #[inline(never)]
    pub(crate) fn call(&self, name: &CStr, waker: &Waker) {
        unsafe extern "C" fn back(data: *mut c_void) {
            // SAFETY: the waker that `call` passes on, borrowed for its duration.
            leaf(unsafe { &*data.cast::<Waker>() });
        }
        let function = self.function(name);
        // SAFETY: the function calls `back` with the data, and no more.
        unsafe { function(back, std::ptr::from_ref(waker).cast_mut().cast()) };
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once; no function of it is running.
        let status: c_int = unsafe { libc::dlclose(self.0) };
        assert_eq!(status, 0);
    }
}
