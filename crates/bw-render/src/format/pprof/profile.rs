//! A profile that is being written.

use std::collections::HashMap;
use std::io::{self, Write};

use bw_core::ReturnAddress;
use bw_dump::{BuildId, ModuleMap};
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use super::proto::{self, Function, Label, Line, Location, Mapping, Sample, ValueType};
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
    strings: Strings,
    mappings: Mappings,
    locations: Vec<Location>,
    location_of: HashMap<(u64, Vec<Line>), u64>,
    functions: Vec<Function>,
    function_of: HashMap<Function, u64>,
}

/// The table of strings, the empty one first.
struct Strings {
    all: Vec<String>,
    known: HashMap<String, i64>,
}

/// What is mapped, by module and, where it is known, by its executable segment.
#[derive(Default)]
struct Mappings {
    all: Vec<Mapping>,
    known: HashMap<(usize, Option<usize>), u64>,
}

impl<'a> Profile<'a> {
    /// Begins a profile of a process that had these modules, of which one is its program.
    pub(super) fn new(modules: &'a ModuleMap, program: Option<usize>) -> Self {
        let mut profile = Self {
            out: GzEncoder::new(Vec::new(), Compression::fast()),
            buffer: Vec::new(),
            part: proto::Profile { sample: vec![Sample::default()], ..proto::Profile::default() },
            modules,
            strings: Strings { all: vec![String::new()], known: HashMap::from([(String::new(), 0)]) },
            mappings: Mappings::default(),
            locations: Vec::new(),
            location_of: HashMap::new(),
            functions: Vec::new(),
            function_of: HashMap::new(),
        };
        // The first mapping is that of the program.
        if let Some(program) = program.filter(|&at| at < modules.modules().len()) {
            let segment = (!modules.modules()[program].code().is_empty()).then_some(0);
            profile.mapping(program, segment);
        }
        profile
    }

    /// The index of a text, which is escaped.
    pub(super) fn string(&mut self, text: &str) -> i64 {
        let known = self.strings.known.get(text);
        known.copied().unwrap_or_else(|| self.strings.add(text, Escaped(text).to_string()))
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

    /// The location of a call, with the functions inlined around it, innermost first.
    pub(super) fn call(&mut self, address: ReturnAddress, lines: Vec<Line>) -> u64 {
        // Where the call is, not what it returns to: that may be the next function. Readers take addresses as they are.
        let at = address.lookup().get() as u64;
        if let Some(&id) = self.location_of.get(&(at, lines.clone())) {
            return id;
        }
        let mapping_id = self.modules.find(address).map_or(0, |module| {
            let code = self.modules.modules()[module].code();
            let segment = code.iter().position(|code| (code.start..code.end).contains(&at));
            self.mapping(module, segment)
        });
        self.location(Location { id: 0, mapping_id, address: at, line: lines })
    }

    /// The location of something that is no code.
    pub(super) fn synthetic(&mut self, name: &str) -> u64 {
        let function_id = self.function(name, "", "");
        let line = vec![Line { function_id, line: 0, column: 0 }];
        match self.location_of.get(&(0, line.clone())) {
            Some(&id) => id,
            None => self.location(Location { id: 0, mapping_id: 0, address: 0, line }),
        }
    }

    fn location(&mut self, location: Location) -> u64 {
        let id = self.locations.len() as u64 + 1;
        self.location_of.insert((location.address, location.line.clone()), id);
        self.locations.push(Location { id, ..location });
        id
    }

    /// The id of a function.
    pub(super) fn function(&mut self, name: &str, system_name: &str, file: &str) -> u64 {
        let key = Function {
            id: 0,
            name: self.string(name),
            // Readers shorten a name that is as the system has it: they take `<A as B>::c` for C++ with template arguments.
            // One that differs they leave alone.
            system_name: if system_name == name { 0 } else { self.string(system_name) },
            filename: self.string(file),
            start_line: 0,
        };
        let functions = &mut self.functions;
        *self.function_of.entry(key).or_insert_with(|| {
            let id = functions.len() as u64 + 1;
            functions.push(Function { id, ..key });
            id
        })
    }

    fn mapping(&mut self, module: usize, segment: Option<usize>) -> u64 {
        if let Some(&id) = self.mappings.known.get(&(module, segment)) {
            return id;
        }
        let at = &self.modules.modules()[module];
        let (range, file_offset) = match segment.and_then(|segment| at.code().get(segment)) {
            Some(code) => (code.start..code.end, code.file_offset),
            // Whoever looks for the place in the file may miss it then, but not whoever knows the file by its build id.
            None => (at.range(), 0),
        };
        let id = self.mappings.all.len() as u64 + 1;
        let mapping = Mapping {
            id,
            memory_start: range.start,
            memory_limit: range.end,
            file_offset,
            filename: self.string(&at.path().to_string_lossy()),
            build_id: self.string(&at.build_id().map(BuildId::to_string).unwrap_or_default()),
            ..Mapping::default()
        };
        self.mappings.known.insert((module, segment), id);
        self.mappings.all.push(mapping);
        id
    }

    /// Writes the rest: what samples are of, what they refer to, and what else is told of the profile as a whole.
    pub(super) fn finish(mut self, rest: proto::Profile) -> io::Result<Vec<u8>> {
        self.tell_what_is_known();
        let rest = proto::Profile {
            mapping: self.mappings.all,
            location: self.locations,
            function: self.functions,
            string_table: self.strings.all,
            ..rest
        };
        self.buffer.clear();
        let _ = rest.encode(&mut self.buffer);
        self.out.write_all(&self.buffer)?;
        self.out.finish()
    }

    /// Says of each mapping whether all its locations have names and lines: readers look up what is missing.
    fn tell_what_is_known(&mut self) {
        for mapping in &mut self.mappings.all {
            let mut of_it =
                self.locations.iter().filter(|location| location.mapping_id == mapping.id).peekable();
            if of_it.peek().is_none() {
                continue;
            }
            (mapping.has_functions, mapping.has_filenames, mapping.has_line_numbers) = (true, true, true);
            for location in of_it {
                mapping.has_functions &= !location.line.is_empty();
                mapping.has_line_numbers &= location.line.iter().any(|line| line.line != 0);
                mapping.has_filenames &= location.line.iter().any(|line| {
                    let at = usize::try_from(line.function_id).unwrap_or(0).wrapping_sub(1);
                    self.functions.get(at).is_some_and(|function| function.filename != 0)
                });
            }
            // Lines come from debug information, which tells both.
            mapping.has_inline_frames = mapping.has_line_numbers;
        }
    }
}

impl Strings {
    /// The index of a text, known as another: as it was before it was escaped.
    fn add(&mut self, raw: &str, text: String) -> i64 {
        let next = i64::try_from(self.all.len()).unwrap_or(i64::MAX);
        // Two that are escaped to the same are the same text.
        let at = *self.known.entry(text).or_insert_with_key(|text| {
            self.all.push(text.clone());
            next
        });
        if !self.known.contains_key(raw) {
            self.known.insert(raw.to_owned(), at);
        }
        at
    }
}
