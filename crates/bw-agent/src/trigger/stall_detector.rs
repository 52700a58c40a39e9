//! Which tasks are stuck, and which of that is news. Pure: what it looks at and when it is told.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use backtrace_waker::{SpawnedAt, TaskId, TaskState, TaskStatus};

use crate::report::StalledGroup;

/// Groups of one report, those that hold a thread first. The others come with the next.
const GROUPS: usize = 20;

/// Tasks of a group that are named and asked.
const NAMED: usize = 10;

/// Groups whose backoff is remembered; all others together are one. There is room for as many again of those that hold a thread,
/// which those that wait cannot take.
const REMEMBERED: usize = 1_024;

/// A task that is stuck, as the watch sees it.
pub(super) struct StuckTask<'a> {
    pub(super) id: TaskId,
    pub(super) name: Option<&'a str>,
    pub(super) spawned_at: &'a SpawnedAt,
    pub(super) status: &'a TaskStatus,
}

/// In which way a task is stuck. The worse one is less: it comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Way {
    /// In one poll: it holds a thread, and may be why others wait.
    Polling,
    /// Suspended, or woken and not polled since: a report wakes those it asks.
    Waiting,
}

impl Way {
    /// `None` of a state in which no task is stuck. One that nobody has polled yet may not have been spawned.
    fn of(state: &TaskState) -> Option<Self> {
        match state {
            TaskState::Suspended | TaskState::Woken => Some(Self::Waiting),
            TaskState::Polling(_) => Some(Self::Polling),
            _ => None,
        }
    }
}

type Key<'a> = (Way, SpawnedAt, Option<Cow<'a, str>>);

/// What has been reported, and when it will be again.
pub(super) struct StallDetector {
    threshold: Duration,
    longest_backoff: Duration,
    /// Between two reports.
    every: Duration,
    /// When the last report was, but for those that could not wait.
    last: Option<Instant>,
    remembered: HashMap<Key<'static>, Backoff>,
    /// Of the groups for which there was no room, by way.
    rest: HashMap<Way, Backoff>,
}

/// Of a group that was reported.
#[derive(Clone, Copy)]
struct Backoff {
    backoff: Duration,
    /// When it was. Not again for the time of the backoff, unless they become twice as many.
    reported: Instant,
    most: usize,
    seen: Instant,
}

struct Gathering<'a> {
    tasks: usize,
    /// Those that are stuck longest, the longest first.
    longest: Vec<(Duration, &'a StuckTask<'a>)>,
}

impl StallDetector {
    pub(super) fn new(threshold: Duration, every: Duration, longest_backoff: Duration) -> Self {
        Self {
            threshold,
            longest_backoff: longest_backoff.max(threshold),
            every,
            last: None,
            remembered: HashMap::new(),
            rest: HashMap::new(),
        }
    }

