//! What our own wrapper knows of a task is read from memory, too.

use std::time::Duration;

use super::started::Started;
use super::{program, task};

#[test]
fn names_and_places_of_wrapped_tasks_are_missing_without_an_agent() {
    let mut started = Started::with(|command| {
        command.env(program::TRACED, "1");
    });
    let inspection = started.inspect_when_idle();
    let asked = started.ask();
    let name_of = |parent: Option<_>| {
        let mut tasks = inspection.dump().tasks().iter();
        parent.and_then(|parent| tasks.find(|task| task.id() == parent)).and_then(|task| task.name())
    };
    let mut children = 0;
    for expected in started.tasks() {
        let look = task(&inspection, expected);
        let own = asked.dump().tasks().iter().find(|task| task.name() == Some(&*expected.name)).unwrap();
        assert_eq!(look.name(), own.name());
        assert_eq!(look.spawned_at(), own.spawned_at(), "{}", expected.name);
        assert_eq!(look.type_name(), own.type_name(), "{}", expected.name);
        let parent_of_own = own.parent().map(|id| asked.dump().tasks().iter().find(|task| task.id() == id));
        let parent_of_own = parent_of_own.flatten().and_then(|task| task.name());
        assert_eq!(name_of(look.parent()), parent_of_own, "{}", expected.name);
        children += usize::from(parent_of_own.is_some());
        // The look was before.
        let (seen, later) = (look.status(), own.status());
        assert!((1..=later.polls).contains(&seen.polls), "{}: {seen:?} {later:?}", expected.name);
        assert!(seen.age <= later.age && seen.in_state <= seen.age, "{}: {seen:?} {later:?}", expected.name);
        assert!(
            seen.in_state.is_some_and(|it| it < Duration::from_secs(3_600)),
            "{}: {seen:?}",
            expected.name
        );
    }
    assert_eq!(children, 1);
    assert_eq!(inspection.dump().notes(), [""; 0]);
}
