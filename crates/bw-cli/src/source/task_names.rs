//! Names of tasks that the program gave none: their types, or the functions that they begin with.

use std::collections::HashMap;

use bw_core::RawTrace;
use bw_inspect::{Inspection, task_type};
use bw_render::{Detail, Tree};
use bw_symbolize::Symbolizer;

/// The names that were found, which are the same in each look at one process.
#[derive(Debug, Default)]
pub(super) struct TaskNames {
    /// The types of tasks, by the functions that poll them.
    types: HashMap<u64, Option<String>>,
}

impl TaskNames {
    /// Names the tasks of a look.
    pub(super) fn name(&mut self, inspection: Inspection, symbolizer: &Symbolizer) -> Inspection {
        let mut functions: HashMap<RawTrace, Option<String>> = HashMap::new();
        inspection.named(|poll, trace| {
            let of_type = self.types.entry(poll).or_insert_with(|| task_type(symbolizer, poll)).clone();
            if of_type.as_deref().is_some_and(|name| !is_hidden(name)) {
                return of_type;
            }
            let function = trace.and_then(|trace| {
                let known = functions.get(trace).cloned();
                known.unwrap_or_else(|| {
                    let function = first_function(symbolizer, trace);
                    functions.insert(trace.clone(), function.clone());
                    function
                })
            });
            function.or(of_type)
        })
    }
}

/// Whether a type says nothing about the future that it holds.
fn is_hidden(task_type: &str) -> bool {
    task_type.starts_with("dyn ")
}

/// Returns the function of the program that a task begins with.
fn first_function(symbolizer: &Symbolizer, trace: &RawTrace) -> Option<String> {
    let tree = Tree::new(&symbolizer.symbolize(trace)).filtered(Detail::User);
    let root = tree.nodes().get(*tree.roots().first()?)?;
    let name = &root.frame().function.as_ref()?.name;
    let future =
        name.strip_suffix(" as core::future::future::Future>::poll").and_then(|it| it.strip_prefix('<'));
    Some(future.unwrap_or(name).to_owned())
}