    /// The groups that are to be reported now. Each is remembered as reported.
    pub(super) fn look(&mut self, now: Instant, seen: &[StuckTask<'_>]) -> Vec<StalledGroup> {
        let groups = self.gather(seen);
        // A group that was gone for as long as it would have been quiet is news again.
        let is_recent = |backoff: &Backoff| now.saturating_duration_since(backoff.seen) <= backoff.backoff;
        self.remembered.retain(|key, backoff| {
            if groups.contains_key(key) {
                backoff.seen = now;
            }
            is_recent(backoff)
        });
        self.rest.retain(|way, backoff| {
            if groups.keys().any(|key| key.0 == *way && !self.remembered.contains_key(key)) {
                backoff.seen = now;
            }
            is_recent(backoff)
        });
        let is_soon = self.last.is_some_and(|last| now.saturating_duration_since(last) < self.every);
        // Who holds a thread is not held back. They are few: a thread polls a task, and what is traced inside of it.
        let may_come = |key: &Key<'_>| !is_soon || key.0 == Way::Polling;
        let mut due: Vec<_> = groups
            .into_iter()
            .filter(|(key, group)| may_come(key) && self.is_due(now, key, group.tasks))
            .collect();
        // The order of a map is no order.
        due.sort_by(|(key, group), (other_key, other)| {
            (key.0.cmp(&other_key.0))
                .then_with(|| other.span().cmp(&group.span()))
                .then_with(|| key.cmp(other_key))
        });
        due.truncate(GROUPS);
        if !due.is_empty() && !is_soon {
            self.last = Some(now);
        }
        due.into_iter()
            .filter_map(|(key, group)| {
                self.remember(now, &key, group.tasks);
                group.into_group(key.2)
            })
            .collect()
    }

    fn gather<'a>(&self, seen: &'a [StuckTask<'a>]) -> HashMap<Key<'a>, Gathering<'a>> {
        let mut groups = HashMap::<Key<'a>, Gathering<'a>>::new();
        for seen in seen {
            let (Some(way), Some(span)) = (Way::of(&seen.status.state), seen.status.in_state) else {
                continue;
            };
            if span < self.threshold {
                continue;
            }
            let key = (way, seen.spawned_at.clone(), seen.name.map(pattern));
            let group = groups.entry(key).or_insert_with(|| Gathering { tasks: 0, longest: Vec::new() });
            group.tasks += 1;
            let place = group.longest.partition_point(|(other, _)| *other >= span);
            if place < NAMED {
                group.longest.truncate(NAMED - 1);
                group.longest.insert(place, (span, seen));
            }
        }
        groups
    }

    fn backoff(&self, key: &Key<'_>) -> Option<Backoff> {
        let known = self.remembered.get(key).copied();
        if known.is_none() && !self.has_room(key.0) {
            return self.rest.get(&key.0).copied();
        }
        known
    }

    fn has_room(&self, way: Way) -> bool {
        let most = match way {
            Way::Polling => 2 * REMEMBERED,
            Way::Waiting => REMEMBERED,
        };
        self.remembered.len() < most
    }

    fn is_due(&self, now: Instant, key: &Key<'_>, tasks: usize) -> bool {
        self.backoff(key).is_none_or(|backoff| !backoff.is_quiet(now) || tasks / 2 >= backoff.most)
    }

    fn remember(&mut self, now: Instant, key: &Key<'_>, tasks: usize) {
        let (way, spawned_at, name) = key;
        let key = (*way, spawned_at.clone(), name.as_deref().map(|name| Cow::Owned(name.to_owned())));
        let has_room = self.has_room(*way) || self.remembered.contains_key(&key);
        let known = if has_room { self.remembered.get(&key) } else { self.rest.get(way) };
        // Of the rest, another may be in this report.
        let is_told = !has_room && known.is_some_and(|known| known.is_quiet(now));
        let factor = if is_told { 1 } else { 2 };
        let backoff = known.map_or(self.threshold, |known| known.backoff.saturating_mul(factor));
        let backoff = backoff.min(self.longest_backoff);
        let fresh = Backoff {
            backoff,
            reported: now,
            most: known.map_or(tasks, |known| known.most.max(tasks)),
            seen: now,
        };
        if has_room {
            self.remembered.insert(key, fresh);
        } else {
            self.rest.insert(*way, fresh);
        }
    }
}

impl Backoff {
    fn is_quiet(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.reported) < self.backoff
    }
}

impl Gathering<'_> {
    fn span(&self) -> Duration {
        self.longest.first().map_or(Duration::ZERO, |(span, _)| *span)
    }

    fn into_group(self, name: Option<Cow<'_, str>>) -> Option<StalledGroup> {
        let (_, first) = self.longest.first()?;
        Some(StalledGroup {
            name: name.map(Cow::into_owned),
            spawned_at: first.spawned_at.clone(),
            tasks: self.tasks,
            longest: first.status.clone(),
            ids: self.longest.iter().map(|(_, seen)| seen.id).collect(),
        })
    }
}

