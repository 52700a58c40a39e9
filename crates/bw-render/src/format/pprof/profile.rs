//! A profile that is being written.

use std::io::{self, Write};

use bw_core::ReturnAddress;
use bw_dump::{BuildId, ModuleMap};
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use super::proto::{self, Function, Label, Line, Location, Mapping, Sample, ValueType};
use crate::format::numbered::Numbered;
use crate::text::escape::Escaped;

/// A profile, compressed as it is written: samples go out one by one, what they share is kept until the end.
///
/// Parts of a message may stand in any order, and one after another they are the whole; so each part is a message of its own.
pub(super) struct Profile<'a> {
    out: GzEncoder<Vec<u8>>,
    buffer: Vec<u8>,
    /// With the one sample that is written next.
    part: proto::Profile,
    modules: &'a ModuleMap,
    /// The empty one first.
    strings: Numbered<String>,
    /// Return addresses, 0 for what is no code, with the functions at them. The number of a location, as of a function and of a
    /// mapping, is one less than its id.
    locations: Numbered<(usize, Vec<Line>)>,
    /// Without their ids.
    functions: Numbered<Function>,
    program: Option<usize>,
}

impl<'a> Profile<'a> {
    /// Begins a profile of a process that had these modules, of which one is its program.
    pub(super) fn new(modules: &'a ModuleMap, program: Option<usize>) -> Self {
        let mut strings = Numbered::default();
        strings.number(String::new());
        Self {
            out: GzEncoder::new(Vec::new(), Compression::fast()),
            buffer: Vec::new(),
            part: proto::Profile { sample: vec![Sample::default()], ..proto::Profile::default() },
            modules,
            strings,
            locations: Numbered::default(),
            functions: Numbered::default(),
            program: program.filter(|&at| at < modules.modules().len()),
        }
    }

    /// The index of a text, which is escaped.
    pub(super) fn string(&mut self, text: &str) -> i64 {
        let known = self.strings.get(text);
        let number = known.unwrap_or_else(|| self.strings.number(Escaped(text).to_string()));
        i64::try_from(number).unwrap_or(i64::MAX)
    }

    pub(super) fn value_type(&mut self, name: &str, unit: &str) -> ValueType {
        ValueType { r#type: self.string(name), unit: self.string(unit) }
    }

    /// Writes a sample. Its stack is given leaf first.
    pub(super) fn sample(&mut self, stack: &[u64], value: &[i64], labels: &[Label]) -> io::Result<()> {
        let [sample] = &mut self.part.sample[..] else { return Ok(()) };
        sample.location_id.clear();
        sample.location_id.extend_from_slice(stack);
        sample.value.clear();
        sample.value.extend_from_slice(value);
        sample.label.clear();
        sample.label.extend_from_slice(labels);
        self.buffer.clear();
        // A vector takes all there is.
        let _ = self.part.encode(&mut self.buffer);
        self.out.write_all(&self.buffer)
    }

    /// The id of the location of a call, with the functions inlined around it, innermost first.
    pub(super) fn call(&mut self, address: ReturnAddress, lines: Vec<Line>) -> u64 {
        self.locations.number((address.get(), lines)) as u64 + 1
    }

    /// The id of the location of something that is no code.
    pub(super) fn synthetic(&mut self, name: &str) -> u64 {
        let function_id = self.function(name, "", "");
        self.locations.number((0, vec![Line { function_id, line: 0, column: 0 }])) as u64 + 1
    }

    /// The id of a function.
    pub(super) fn function(&mut self, name: &str, system_name: &str, file: &str) -> u64 {
        let function = Function {
            id: 0,
            name: self.string(name),
            // Readers shorten a name that is as the system has it: they take `<A as B>::c` for C++ with template arguments.
            // One that differs they leave alone.
            system_name: if system_name == name { 0 } else { self.string(system_name) },
            filename: self.string(file),
            start_line: 0,
        };
        self.functions.number(function) as u64 + 1
    }

    fn mapping(&mut self, id: usize, module: usize, segment: Option<usize>) -> Mapping {
        let at = &self.modules.modules()[module];
        let (range, file_offset) = match segment.and_then(|segment| at.code().get(segment)) {
            Some(code) => (code.start..code.end, code.file_offset),
            // Whoever looks for the place in the file may miss it then, but not whoever knows the file by its build id.
            None => (at.range(), 0),
        };
        Mapping {
            id: id as u64,
            memory_start: range.start,
            memory_limit: range.end,
            file_offset,
            filename: self.string(&at.path().to_string_lossy()),
            build_id: self.string(&at.build_id().map(BuildId::to_string).unwrap_or_default()),
            ..Mapping::default()
        }
    }

    /// Writes the rest: what samples are of, what they refer to, and what else is told of the profile as a whole.
    pub(super) fn finish(mut self, rest: proto::Profile) -> io::Result<Vec<u8>> {
        // Modules, and, where it is known, which of their executable segments; that of the program first.
        let mut mapped: Numbered<(usize, Option<usize>)> = Numbered::default();
        if let Some(program) = self.program {
            mapped.number((program, (!self.modules.modules()[program].code().is_empty()).then_some(0)));
        }
        let mut locations = Vec::new();
        for (number, (address, line)) in
            std::mem::take(&mut self.locations).into_values().into_iter().enumerate()
        {
            let mut location = Location { id: number as u64 + 1, mapping_id: 0, address: 0, line };
            if let Some(address) = ReturnAddress::new(address) {
                // Where the call is, not what it returns to: that may be the next function. Readers take addresses as they are.
                let at = address.lookup().get() as u64;
                location.address = at;
                location.mapping_id = self.modules.find(address).map_or(0, |module| {
                    let code = self.modules.modules()[module].code();
                    let segment = code.iter().position(|code| (code.start..code.end).contains(&at));
                    mapped.number((module, segment)) as u64 + 1
                });
            }
            locations.push(location);
        }
        let functions = std::mem::take(&mut self.functions).into_values().into_iter().zip(1..);
        let functions: Vec<_> = functions.map(|(function, id)| Function { id, ..function }).collect();
        let mapped = mapped.into_values().into_iter().zip(1..);
        let mut mappings: Vec<_> =
            mapped.map(|((module, segment), id)| self.mapping(id, module, segment)).collect();
        set_what_is_known(&mut mappings, &locations, &functions);
        let rest = proto::Profile {
            mapping: mappings,
            location: locations,
            function: functions,
            string_table: self.strings.into_values(),
            ..rest
        };
        self.buffer.clear();
        let _ = rest.encode(&mut self.buffer);
        self.out.write_all(&self.buffer)?;
        self.out.finish()
    }
}

/// Says of each mapping whether all its locations have names and lines: readers look up what is missing.
fn set_what_is_known(mappings: &mut [Mapping], locations: &[Location], functions: &[Function]) {
    for mapping in mappings {
        let mut of_it = locations.iter().filter(|location| location.mapping_id == mapping.id).peekable();
        if of_it.peek().is_none() {
            continue;
        }
        (mapping.has_functions, mapping.has_filenames, mapping.has_line_numbers) = (true, true, true);
        for location in of_it {
            mapping.has_functions &= !location.line.is_empty();
            mapping.has_line_numbers &= location.line.iter().any(|line| line.line != 0);
            mapping.has_filenames &= location.line.iter().any(|line| {
                let at = usize::try_from(line.function_id).unwrap_or(0).wrapping_sub(1);
                functions.get(at).is_some_and(|function| function.filename != 0)
            });
        }
        // Lines come from debug information, which tells both.
        mapping.has_inline_frames = mapping.has_line_numbers;
    }
}
