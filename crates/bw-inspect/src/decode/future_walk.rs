//! The walk through the value of a task's future: from each async body to what it awaits and what it keeps.
//!
//! What is awaited comes first, then what is kept in variables. A value is followed through boxes, exclusive references, trait objects,
//! vectors, tuples, enums and structs: as far as dropping the task would reach it. What is shared belongs to others as well, and is not
//! followed.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use bw_symbolize::readable_type;

use super::decoded_task::{Await, DecodedTask, FoundAcquire, FoundGuard, FoundJoin, LockKind, Position};
use super::known_types::{COUNTING, KnownType, MUTEX, RW_LOCK, SEMAPHORE, known};
use crate::layout::{DebugTypes, Member, Shape, TypeLayout, TypeRef};
use crate::target::memory::Memory;

/// Values that are looked at in one task.
const MOST_VALUES: u64 = 100_000;
/// Values that are looked at in all tasks together.
const MOST_VALUES_OF_ALL: u64 = 200_000_000;
/// Values that have each other, one inside of the other.
const MOST_DEPTH: u32 = 256;
/// Elements of a vector that are looked at.
const MOST_ELEMENTS: u64 = 10_000;
/// Types that have each other by value.
const MOST_TYPE_DEPTH: u32 = 24;
/// Waiters of one queue.
const MOST_WAITERS: usize = 10_000;
/// The smallest address of data.
const SMALLEST_ADDRESS: u64 = 4096;

/// What was found out about the types of one module, and how much may still be looked at, for all tasks together.
pub(crate) struct TypeKnowledge {
    /// Whether values of a type can have futures, guards or handles in them.
    have_futures: HashMap<TypeRef, bool>,
    values_left: u64,
}

impl Default for TypeKnowledge {
    fn default() -> Self {
        Self { have_futures: HashMap::new(), values_left: MOST_VALUES_OF_ALL }
    }
}

/// Decodes the task whose cell is of this type, at this address.
pub(crate) fn decode(
    types: &DebugTypes<'_>,
    known: &mut TypeKnowledge,
    memory: &dyn Memory,
    poll: u64,
    header: u64,
) -> DecodedTask {
    let left = MOST_VALUES.min(known.values_left);
    let mut walk = Walk { types, known, memory, task: DecodedTask::default(), seen: HashSet::new(), left };
    let cell = types.type_of_variable(poll, "harness").and_then(|harness| walk.pointee(harness, 0));
    match cell {
        Some((_, cell)) => walk.value(cell, header, &Context::default(), 0),
        None => walk.gap("the debug information has no type of the task: build the program with debug = 2"),
    }
    walk.known.values_left -= left - walk.left;
    walk.task
}

/// Where the walk is.
#[derive(Clone, Default)]
struct Context {
    position: Position,
    /// The variant of the body that has the value, and where it is.
    body: Option<(Rc<TypeLayout>, u64)>,
}

struct Walk<'w, 'd> {
    types: &'w DebugTypes<'d>,
    known: &'w mut TypeKnowledge,
    memory: &'w dyn Memory,
    task: DecodedTask,
    seen: HashSet<(u64, TypeRef)>,
    left: u64,
}

impl Walk<'_, '_> {
    fn gap(&mut self, reason: &str) {
        if !self.task.gaps.contains(reason) {
            self.task.gaps.insert(reason.to_owned());
        }
    }

    /// A number of up to eight bytes.
    fn number(&mut self, address: u64, bytes: u64) -> Option<u64> {
        let length = usize::try_from(bytes).ok().filter(|bytes| (1..=8).contains(bytes))?;
        let mut word = [0; 8];
        self.memory.read(address, word.get_mut(..length)?).ok()?;
        self.task.used.push((address, bytes));
        Some(u64::from_le_bytes(word))
    }

    fn word(&mut self, address: u64) -> Option<u64> {
        self.number(address, 8)
    }

    /// An address that a value has.
    fn address(&mut self, at: u64) -> Option<u64> {
        self.word(at).filter(|address| *address >= SMALLEST_ADDRESS)
    }

