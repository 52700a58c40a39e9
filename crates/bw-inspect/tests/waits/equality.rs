//! The same tasks, looked at from outside, and then asked: both show the same frames.

use std::collections::BTreeSet;

use bw_core::RawTrace;
use bw_symbolize::{SymbolSources, SymbolizedStack, Symbolizer};

use super::started::Started;
use super::{program, task};

/// A frame: function, file, line and column.
type Place = (String, String, u32, u32);

/// The frames of a stack from the leaf to the wrapper. Without the function of the waker, which is tokio's in one and the hook's in the
/// other; and without addresses, since the wrapper polls with two copies of the future's code.
fn places(stack: &SymbolizedStack) -> Vec<Place> {
    let frames = stack.frames.iter().skip(1).flat_map(|physical| &physical.frames);
    let places = frames.map(|frame| {
        let (function, location) = (frame.function.as_ref(), frame.location.as_ref());
        (
            function.map_or_else(String::new, |function| function.name.to_string()),
            location.map_or_else(String::new, |location| location.file.to_string()),
            location.and_then(|location| location.line).unwrap_or(0),
            location.and_then(|location| location.column).unwrap_or(0),
        )
    });
    places.take_while(|(_, file, ..)| !file.contains("bw-core/src/task/")).collect()
}

fn all_places(symbolizer: &Symbolizer, trace: &RawTrace) -> BTreeSet<Vec<Place>> {
    symbolizer.symbolize(trace).stacks.iter().map(places).collect()
}

#[test]
fn a_look_from_outside_shows_other_frames_than_the_task_itself() {
    let mut started = Started::with(|command| {
        command.env(program::TRACED, "1");
    });
    let inspection = started.inspect_when_idle();
    let asked = started.ask();
    let symbolizer = Symbolizer::for_modules(inspection.modules().clone(), SymbolSources::new());
    let (mut equal, mut different) = (0, Vec::new());
    for expected in started.tasks() {
        let look = task(&inspection, expected);
        let own = asked.dump().tasks().iter().find(|task| task.name() == Some(&*expected.name)).unwrap();
        assert_eq!(look.incomplete(), None, "{}", expected.name);
        let (from_outside, own) = (inspection.dump().trace_of(look), asked.dump().trace_of(own));
        let of = |trace: Option<&RawTrace>| trace.map(|trace| all_places(&symbolizer, trace));
        let (from_outside, own) = (of(from_outside), of(own));
        if from_outside == own && own.is_some() {
            equal += own.map_or(0, |stacks| stacks.len());
        } else {
            different.push(format!("{}:\n from outside {from_outside:#?}\n itself {own:#?}", expected.name));
        }
    }
    assert!(different.is_empty(), "{equal} stacks are equal, but not those of {}", different.join("\n"));
    println!("{equal} stacks of {} tasks are equal", started.tasks().len());
}
