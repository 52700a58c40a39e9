//! What holds for the symbolizer whatever it is asked.

mod support;

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;

use bw_core::{RawTrace, StackFlags};
use bw_symbolize::{PhysicalFrame, SymbolizedTrace, Symbolizer};

use support::{address, call, capture, frame_of_this_program, here};

fn assert_shared_data<T: Send + Sync + 'static>() {}

#[test]
fn everything_can_be_shared() {
    assert_shared_data::<Symbolizer>();
    assert_shared_data::<SymbolizedTrace>();
    assert_shared_data::<PhysicalFrame>();
}

#[test]
fn addresses_that_are_no_code_have_no_names() {
    let symbolizer = Symbolizer::default();
    let on_the_heap = Box::new([0_u8; 64]);
    let on_the_stack = [0_u8; 64];
    let unknown = [
        1,
        2,
        4096,
        usize::MAX - 1,
        usize::MAX,
        isize::MAX as usize,
        on_the_heap.as_ptr() as usize + 8,
        black_box(&on_the_stack).as_ptr() as usize + 8,
    ];
    for unknown in unknown {
        let frame = symbolizer.symbolize_address(address(unknown));
        assert_eq!(frame.address.get(), unknown);
        assert!(frame.frames.is_empty(), "{frame:?}");
        assert_eq!(frame.module, None, "{frame:?}");
    }
}

#[test]
#[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
fn data_of_a_module_has_a_module_but_no_names() {
    static DATA: [u8; 64] = [1; 64];
    let frame = Symbolizer::new().symbolize_address(address(black_box(&DATA).as_ptr() as usize + 8));
    assert!(frame.module.is_some() && frame.frames.is_empty(), "{frame:?}");
}

#[test]
#[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
fn a_module_is_named_with_the_offset_in_it() {
    let symbolizer = Symbolizer::new();
    let (_, frame) = frame_of_this_program(&symbolizer);
    let module = frame.module.as_ref().expect("this program is a module");
    assert_eq!(*module.path, *std::env::current_exe().unwrap().to_string_lossy());
    // Two addresses are as far apart in the file as in memory.
    let other = symbolizer.symbolize_address(address(frame.address.get() + 1));
    assert_eq!(other.module.as_ref().unwrap().offset, module.offset + 1);
}

#[test]
#[cfg(all(target_os = "linux", not(bw_portable)))]
fn every_loaded_module_can_be_asked() {
    // The vDSO, the loader, the C library: with and without files, debug information and symbols.
    let symbolizer = Symbolizer::new();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut asked = 0;
    for line in maps.lines().filter(|line| line.contains(" r-xp ")) {
        let (start, rest) = line.split_once('-').unwrap();
        let (end, _) = rest.split_once(' ').unwrap();
        let (start, end) =
            (usize::from_str_radix(start, 16).unwrap(), usize::from_str_radix(end, 16).unwrap());
        for address in (start..=end).step_by(((end - start) / 16).max(1)) {
            let Some(address) = bw_core::ReturnAddress::new(address) else { continue };
            // `[vsyscall]` on x86_64 belongs to no module.
            black_box(symbolizer.symbolize_address(address));
            asked += 1;
        }
    }
    assert!(asked > 16);
}

#[test]
fn the_same_address_gives_the_same_frame() {
    let symbolizer = Symbolizer::new();
    let (address, first) = frame_of_this_program(&symbolizer);
    assert!(!first.frames.is_empty());
    assert!(Arc::ptr_eq(&first, &symbolizer.symbolize_address(address)));

    let trace = RawTrace::from_stacks([([address.get(), address.get()], StackFlags::default())]);
    let stacks = symbolizer.symbolize(&trace).stacks;
    assert!(stacks[0].frames.iter().all(|frame| Arc::ptr_eq(frame, &first)));
}

#[test]
#[cfg(all(target_os = "linux", not(bw_portable)))]
fn a_recorded_process_is_symbolized_like_this_one() {
    use bw_dump::ModuleMap;
    use bw_symbolize::SymbolSources;

    let captured = call(|| capture(here!()));
    let recorded = Symbolizer::for_modules(ModuleMap::of_this_process(), SymbolSources::new());
    let live = Symbolizer::new();
    let trace = RawTrace::from_stacks([(captured[0].addresses.iter().copied(), StackFlags::default())]);
    assert_eq!(recorded.symbolize(&trace), live.symbolize(&trace));
    recorded.clear();
    assert_eq!(recorded.symbolize(&trace), live.symbolize(&trace));

    let elsewhere = Symbolizer::for_modules(ModuleMap::of_this_process(), SymbolSources::none());
    let symbolized = elsewhere.symbolize(&trace);
    let frame = &symbolized.stacks[0].frames[0];
    assert!(frame.module.is_some() && frame.frames.is_empty(), "{frame:?}");
    let problems = elsewhere.problems();
    let this = std::env::current_exe().unwrap();
    let missing = problems.iter().filter(|problem| problem.module() == this.to_string_lossy()).count();
    assert_eq!(missing, 1, "{problems:?}");
}