    fn layout(&mut self, of: TypeRef) -> Option<Rc<TypeLayout>> {
        let layout = self.types.layout(of);
        if layout.is_none() {
            self.gap("the debug information of a type cannot be read");
        }
        layout
    }

    /// Looks at a value, and at what it has.
    fn value(&mut self, of: TypeRef, at: u64, context: &Context, depth: u32) {
        if depth > MOST_DEPTH || self.left == 0 {
            self.gap("the task has more values than are looked at");
            return;
        }
        self.left -= 1;
        if !self.has_futures(of, 0) {
            return;
        }
        let Some(layout) = self.layout(of) else { return };
        if layout.is_async_body() {
            if self.seen.insert((at, of)) {
                self.body(&layout, at, context, depth);
            }
            return;
        }
        if let Some(kind) = known(&layout.name) {
            if self.seen.insert((at, of)) && self.resource(kind, of, &layout, at, context).is_none() {
                self.gap(&format!("a value of {} cannot be read", without_arguments(&layout.name)));
            }
            return;
        }
        match layout.shape {
            Shape::Pointer(Some(to)) => {
                if let Some(address) = self.address(at) {
                    self.value(to, address, context, depth + 1);
                }
            }
            Shape::Array { element, count } => self.elements(element, at, count, context, depth),
            Shape::Struct => self.structure(&layout, at, context, depth),
            Shape::Pointer(None) | Shape::Other => {}
        }
    }

    fn elements(&mut self, element: TypeRef, first: u64, count: u64, context: &Context, depth: u32) {
        let Some(size) = self.layout(element).map(|layout| layout.size) else { return };
        if count > MOST_ELEMENTS {
            self.gap("a vector has more elements than are looked at");
        }
        for number in 0..count.min(MOST_ELEMENTS) {
            if self.left == 0 {
                return;
            }
            self.value(element, first.wrapping_add(number.wrapping_mul(size)), context, depth + 1);
        }
    }

    fn structure(&mut self, layout: &TypeLayout, at: u64, context: &Context, depth: u32) {
        if let Some((data, table)) = trait_object(layout) {
            let places = (at.wrapping_add(data.offset), at.wrapping_add(table.offset));
            let words = self.address(places.0).zip(self.word(places.1));
            let Some((data, table)) = words else { return };
            match self.types.type_of_vtable(table) {
                Some(of) => self.value(of, data, context, depth + 1),
                None => self.gap("the debug information has no type of a trait object"),
            }
            return;
        }
        if let Some((data, count)) = layout.member("data_ptr").zip(layout.member("length")) {
            let first = self.address(at.wrapping_add(data.offset));
            let count = self.word(at.wrapping_add(count.offset));
            let element = self.types.layout(data.of_type).map(|pointer| pointer.shape);
            if let (Some(first), Some(count), Some(Shape::Pointer(Some(element)))) = (first, count, element) {
                self.elements(element, first, count, context, depth);
            }
            return;
        }
        if let Some((buffer, length, element)) = self.vector(layout) {
            let first = self.address(at.wrapping_add(buffer));
            let count = self.word(at.wrapping_add(length));
            if let Some((first, count)) = first.zip(count) {
                self.elements(element, first, count, context, depth);
            }
            return;
        }
        for member in &layout.members {
            self.value(member.of_type, at.wrapping_add(member.offset), context, depth + 1);
        }
        if let Some(variant) = self.variant(layout, at) {
            self.value(variant.of_type, at.wrapping_add(variant.offset), context, depth + 1);
        }
    }

