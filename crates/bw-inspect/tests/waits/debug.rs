use super::*;
#[test]
fn debug_show() {
    let program = Started::new();
    let inspection = program.inspect_when_idle();
    for n in 0..4 { let i = bw_inspect::inspect(&program.open(), &bw_inspect::Limits::default()).unwrap(); println!("== round {n}"); for t in i.dump().tasks() { if let Some(x) = t.incomplete() { println!("== {} {x}", t.id()); } } }
    let symbolizer = Symbolizer::for_modules(inspection.modules().clone(), SymbolSources::new());
    for expected in program.tasks().iter().filter(|t| std::env::var("SHOW").unwrap_or("sleep".into()).split(',').any(|n| n == t.name)) {
        let task = task(&inspection, expected);
        println!("== {} {:?}", expected.name, task.incomplete());
        if let Some(trace) = inspection.dump().trace_of(task) {
            for stack in &symbolizer.symbolize(trace).stacks { println!("-- {:?}", stack.flags);
                for f in stack.frames.iter().flat_map(|p| &p.frames) { println!("   {} {}:{}", f.function.as_ref().map_or("?", |f| &f.name), f.location.as_ref().map_or("?", |l| l.file.rsplit("src/").next().unwrap()), f.location.as_ref().and_then(|l| l.line).unwrap_or(0)); } }
        }
    }
}
