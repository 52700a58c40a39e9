//! Modules come, go, and are replaced. In a program of its own, and in one test: what is loaded belongs to the whole
//! process.
#![cfg(all(target_os = "linux", target_env = "gnu", not(bw_portable)))]

use std::ffi::{CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::NonNull;
use std::sync::Arc;

use bw_core::ReturnAddress;
use bw_symbolize::{PhysicalFrame, Symbolizer};

/// Compiles a library with one function. Without the standard library, since that stays loaded for ever.
fn compile(function: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) =
        (directory.join(format!("{function}.rs")), directory.join(format!("{function}.so")));
    let text = format!(
        "#![no_std]
         #[panic_handler] fn panic(_: &core::panic::PanicInfo<'_>) -> ! {{ loop {{}} }}
         #[unsafe(no_mangle)] extern \"C\" fn rust_eh_personality() {{}}
         #[unsafe(no_mangle)] extern \"C\" fn address() -> usize {{ {function} as fn(u32) -> u32 as usize }}
         #[inline(never)] fn {function}(number: u32) -> u32 {{ core::hint::black_box(number) * 3 }}"
    );
    std::fs::write(&source, text).expect("the directory is there");
    let status = Command::new("rustc")
        .args(["--crate-name=plugin", "--crate-type=cdylib", "--edition=2024", "-g", "-Cpanic=abort"])
        .args(["-Clink-arg=-nostartfiles", "-Clink-arg=-Wl,--build-id", "-o"])
        .args([&library, &source])
        .status();
    assert!(status.expect("rustc runs").success());
    library
}

/// A library that is loaded as long as this lives.
struct Library(NonNull<c_void>);

impl Library {
    fn open(path: &Path, flags: i32) -> Option<Self> {
        let path = CString::new(path.as_os_str().as_bytes()).expect("no zero in it");
        // SAFETY: the name ends with a zero, and the library has no constructors.
        NonNull::new(unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | flags) }).map(Self)
    }

    /// An address in its function.
    fn address(&self) -> ReturnAddress {
        // SAFETY: the library is open, and the name ends with a zero.
        let function = unsafe { libc::dlsym(self.0.as_ptr(), c"address".as_ptr()) };
        assert!(!function.is_null());
        // SAFETY: `compile` gave the function this type.
        let function = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> usize>(function) };
        ReturnAddress::new(function() + 4).expect("not zero")
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once; nothing of it is used afterwards.
        unsafe { libc::dlclose(self.0.as_ptr()) };
    }
}

fn names(frame: &PhysicalFrame) -> Vec<&str> {
    frame.frames.iter().filter_map(|frame| Some(&*frame.function.as_ref()?.name)).collect()
}

#[test]
fn frames_of_a_module_live_as_long_as_it_is_loaded() {
    let (first, second) = (compile("first"), compile("second"));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin.so");
    let symbolizer = Symbolizer::new();
    let here = frames_of_a_module_live_as_long_as_it_is_loaded as fn() as usize;
    let here = ReturnAddress::new(here + 4).unwrap();
    let own = symbolizer.symbolize_address(here);
    assert!(!own.frames.is_empty());

    std::fs::rename(&first, &path).unwrap();
    let library = Library::open(&path, 0).unwrap();
    let address = library.address();
    let frame = symbolizer.symbolize_address(address);
    assert_eq!(names(&frame), ["plugin::first"]);
    assert_eq!(*frame.module.as_ref().unwrap().path, *path.to_string_lossy());
    assert!(frame.frames[0].location.as_ref().unwrap().file.ends_with("first.rs"));
    assert!(Arc::ptr_eq(&frame, &symbolizer.symbolize_address(address)));
    assert!(Arc::ptr_eq(&own, &symbolizer.symbolize_address(here)), "loading drops nothing");

    drop(library);
    assert!(Library::open(&path, libc::RTLD_NOLOAD).is_none(), "the library stayed loaded");
    let gone = symbolizer.symbolize_address(address);
    assert_eq!((&gone.module, names(&gone).len()), (&None, 0), "nothing of an unloaded module is left");
    assert!(Arc::ptr_eq(&own, &symbolizer.symbolize_address(here)), "the main program stays");

    // Another build under the same name, mostly at the same address.
    std::fs::rename(&second, &path).unwrap();
    let library = Library::open(&path, 0).unwrap();
    let address = library.address();
    assert_eq!(names(&symbolizer.symbolize_address(address)), ["plugin::second"]);

    // The file is replaced while the module is loaded: who has it open keeps it, who has not gets no wrong names.
    std::fs::rename(compile("third"), &path).unwrap();
    assert_eq!(names(&symbolizer.symbolize_address(address)), ["plugin::second"]);
    let late = Symbolizer::new().symbolize_address(address);
    assert_eq!(*late.module.as_ref().unwrap().path, *path.to_string_lossy());
    assert!(late.frames.is_empty(), "{late:?}");
}