    /// Looks at an async body.
    fn body(&mut self, layout: &TypeLayout, at: u64, context: &Context, depth: u32) {
        let Some(variant) = self.variant(layout, at) else {
            self.gap("the state of an async body cannot be read");
            return;
        };
        let start = at;
        let at = at.wrapping_add(variant.offset);
        let Some(state) = self.layout(variant.of_type) else { return };
        let is_suspended = state.is_suspended();
        if !is_suspended && state.own_name() != "Unresumed" {
            // It has ended, and has nothing.
            return;
        }
        let number = self.task.bodies.len();
        let discriminant = layout.variants.as_ref().and_then(|variants| variants.discriminant);
        self.task.states.extend(discriminant.map(|(offset, bytes)| (start.wrapping_add(offset), bytes)));
        self.task.bodies.push(Await {
            body: readable_type(&layout.name),
            place: variant.place.filter(|_| is_suspended),
            parent: context.position.body,
            kept_in: context.position.variable.clone(),
        });
        let inside = |variable: Option<&str>| Context {
            position: Position { body: Some(number), variable: variable.map(str::to_owned) },
            body: Some((state.clone(), at)),
        };
        let awaited = state.member("__awaitee").filter(|_| is_suspended);
        if let Some(awaited) = awaited {
            self.value(awaited.of_type, at.wrapping_add(awaited.offset), &inside(None), depth + 1);
        } else if is_suspended {
            self.gap("the debug information does not tell what an async body awaits");
        }
        for member in state.members.iter().filter(|member| member.name != "__awaitee") {
            self.value(
                member.of_type,
                at.wrapping_add(member.offset),
                &inside(Some(&member.name)),
                depth + 1,
            );
        }
    }

    /// The variant that an enum or an async body has now.
    fn variant(&mut self, layout: &TypeLayout, at: u64) -> Option<Member> {
        let variants = layout.variants.as_ref()?;
        let number = match variants.discriminant {
            Some((offset, bytes)) => self.number(at.wrapping_add(offset), bytes)?,
            None => 0,
        };
        match variants.discriminant {
            Some(_) => variants.of_number(number).cloned(),
            None => variants.list.first().map(|(_, member)| member.clone()),
        }
    }

    /// Where a vector has the address of its elements and their number, and what they are.
    fn vector(&mut self, layout: &TypeLayout) -> Option<(u64, u64, TypeRef)> {
        if !layout.name.starts_with("alloc::vec::Vec<") {
            return None;
        }
        let (_, element) = layout.arguments.iter().find(|(name, _)| name == "T")?;
        let buffer = layout.member("buf")?;
        let (offset, _) = self.pointee(buffer.of_type, 0)?;
        Some((buffer.offset.wrapping_add(offset), layout.member("len")?.offset, *element))
    }

    /// The first pointer that a type has by value: its offset, and what it points to.
    fn pointee(&mut self, of: TypeRef, depth: u32) -> Option<(u64, TypeRef)> {
        if depth > MOST_TYPE_DEPTH {
            return None;
        }
        let layout = self.types.layout(of)?;
        if let Shape::Pointer(to) = layout.shape {
            return Some((0, to?));
        }
        let variants =
            layout.variants.iter().flat_map(|variants| variants.list.iter().map(|(_, member)| member));
        layout.members.iter().chain(variants).find_map(|member| {
            let (offset, to) = self.pointee(member.of_type, depth + 1)?;
            Some((member.offset.wrapping_add(offset), to))
        })
    }

    /// Where a type has a value whose type or whose member's name is accepted: the offset, and the type.
    fn inside(
        &mut self,
        of: TypeRef,
        accepts: &dyn Fn(&str, &TypeLayout) -> bool,
        depth: u32,
    ) -> Option<(u64, TypeRef)> {
        if depth > MOST_TYPE_DEPTH {
            return None;
        }
        let layout = self.types.layout(of).filter(|layout| layout.shape == Shape::Struct)?;
        let variants =
            layout.variants.iter().flat_map(|variants| variants.list.iter().map(|(_, member)| member));
        let members: Vec<&Member> = layout.members.iter().chain(variants).collect();
        let direct = members.iter().find(|member| {
            self.types.layout(member.of_type).is_some_and(|layout| accepts(&member.name, &layout))
        });
        if let Some(member) = direct {
            return Some((member.offset, member.of_type));
        }
        members.iter().find_map(|member| {
            let (offset, found) = self.inside(member.of_type, accepts, depth + 1)?;
            Some((member.offset.wrapping_add(offset), found))
        })
    }