/// A name with a `#` for each number, so that `conn 7` and `conn 8` are of one group.
fn pattern(name: &str) -> Cow<'_, str> {
    if !name.bytes().any(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(name);
    }
    let mut pattern = String::with_capacity(name.len());
    let mut in_number = false;
    for letter in name.chars() {
        let is_digit = letter.is_ascii_digit();
        if !is_digit {
            pattern.push(letter);
        } else if !in_number {
            pattern.push('#');
        }
        in_number = is_digit;
    }
    Cow::Owned(pattern)
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use backtrace_waker::bw_core::PollingThread;

    use super::*;
    use crate::report::Stall;

    const SECOND: Duration = Duration::from_secs(1);

    /// Tasks that a test has, all spawned at one place.
    struct Tasks(Vec<(u64, &'static str, TaskStatus)>);

    impl Tasks {
        fn new(tasks: &[(u64, &'static str, TaskState, u64)]) -> Self {
            let status = |state: &TaskState, seconds: &u64| {
                let mut status = TaskStatus::new(state.clone());
                status.in_state = Some(SECOND * u32::try_from(*seconds).expect("few"));
                status
            };
            Self(
                tasks.iter().map(|(id, name, state, seconds)| (*id, *name, status(state, seconds))).collect(),
            )
        }

        fn look(&self, stalls: &mut StallDetector, now: Instant) -> Vec<StalledGroup> {
            let here = SpawnedAt::from(Location::caller());
            let seen: Vec<_> = self
                .0
                .iter()
                .map(|(id, name, status)| StuckTask {
                    id: TaskId::from_u64(*id).expect("not 0"),
                    name: Some(name),
                    spawned_at: &here,
                    status,
                })
                .collect();
            stalls.look(now, &seen)
        }
    }

    fn names(groups: &[StalledGroup]) -> Vec<(&str, usize)> {
        groups.iter().map(|group| (group.name().unwrap_or("none"), group.len())).collect()
    }

    /// At which of the seconds a task is reported that is stuck from 0 on.
    fn reported(
        stalls: &mut StallDetector,
        began: Instant,
        seconds: std::ops::RangeInclusive<u64>,
    ) -> Vec<u64> {
        let stuck_for = |&at: &u64| {
            let tasks = Tasks::new(&[(1, "stuck", TaskState::Suspended, at)]);
            !tasks.look(stalls, began + Duration::from_secs(at)).is_empty()
        };
        seconds.filter(stuck_for).collect()
    }

    #[test]
    fn what_stays_stuck_is_reported_at_twice_the_time_until_the_longest() {
        let mut stalls = StallDetector::new(5 * SECOND, Duration::ZERO, 40 * SECOND);
        assert_eq!(reported(&mut stalls, Instant::now(), 0..=200), [5, 10, 20, 40, 80, 120, 160, 200]);
    }

    #[test]
    fn times_that_no_clock_can_count_are_never() {
        let mut stalls = StallDetector::new(5 * SECOND, Duration::MAX, Duration::MAX);
        assert_eq!(reported(&mut stalls, Instant::now(), 0..=200), [5]);
        let mut stalls = StallDetector::new(5 * SECOND, Duration::ZERO, Duration::MAX);
        assert_eq!(reported(&mut stalls, Instant::now(), 0..=200), [5, 10, 20, 40, 80, 160]);
    }

    #[test]
    fn a_group_that_was_gone_for_as_long_as_its_backoff_is_news_again() {
        let (mut stalls, began) =
            (StallDetector::new(5 * SECOND, Duration::ZERO, 40 * SECOND), Instant::now());
        assert_eq!(reported(&mut stalls, began, 0..=12), [5, 10]);
        // Comes and goes: as if it had stayed.
        assert_eq!(Tasks::new(&[]).look(&mut stalls, began + 15 * SECOND).len(), 0);
        assert_eq!(reported(&mut stalls, began, 16..=25), [20]);
        // It is away for longer than the 20 s for which it would be quiet.
        let later = began + 46 * SECOND;
        assert_eq!(Tasks::new(&[]).look(&mut stalls, later).len(), 0);
        assert!(stalls.remembered.is_empty());
        assert_eq!(reported(&mut stalls, later, 5..=12), [5, 10]);
    }

    #[test]
    fn twice_as_many_are_news() {
        let (mut stalls, now) = (StallDetector::new(5 * SECOND, Duration::ZERO, 60 * SECOND), Instant::now());
        let some = |count| {
            let tasks: Vec<_> = (1..=count).map(|n| (n, "conn 1", TaskState::Suspended, 6)).collect();
            Tasks::new(&tasks)
        };
        assert_eq!(names(&some(3).look(&mut stalls, now)), [("conn #", 3)]);
        assert!(some(5).look(&mut stalls, now).is_empty());
        assert_eq!(names(&some(6).look(&mut stalls, now)), [("conn #", 6)]);
        assert!(some(11).look(&mut stalls, now).is_empty());
        assert!(some(3).look(&mut stalls, now).is_empty());
        assert!(some(6).look(&mut stalls, now).is_empty(), "it was so many before");
    }

    #[test]
    fn groups_are_told_apart_by_name_and_way_but_not_by_numbers() {
        let mut stalls = StallDetector::new(5 * SECOND, Duration::ZERO, 60 * SECOND);
        let polling = TaskState::Polling(PollingThread::elsewhere(Some("worker".into()), Some(77)));
        let tasks = Tasks::new(&[
            (1, "conn 17", TaskState::Suspended, 7),
            (2, "conn 8", TaskState::Suspended, 9),
            (3, "conn 9", polling, 8),
            (4, "pool", TaskState::Woken, 6),
            (5, "in time", TaskState::Suspended, 4),
            (6, "not spawned", TaskState::NeverPolled, 60),
            (7, "over", TaskState::Panicked, 60),
        ]);
        let groups = tasks.look(&mut stalls, Instant::now());
        assert_eq!(names(&groups), [("conn #", 1), ("conn #", 2), ("pool", 1)]);
        assert_eq!(
            groups[1].ids().iter().map(|id| id.get()).collect::<Vec<_>>(),
            [2, 1],
            "the longest first"
        );
        let file = file!();
        let text = Stall { threshold: 5 * SECOND, groups }.to_string();
        let lines: Vec<_> =
            text.lines().map(|line| line.split(", spawned at ").next().unwrap_or(line)).collect();
        assert_eq!(
            lines,
            [
                "4 tasks are stuck for 5.0 s or more",
                "  1 task \"conn #\" in one poll for 8.0 s on \"worker\" (thread 77)",
                "  2 tasks \"conn #\" suspended for up to 9.0 s",
                "  1 task \"pool\" woken but not polled for 6.0 s",
            ]
        );
        assert!(text.contains(&format!("spawned at {file}:")), "{text}");
    }

    #[test]
    fn reports_keep_their_distance_and_lose_nothing() {
        let (mut stalls, began) = (StallDetector::new(SECOND, 10 * SECOND, 60 * SECOND), Instant::now());
        let tasks = Tasks::new(&[(1, "first", TaskState::Suspended, 2)]);
        assert_eq!(names(&tasks.look(&mut stalls, began)), [("first", 1)]);
        let tasks = Tasks::new(&[(2, "second", TaskState::Suspended, 2)]);
        assert!(tasks.look(&mut stalls, began + 9 * SECOND).is_empty());
        assert_eq!(names(&tasks.look(&mut stalls, began + 10 * SECOND)), [("second", 1)]);
    }

    #[test]
    fn who_holds_a_thread_is_not_held_back_by_who_waits() {
        let (mut stalls, began) = (StallDetector::new(SECOND, 10 * SECOND, 60 * SECOND), Instant::now());
        let waits = |id, name| (id, name, TaskState::Suspended, 2);
        let polls =
            |id, name, span| (id, name, TaskState::Polling(PollingThread::elsewhere(None, Some(7))), span);
        let mut look = |at, tasks: &[_]| -> Vec<String> {
            let groups = Tasks::new(tasks).look(&mut stalls, began + SECOND * at);
            groups.iter().map(|group| group.name().unwrap_or("none").to_owned()).collect()
        };
        assert_eq!(look(0, &[waits(1, "first")]), ["first"]);
        // At the next look, and not who waits.
        assert_eq!(look(1, &[waits(2, "second"), polls(3, "holds", 1)]), ["holds"]);
        // Its group's backoff holds for it: a second from the first time, then two, then four.
        assert_eq!(look(1, &[waits(2, "second"), polls(3, "holds", 2)]), [""; 0]);
        assert_eq!(look(2, &[polls(3, "holds", 2)]), ["holds"]);
        assert_eq!(look(3, &[polls(3, "holds", 3), polls(4, "holds too", 1)]), ["holds too"]);
        // Such reports do not put those off that wait.
        assert_eq!(look(9, &[waits(2, "second"), polls(5, "a third", 1)]), ["a third"]);
        assert_eq!(look(10, &[waits(2, "second"), polls(6, "a fourth", 1)]), ["a fourth", "second"]);
    }

    #[test]
    fn who_holds_a_thread_comes_before_any_number_that_wait_longer() {
        let (mut stalls, now) = (StallDetector::new(SECOND, Duration::ZERO, 60 * SECOND), Instant::now());
        let names: Vec<&'static str> = (0..u8::try_from(GROUPS).expect("few") + 1)
            .map(|n| &*String::from_utf8(vec![b'a' + n]).expect("ASCII").leak())
            .collect();
        let mut tasks: Vec<_> =
            (1..).zip(&names).map(|(id, name)| (id, *name, TaskState::Suspended, 60)).collect();
        let thread = PollingThread::elsewhere(Some("worker".into()), Some(77));
        tasks.push((99, "holds", TaskState::Polling(thread), 1));
        let groups = Tasks::new(&tasks).look(&mut stalls, now);
        assert_eq!((groups.len(), groups[0].name()), (GROUPS, Some("holds")));
    }

    #[test]
    fn a_report_has_an_end_and_the_next_one_goes_on() {
        let (mut stalls, now) = (StallDetector::new(SECOND, Duration::ZERO, 60 * SECOND), Instant::now());
        let names: Vec<&'static str> = (0..30_u8)
            .map(|n| &*String::from_utf8(vec![b'a' + n % 26, b'a' + n / 26]).expect("ASCII").leak())
            .collect();
        let tasks: Vec<_> =
            (1..).zip(&names).map(|(id, name)| (id, *name, TaskState::Suspended, id + 1)).collect();
        let tasks = Tasks::new(&tasks);
        let (first, second) = (tasks.look(&mut stalls, now), tasks.look(&mut stalls, now));
        assert_eq!((first.len(), second.len()), (GROUPS, 10));
        assert_eq!((first[0].ids()[0].get(), second[0].ids()[0].get()), (30, 10), "the longest first");
        assert!(tasks.look(&mut stalls, now).is_empty());
    }

    #[test]
    fn names_without_end_do_not_fill_memory() {
        let mut stalls = StallDetector::new(SECOND, Duration::ZERO, 60 * SECOND);
        let now = Instant::now();
        let letters = |n: usize| -> &'static str {
            (0..4)
                .map(|place| char::from(b'a' + u8::try_from(n / 26_usize.pow(place) % 26).expect("less")))
                .collect::<String>()
                .leak()
        };
        let tasks: Vec<_> =
            (0..REMEMBERED + 500).map(|n| (n as u64 + 1, letters(n), TaskState::Suspended, 2)).collect();
        let tasks = Tasks::new(&tasks);
        let until_quiet = |stalls: &mut StallDetector, now| -> usize {
            let reports = std::iter::repeat_with(|| tasks.look(stalls, now).len());
            reports.take_while(|groups| *groups > 0).sum()
        };
        // Those for which there is no room are as patient as the others: the second time at twice the time, and so on.
        for (at, patience) in [(0, 1), (2, 2), (5, 4)] {
            let reported = until_quiet(&mut stalls, now + SECOND * at);
            assert!((REMEMBERED..REMEMBERED + GROUPS).contains(&reported), "{reported}");
            assert_eq!((stalls.remembered.len(), stalls.rest.len()), (REMEMBERED, 1));
            assert_eq!(stalls.rest[&Way::Waiting].backoff, SECOND * patience);
        }
        // Nor do they share their patience with those that hold a thread.
        for name in ["holds", "holds too"] {
            let polling = TaskState::Polling(PollingThread::elsewhere(None, Some(7)));
            let groups = Tasks::new(&[(1, name, polling, 1)]).look(&mut stalls, now + SECOND * 5);
            assert_eq!(names(&groups), [(name, 1)]);
        }
        assert_eq!(stalls.remembered.len(), REMEMBERED + 2);
    }

    #[test]
    fn a_group_has_few_tasks_of_many() {
        let mut stalls = StallDetector::new(SECOND, Duration::ZERO, 60 * SECOND);
        let tasks: Vec<_> = (1..=100).map(|n| (n, "many", TaskState::Suspended, 1 + n % 50)).collect();
        let groups = Tasks::new(&tasks).look(&mut stalls, Instant::now());
        assert_eq!(names(&groups), [("many", 100)]);
        let ids: Vec<_> = groups[0].ids().iter().map(|id| id.get() % 50).collect();
        assert_eq!(ids, [49, 49, 48, 48, 47, 47, 46, 46, 45, 45]);
    }

    #[test]
    fn numbers_in_names_do_not_count() {
        assert_eq!(pattern("conn 17 of 203"), "conn # of #");
        assert_eq!(pattern("7"), "#");
        assert!(matches!(pattern("none"), Cow::Borrowed("none")));
    }
}