#[test]
fn clear_forgets_and_the_next_call_finds_again() {
    let symbolizer = Symbolizer::new();
    let (address, first) = frame_of_this_program(&symbolizer);
    symbolizer.clear();
    let again = symbolizer.symbolize_address(address);
    assert!(!Arc::ptr_eq(&first, &again));
    assert_eq!(first, again);
    symbolizer.clear();
    symbolizer.clear();
}

#[test]
fn a_trace_keeps_its_shape() {
    let captured = call(|| capture(here!()));
    let addresses = &captured[0].addresses;
    let flags =
        StackFlags::default().with_truncated(true).with_foreign(true).with_yield(true).with_blocked(true);
    let trace = RawTrace::from_stacks([
        (addresses.clone(), flags),
        (Vec::new(), StackFlags::default()),
        (vec![1, usize::MAX], StackFlags::default()),
    ]);
    let symbolized = Symbolizer::new().symbolize(&trace);
    assert_eq!(symbolized.dropped, 0);
    let lengths: Vec<usize> = symbolized.stacks.iter().map(|stack| stack.frames.len()).collect();
    assert_eq!(lengths, [trace.stacks().next().unwrap().len(), 0, 2]);
    assert_eq!(symbolized.stacks[0].flags, flags);
    let first = trace.stacks().next().unwrap();
    assert!(first.addresses().eq(symbolized.stacks[0].frames.iter().map(|frame| frame.address)));
    let empty = RawTrace::from_stacks(Vec::<(Vec<usize>, StackFlags)>::new());
    assert_eq!(Symbolizer::new().symbolize(&empty), SymbolizedTrace::default());
}

#[test]
fn many_threads_symbolize_at_once() {
    let captured = call(|| capture(here!()));
    let trace = RawTrace::from_stacks([(captured[0].addresses.iter().copied(), StackFlags::default())]);
    let symbolizer = Symbolizer::new();
    let expected = Symbolizer::new().symbolize(&trace);
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for number in 0..8 {
            let (symbolizer, trace, expected, start) = (&symbolizer, &trace, &expected, &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..50 {
                    assert_eq!(symbolizer.symbolize(trace), *expected);
                    if number == 0 && round % 10 == 0 {
                        symbolizer.clear();
                    }
                }
            });
        }
    });
    // Whoever was first: afterwards there is one frame for each address.
    let once = symbolizer.symbolize(&trace);
    let twice = symbolizer.symbolize(&trace);
    let same = |(a, b): (&Arc<PhysicalFrame>, &Arc<PhysicalFrame>)| Arc::ptr_eq(a, b);
    assert!(once.stacks[0].frames.iter().zip(&twice.stacks[0].frames).all(same));
}

#[test]
fn debug_tells_how_much_is_cached() {
    let symbolizer = Symbolizer::new();
    assert_eq!(format!("{symbolizer:?}"), "Symbolizer { cached: Some(0), .. }");
    let _ = symbolizer.symbolize_address(address(1));
    assert_eq!(format!("{symbolizer:?}"), "Symbolizer { cached: Some(1), .. }");
}

#[test]
#[cfg(all(target_os = "linux", not(bw_portable)))]
fn a_program_that_was_deleted_or_replaced_keeps_its_names() {
    const CHILD: &str = "BW_DELETED_PROGRAM";
    if let Some(program) = std::env::var_os(CHILD) {
        let program = std::path::PathBuf::from(program);
        std::fs::remove_file(&program).expect("the parent made it");
        std::fs::write(&program, "something else").expect("the name is free now");
        let (_, frame) = frame_of_this_program(&Symbolizer::new());
        assert!(!frame.frames.is_empty() && frame.frames[0].location.is_some(), "{frame:?}");
        // Where it was, without the kernel's mark.
        assert_eq!(*frame.module.as_ref().unwrap().path, *program.to_string_lossy());
        return;
    }
    let program = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("deleted-program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let child = std::process::Command::new(&program)
        .args(["--exact", "a_program_that_was_deleted_or_replaced_keeps_its_names"])
        .env(CHILD, &program)
        .output()
        .expect("the copy runs");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
}