    /// Where a type has a member of this name, however deep.
    fn member_inside(&mut self, of: TypeRef, name: &str) -> Option<(u64, TypeRef)> {
        self.inside(of, &|member, _| member == name, 0)
    }

    /// Where a type has a semaphore by value.
    fn semaphore_in(&mut self, of: TypeRef) -> Option<u64> {
        if self.types.layout(of)?.name == SEMAPHORE {
            return Some(0);
        }
        self.inside(of, &|_, layout| layout.name == SEMAPHORE, 0).map(|(offset, _)| offset)
    }

    /// The address of the semaphore that a member of a value points to or into, with the type that has it.
    fn semaphore_of(&mut self, layout: &TypeLayout, at: u64) -> Option<(u64, TypeRef)> {
        layout.members.iter().find_map(|member| {
            let (offset, to) = self.pointee(member.of_type, 0)?;
            let in_target = self.semaphore_in(to)?;
            let address = self.address(at.wrapping_add(member.offset).wrapping_add(offset))?;
            Some((address.wrapping_add(in_target), to))
        })
    }

    fn resource(
        &mut self,
        kind: KnownType,
        of: TypeRef,
        layout: &TypeLayout,
        at: u64,
        context: &Context,
    ) -> Option<()> {
        let position = context.position.clone();
        match kind {
            KnownType::Guard => {
                let (semaphore, _) = self.semaphore_of(layout, at)?;
                let type_name = without_arguments(layout.own_name()).to_owned();
                self.task.guards.push(FoundGuard { position, semaphore, type_name });
            }
            KnownType::JoinHandle => {
                let (offset, _) = self.pointee(of, 0)?;
                let header = self.address(at.wrapping_add(offset))?;
                self.task.joins.push(FoundJoin { position, header });
            }
            KnownType::Acquire => {
                let found = self.acquire(layout, at, context)?;
                self.task.acquires.push(found);
            }
        }
        Some(())
    }

    fn acquire(&mut self, layout: &TypeLayout, at: u64, context: &Context) -> Option<FoundAcquire> {
        let semaphore_member = layout.member("semaphore")?;
        let (_, semaphore_type) = self.pointee(semaphore_member.of_type, 0)?;
        let semaphore = self.address(at.wrapping_add(semaphore_member.offset))?;
        let asked = self.word(at.wrapping_add(layout.member("num_permits")?.offset))?;
        let is_queued = self.number(at.wrapping_add(layout.member("queued")?.offset), 1)? != 0;
        let node = layout.member("node")?;
        let node_at = at.wrapping_add(node.offset);
        let (needs_offset, _) = self.member_inside(node.of_type, "state")?;
        let (next_offset, _) = self.member_inside(node.of_type, "next")?;
        let (free_offset, _) = self.member_inside(semaphore_type, "permits")?;
        let needs_at = node_at.wrapping_add(needs_offset);
        let needs = self.word(needs_at)?;
        self.word(semaphore.wrapping_add(free_offset))?;
        let mut in_front = Vec::new();
        let mut next = node_at;
        while is_queued && needs > 0 && in_front.len() < MOST_WAITERS {
            next = self.word(next.wrapping_add(next_offset))?;
            if next == 0 {
                break;
            }
            in_front.push(next.wrapping_add(needs_offset));
        }
        Some(FoundAcquire {
            position: context.position.clone(),
            semaphore,
            lock: self.lock_kind(context, semaphore),
            free_at: semaphore.wrapping_add(free_offset),
            needs_at,
            asked,
            needs,
            is_queued,
            in_front,
        })
    }

