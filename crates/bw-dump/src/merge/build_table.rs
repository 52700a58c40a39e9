//! The modules of many processes, with each build once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::build_id::BuildId;
use crate::module_map::{CodeSegment, Module};

/// Every distinct build, by number.
#[derive(Debug, Default)]
pub(super) struct BuildTable {
    numbers: HashMap<BuildKey, u32>,
    all: Vec<Build>,
    /// Bytes that all of them take.
    total: u64,
}

/// What distinguishes a build from others. Addresses in the file (SVMAs) are of it, so that offsets mean the same wherever they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct BuildKey {
    build_id: Option<BuildId>,
    /// Only of those without a build id.
    path: Option<PathBuf>,
    start: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Build {
    key: BuildKey,
    /// The first of its paths, by name.
    path: PathBuf,
    /// As addresses in the file.
    code: Vec<CodeSegment>,
}

/// Where the first module is put: no process has code there, so no address of code without a module is taken for one.
const FIRST: u64 = 1 << (usize::BITS - 2);

/// The most bytes of a module: no machine loads as large a one.
const MOST_BYTES: u64 = if usize::BITS > 32 { 1 << 40 } else { 1 << 28 };

/// What modules are aligned to: the largest page there is.
const PAGE: u64 = 0x1_0000;

impl BuildTable {
    /// The number of a module's build. `None` for one that has no room: only a file that was forged has such.
    pub(super) fn number(&mut self, module: &Module) -> Option<u32> {
        let (range, bias) = (module.range(), module.bias());
        let build_id = module.build_id().cloned();
        let key = BuildKey {
            path: build_id.is_none().then(|| module.path().to_owned()),
            build_id,
            start: range.start.wrapping_sub(bias),
            bytes: range.end - range.start,
        };
        let code = module.code().iter().map(|at| CodeSegment {
            start: at.start.wrapping_sub(bias),
            end: at.end.wrapping_sub(bias),
            file_offset: at.file_offset,
        });
        let code: Vec<_> = code.collect();
        if let Some(&number) = self.numbers.get(&key) {
            self.all[number as usize].absorb(module.path(), code);
            return Some(number);
        }
        let total = self.total.checked_add(key.bytes)?.checked_add(2 * PAGE)?;
        let number = u32::try_from(self.all.len()).ok()?;
        if key.bytes > MOST_BYTES || total > FIRST / 2 {
            return None;
        }
        self.total = total;
        self.numbers.insert(key.clone(), number);
        self.all.push(Build { key, path: module.path().to_owned(), code });
        Some(number)
    }

    /// Gives each build addresses of its own, in an order that depends on nothing else. For each number: the module.
    pub(super) fn place(self) -> Vec<Module> {
        let mut order: Vec<_> = (0..self.all.len()).collect();
        order.sort_by(|&a, &b| self.all[a].key.cmp(&self.all[b].key));
        let mut placed: Vec<Option<Module>> = vec![None; self.all.len()];
        let mut next = FIRST;
        for number in order {
            let build = &self.all[number];
            // As the loader does it: by whole pages.
            let bias = next.wrapping_sub(build.key.start - build.key.start % PAGE);
            let start = build.key.start.wrapping_add(bias);
            let end = start + build.key.bytes;
            next = end.next_multiple_of(PAGE);
            let in_process = |at: &CodeSegment| CodeSegment {
                start: at.start.wrapping_add(bias),
                end: at.end.wrapping_add(bias),
                file_offset: at.file_offset,
            };
            let module = Module::new(&build.path, start..end, bias);
            placed[number] = module.map(|module| {
                let code = build.code.iter().map(in_process).collect();
                module.with_build_id(build.key.build_id.clone()).with_code(code)
            });
        }
        // No build is empty: those of modules are not.
        placed.into_iter().flatten().collect()
    }

    /// An address of code without a module, apart from all modules.
    pub(super) fn outside(address: u64) -> u64 {
        (address % FIRST).max(1)
    }
}

impl Build {
    /// Adds the same build of another process. What is kept does not depend on the order of processes.
    fn absorb(&mut self, path: &Path, code: Vec<CodeSegment>) {
        if path < self.path.as_path() {
            self.path = path.to_owned();
        }
        if code > self.code {
            self.code = code;
        }
    }
}
