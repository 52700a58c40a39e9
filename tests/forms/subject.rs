//! What ci/forms builds in every form: prints what its own stack is symbolized to. No target of cargo's.
//!
//! `subject [--debug-file FILE] [--debug-dir DIR] [--plugin LIBRARY] [--replace FILE WITH] [--vdso]`

use std::ffi::{CString, c_char, c_int, c_void};
use std::future::Future;
use std::hint::black_box;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bw_dump::ModuleMap;
use bw_symbolize::{SymbolSources, Symbolizer};

type Callback = extern "C" fn(*mut c_void);
type Through = extern "C" fn(Callback, *mut c_void);

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// Waits for ever; clones the waker in every poll, through a library if there is one.
struct Leaf(Option<Through>);

extern "C" fn clone_waker(context: *mut c_void) {
    // SAFETY: `poll` passes its own context, and waits.
    let context = unsafe { &mut *context.cast::<Context<'_>>() };
    black_box(context.waker().clone());
}

impl Future for Leaf {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let context: *mut Context<'_> = context;
        match self.0 {
            Some(through) => through(clone_waker, context.cast()),
            None => clone_waker(context.cast()),
        }
        Poll::Pending
    }
}

async fn inner(through: Option<Through>) {
    Leaf(through).await; // LINE inner
    black_box(1);
}

/// Inlined where it is awaited, in optimized builds.
#[inline(always)]
async fn middle(through: Option<Through>) {
    inner(through).await; // LINE middle
    black_box(2);
}

fn boxed(future: impl Future<Output = ()>) -> Pin<Box<dyn Future<Output = ()>>>
where
    for<'a> &'a (): Sized,
{
    // SAFETY: the program ends before what the future borrows does; it borrows nothing.
    unsafe { std::mem::transmute::<Pin<Box<dyn Future<Output = ()> + '_>>, _>(Box::pin(future)) }
}

async fn outer(through: Option<Through>) {
    boxed(middle(through)).await; // LINE outer
    black_box(3);
}

fn main() {
    let mut sources = SymbolSources::new();
    let (mut through, mut replace, mut vdso) = (None, None, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().expect("a value");
        match &*arg {
            "--debug-file" => sources = sources.debug_file(value()),
            "--debug-dir" => sources = sources.debug_dir(value()),
            "--plugin" => through = Some(open(&value())),
            "--replace" => replace = Some((PathBuf::from(value()), PathBuf::from(value()))),
            "--vdso" => vdso = true,
            "--debuginfod" => {
                sources = sources.debuginfod(bw_symbolize::Debuginfod::from_env().expect("DEBUGINFOD_URLS"));
            }
            other => panic!("{other}"),
        }
    }
    let (task, handle) = bw_core::traced(outer(through));
    let (mut task, mut capture) = (pin!(task), pin!(handle.capture()));
    let mut context = Context::from_waker(Waker::noop());
    let trace = loop {
        if let Poll::Ready(trace) = capture.as_mut().poll(&mut context) {
            break trace.expect("a suspended task has a trace");
        }
        assert!(task.as_mut().poll(&mut context).is_pending());
    };
    if let Some((file, with)) = replace {
        std::fs::remove_file(&file).expect("it was started from there");
        std::fs::copy(with, &file).expect("the name is free");
    }
    let symbolizer = Symbolizer::with_sources(sources);
    for stack in &symbolizer.symbolize(&trace).stacks {
        for physical in &stack.frames {
            for frame in &physical.frames {
                let name = frame.function.as_ref().map_or("-", |function| &*function.name);
                match &frame.location {
                    Some(location) => println!("frame: {name} at {location}"),
                    None => println!("frame: {name}"),
                }
            }
            if physical.frames.is_empty() {
                println!("frame: {:?}", physical.module);
            }
        }
    }
    if vdso {
        let map = ModuleMap::of_this_process();
        let vdso = map.modules().iter().find(|module| module.path().to_string_lossy().contains("vdso"));
        let range = vdso.map(|module| module.range()).unwrap_or_default();
        for address in (range.start as usize..range.end as usize).step_by(16) {
            let Some(address) = bw_core::ReturnAddress::new(address) else { continue };
            for frame in &symbolizer.symbolize_address(address).frames {
                println!("vdso: {}", frame.function.as_ref().map_or("-", |function| &*function.name));
            }
        }
    }
    for problem in symbolizer.problems() {
        println!("problem: {problem}");
    }
}

fn open(path: &str) -> Through {
    const RTLD_NOW: c_int = 2;
    let path = CString::new(path).expect("no zero");
    // SAFETY: a path that ends with a zero; the library has no constructors but Rust's.
    let library = unsafe { dlopen(path.as_ptr(), RTLD_NOW) };
    assert!(!library.is_null());
    // SAFETY: a library, never closed, and a name that ends with a zero.
    let found = unsafe { dlsym(library, c"plugin_call".as_ptr()) };
    assert!(!found.is_null());
    // SAFETY: `plugin.rs` exports a function of this type under this name.
    unsafe { std::mem::transmute::<*mut c_void, Through>(found) }
}