    /// The kind of lock that has a semaphore: the body that acquires it has a reference to the lock.
    fn lock_kind(&mut self, context: &Context, semaphore: u64) -> LockKind {
        let Some((state, at)) = &context.body else { return LockKind::Other };
        for member in &state.members {
            let Some((offset, to)) = self.pointee(member.of_type, 0) else { continue };
            let is_lock = |_: &str, layout: &TypeLayout| {
                [MUTEX, RW_LOCK].iter().any(|lock| layout.name.starts_with(lock)) || layout.name == COUNTING
            };
            let lock = match self.types.layout(to) {
                Some(layout) if is_lock("", &layout) => Some((0, to)),
                // In an `Arc`.
                _ => self.inside(to, &is_lock, MOST_TYPE_DEPTH - 2),
            };
            let Some((in_target, lock)) = lock else { continue };
            let Some(base) = self.address(at.wrapping_add(member.offset).wrapping_add(offset)) else {
                continue;
            };
            let base = base.wrapping_add(in_target);
            let Some(in_lock) = self.semaphore_in(lock) else { continue };
            let Some(layout) = self.types.layout(lock).filter(|_| base.wrapping_add(in_lock) == semaphore)
            else {
                continue;
            };
            if layout.name.starts_with(MUTEX) {
                return LockKind::Mutex;
            }
            if layout.name.starts_with(RW_LOCK) {
                let permits = layout.member("mr").and_then(|it| self.number(base.wrapping_add(it.offset), 4));
                return permits.map_or(LockKind::Other, |permits| LockKind::RwLock { permits });
            }
            return LockKind::Semaphore;
        }
        LockKind::Other
    }

    /// Whether values of a type can have futures, guards or handles in them. Most cannot, and are left out as a whole.
    fn has_futures(&mut self, of: TypeRef, depth: u32) -> bool {
        if let Some(known) = self.known.have_futures.get(&of) {
            return *known;
        }
        if depth > MOST_DEPTH {
            return false;
        }
        // What has itself has nothing more for it.
        self.known.have_futures.insert(of, false);
        let found = self.types.layout(of).is_some_and(|layout| self.layout_has_futures(&layout, depth));
        self.known.have_futures.insert(of, found);
        found
    }

    fn layout_has_futures(&mut self, layout: &TypeLayout, depth: u32) -> bool {
        if layout.is_async_body() || known(&layout.name).is_some() {
            return true;
        }
        match layout.shape {
            Shape::Pointer(Some(to)) => is_owner(&layout.name) && self.has_futures(to, depth + 1),
            Shape::Array { element, count } => count > 0 && self.has_futures(element, depth + 1),
            Shape::Struct if layout.name.starts_with("core::mem::maybe_uninit::") => false,
            Shape::Struct => {
                if let Some((data, _)) = trait_object(layout) {
                    let target = self.types.layout(data.of_type).map(|pointer| pointer.shape);
                    let Some(Shape::Pointer(Some(target))) = target else { return false };
                    let is_future = |layout: Rc<TypeLayout>| {
                        ["Future", "Stream"].iter().any(|name| layout.name.contains(name))
                    };
                    return is_owner(&layout.name) && self.types.layout(target).is_some_and(is_future);
                }
                if let (Some(data), Some(_)) = (layout.member("data_ptr"), layout.member("length")) {
                    let target = self.types.layout(data.of_type).map(|pointer| pointer.shape);
                    let Some(Shape::Pointer(Some(element))) = target else { return false };
                    return is_owner(&layout.name) && self.has_futures(element, depth + 1);
                }
                if let Some((_, _, element)) = self.vector(layout) {
                    return self.has_futures(element, depth + 1);
                }
                let variants = layout
                    .variants
                    .iter()
                    .flat_map(|variants| variants.list.iter().map(|(_, member)| member));
                // All of them: what is asked for here is kept.
                let mut found = false;
                for member in layout.members.iter().chain(variants) {
                    found |= self.has_futures(member.of_type, depth + 1);
                }
                found
            }
            Shape::Pointer(None) | Shape::Other => false,
        }
    }
}

/// Whether a pointer of this type has what it points to for itself.
fn is_owner(name: &str) -> bool {
    name.starts_with("&mut ") || name.starts_with("alloc::boxed::Box<")
}

/// The two words of a trait object.
fn trait_object(layout: &TypeLayout) -> Option<(&Member, &Member)> {
    layout.member("pointer").zip(layout.member("vtable")).filter(|_| layout.members.len() == 2)
}

/// A name without the arguments of the type.
fn without_arguments(name: &str) -> &str {
    name.split('<').next().unwrap_or(name)
}
