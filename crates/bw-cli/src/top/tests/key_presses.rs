//! What keys do.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::json;

use super::dumps::{Dump, task};
use super::{press, press_control, screen, type_text, view_of};
use crate::top::model::close_up::Subject;
use crate::top::model::layout::Layout;
use crate::top::model::task_state::State;
use crate::top::model::{Action, Model, View};

/// Tasks in the list, by id.
fn listed(model: &Model) -> Vec<u64> {
    let summary = model.summary.as_ref().unwrap();
    model.list().rows().iter().map(|row| summary.tasks[row.task as usize].id).collect()
}

fn tasks_of(dump: &Dump) -> Model {
    let mut model = view_of(dump, 100, 20);
    type_text(&mut model, "2");
    model
}

#[test]
fn tab_goes_through_the_views() {
    let mut model = view_of(&Dump::shop(), 100, 20);
    for view in [View::Tasks, View::Tree, View::Groups] {
        press(&mut model, KeyCode::Tab);
        assert_eq!(model.view, view);
    }
    for view in [View::Tree, View::Tasks, View::Groups] {
        press(&mut model, KeyCode::BackTab);
        assert_eq!(model.view, view);
    }
    for (key, view) in [('3', View::Tree), ('2', View::Tasks), ('1', View::Groups), ('4', View::Groups)] {
        type_text(&mut model, &key.to_string());
        assert_eq!(model.view, view);
    }
}

#[test]
fn tasks_are_sorted_by_each_column() {
    let mut model = tasks_of(&Dump::shop());
    let in_order = [
        ("", vec![1, 2, 3, 12, 4, 13, 5, 6, 9]),
        ("o", vec![9, 6, 5, 13, 4, 12, 3, 2, 1]),
        // Age, polls, rate (nobody has one), name, id, and around.
        ("s", vec![1, 2, 3, 12, 4, 13, 5, 6, 9]),
        ("s", vec![1, 4, 2, 3, 5, 6, 9, 12, 13]),
        ("s", vec![1, 2, 3, 4, 5, 6, 9, 12, 13]),
        ("s", vec![1, 13, 12, 5, 2, 3, 4, 6, 9]),
        ("s", vec![1, 2, 3, 4, 5, 6, 9, 12, 13]),
        ("o", vec![13, 12, 9, 6, 5, 4, 3, 2, 1]),
        ("S", vec![1, 13, 12, 5, 2, 3, 4, 6, 9]),
        ("ss", vec![1, 2, 3, 12, 4, 13, 5, 6, 9]),
    ];
    for (keys, ids) in in_order {
        type_text(&mut model, keys);
        assert_eq!(listed(&model), ids, "{keys}: {:?}", model.sorting());
    }
}

#[test]
fn groups_are_sorted_by_time_and_by_size() {
    let mut model = view_of(&Dump::shop(), 100, 20);
    let sizes = |model: &Model| {
        let summary = model.summary.as_ref().unwrap();
        let rows = model.list().rows().iter();
        rows.map(|row| summary.groups[row.task as usize].tasks.len()).collect::<Vec<_>>()
    };
    assert_eq!(sizes(&model), [1, 1, 3, 1, 2, 1]);
    type_text(&mut model, "s");
    assert_eq!(sizes(&model), [3, 2, 1, 1, 1, 1]);
    type_text(&mut model, "o");
    assert_eq!(sizes(&model), [1, 1, 1, 1, 2, 3]);
}

#[test]
fn groups_that_hold_a_thread_come_first_as_in_a_dump() {
    let mut dump = Dump::shop();
    // One that blocks has a trace while it is polled; of others, polls that last.
    let blocks = json!({"trace": 2, "thread": {"name": "a", "id": 1}});
    dump.tasks.push(task(14, "polling", 0.3, blocks));
    let short = json!({"no_trace": "not_polled", "thread": {"name": "b", "id": 2}});
    dump.tasks.push(task(15, "polling", 0.3, short));
    let mut model = view_of(&dump, 100, 20);
    let first_tasks = |model: &Model| {
        let summary = model.summary.as_ref().unwrap();
        let first = |group: u32| summary.tasks[summary.groups[group as usize].tasks[0] as usize].id;
        model.list().rows().iter().map(|row| first(row.task)).collect::<Vec<_>>()
    };
    assert_eq!(first_tasks(&model), [12, 14, 1, 2, 13, 5, 15, 9]);
    type_text(&mut model, "o");
    assert_eq!(first_tasks(&model), [9, 15, 5, 13, 2, 1, 14, 12]);
}

#[test]
fn b_again_goes_on_to_the_next_thread_that_is_blocked() {
    let polled = |id, seconds, parent: Option<u64>, thread: u64| {
        let more = json!({"no_trace": "not_polled", "thread": {"id": thread}, "parent": parent, "nested": parent.is_some()});
        task(id, "polling", seconds, more)
    };
    let tasks = vec![
        polled(1, 6.0, None, 7),
        polled(2, 6.0, Some(1), 7),
        polled(3, 4.0, None, 8),
        polled(4, 5.0, None, 9),
        polled(5, 0.5, None, 10),
    ];
    let mut model = view_of(&Dump::new(tasks), 160, 20);
    let header = screen(&model).replace("\n ", "");
    assert!(header.contains("task 2 has") && header.contains("(b shows it, b again the next)"), "{header}");
    for id in [2, 4, 3, 2] {
        type_text(&mut model, "b");
        assert_eq!(model.close_up.as_ref().map(|it| it.subject), Some(Subject::Task(id)));
    }
    // Where there is one only, it stays as it was scrolled.
    let mut model = view_of(&Dump::shop(), 100, 10);
    type_text(&mut model, "bdb");
    assert_eq!(model.close_up.as_ref().map(|it| it.detail), Some(bw_render::Detail::Library));
}

#[test]
fn busy_tasks_show_by_how_often_they_are_polled() {
    let first = Dump::shop();
    let mut later = first.after(4);
    later.task(5)["polls"] = json!(1_010);
    later.task(3)["polls"] = json!(12);
    // Another task of the same id, which has fewer.
    later.task(4)["polls"] = json!(1);
    later.tasks.push(task(20, "suspended", 0.0, json!({"trace": 0, "polls": 5})));
    let summary = first.summary(None);
    let mut model = tasks_of(&first);
    model.take(later.summary(Some(&summary.before())));
    type_text(&mut model, "sss");
    assert_eq!(listed(&model)[..2], [5, 3]);
    let rates: Vec<_> = model.summary.as_ref().unwrap().tasks.iter().map(|task| task.rate).collect();
    assert_eq!(rates[2..5], [Some(0.5), Some(0.0), Some(250.0)]);
    assert_eq!(rates.last(), Some(&None));
    assert!(screen(&model).contains("250.0"), "{}", screen(&model));
    // A group that grew says so.
    type_text(&mut model, "1");
    let groups = &model.summary.as_ref().unwrap().groups;
    let of_sellers = groups.iter().find(|group| group.names.starts_with("seller")).unwrap();
    assert_eq!(of_sellers.change, Some(1));
    // Another process may have the same number.
    let mut restarted = first.after(9);
    restarted.started_at = "2026-09-21T14:13:25Z";
    model.take(restarted.summary(Some(&summary.before())));
    assert!(model.summary.as_ref().unwrap().tasks.iter().all(|task| task.rate.is_none()));
}

/// An agent reads it anew for each dump, from clocks of 10 ms.
#[test]
fn a_process_whose_start_is_known_to_some_milliseconds_stays_the_same() {
    let first = Dump::shop();
    let mut later = first.after(4);
    later.started_at = "2026-09-21T12:00:00.010Z";
    let summary = later.summary(Some(&first.summary(None).before()));
    assert!(summary.tasks.iter().all(|task| task.rate == Some(0.0)));
    assert!(summary.groups.iter().all(|group| group.change == Some(0)));
}

#[test]
fn the_cursor_moves_by_rows_and_pages_and_stops_at_the_ends() {
    let mut model = tasks_of(&Dump::many(500));
    let page = usize::from(Layout::new(&model).rows.height) - 1;
    let rows = |model: &Model| model.list().at();
    for (key, at) in [
        (KeyCode::Down, 1),
        (KeyCode::Char('j'), 2),
        (KeyCode::Char('k'), 1),
        (KeyCode::Up, 0),
        (KeyCode::Up, 0),
        (KeyCode::End, 499),
        (KeyCode::Down, 499),
        (KeyCode::Home, 0),
        (KeyCode::Char('G'), 499),
        (KeyCode::Char('g'), 0),
    ] {
        assert_eq!(press(&mut model, key), None);
        assert_eq!(rows(&model), at, "{key:?}");
    }
    for key in [KeyCode::PageDown, KeyCode::Char(' ')] {
        let before = rows(&model);
        press(&mut model, key);
        assert_eq!(rows(&model) - before, page);
    }
    press(&mut model, KeyCode::PageUp);
    press(&mut model, KeyCode::PageUp);
    assert_eq!(rows(&model), 0);
    for (forward, back) in [('f', 'b'), ('d', 'u'), ('n', 'p')] {
        press_control(&mut model, forward);
        assert!(rows(&model) > 0, "{forward}");
        press_control(&mut model, back);
        assert_eq!(rows(&model), 0, "{back}");
    }
}

#[test]
fn the_selection_stays_with_its_task_and_its_group_when_pictures_come() {
    let dump = Dump::shop();
    for view in ["1", "2", "3"] {
        let mut model = view_of(&dump, 100, 12);
        type_text(&mut model, view);
        type_text(&mut model, "jj");
        let chosen = model.subject();
        let mut later = dump.after(2);
        // Others come before it.
        later.tasks.insert(0, task(20, "suspended", 90_000.0, json!({"trace": 2, "name": "old"})));
        later.tasks.insert(0, task(21, "never_polled", 80_000.0, json!({"no_trace": "never_polled"})));
        model.take(later.summary(None));
        assert_eq!(model.subject(), chosen, "view {view}");
        // It goes: what is at its place is chosen.
        let at = model.list().at();
        let Some(Subject::Task(id)) = chosen else { continue };
        later.tasks.retain(|task| task["id"] != id);
        model.take(later.summary(None));
        assert!(model.list().at() == at && model.subject() != chosen);
    }
}

#[test]
fn enter_shows_the_tree_of_what_is_at_the_cursor_and_esc_goes_back() {
    let mut model = tasks_of(&Dump::shop());
    type_text(&mut model, "j");
    press(&mut model, KeyCode::Enter);
    let shown = screen(&model);
    assert!(shown.contains("task 2 \"seller\"") && shown.contains("shop::sell at src/main.rs:35"), "{shown}");
    for back in [KeyCode::Enter, KeyCode::Esc, KeyCode::Char('q'), KeyCode::Backspace] {
        assert!(model.close_up.is_some());
        assert_eq!(press(&mut model, back), None);
        assert!(model.close_up.is_none());
        press(&mut model, KeyCode::Enter);
    }
    // It ends: what was known stays.
    let mut later = Dump::shop().after(2);
    later.tasks.retain(|task| task["id"] != 2);
    model.take(later.summary(None));
    let shown = screen(&model);
    assert!(shown.contains("it is over") && shown.contains("shop::sell at"), "{shown}");
    press(&mut model, KeyCode::Tab);
    assert!(model.close_up.is_none() && model.view == View::Tree);
}

#[test]
fn b_shows_who_blocks() {
    let mut model = view_of(&Dump::shop(), 100, 20);
    type_text(&mut model, "b");
    let shown = screen(&model);
    assert!(shown.contains("task 12 \"report\": being polled for 4.2 s on \"tokio-rt-worker\""), "{shown}");
    // Where, if that is known.
    let mut dump = Dump::shop();
    dump.task(12)["trace"] = json!(1);
    dump.task(12).as_object_mut().unwrap().remove("no_trace");
    let shown = screen(&view_of(&dump, 100, 20)).replace("\n ", "");
    assert!(shown.contains("(thread 4713), at shop::order › sleep::Sleep  src/main.rs:80"), "{shown}");
    // Of one that polls another, the other is meant; and there may be more threads.
    let polled = |id, parent: Option<u64>, thread: u64| {
        let more = json!({"no_trace": "not_polled", "thread": {"id": thread}, "parent": parent, "nested": parent.is_some()});
        task(id, "polling", if thread == 7 { 6.0 } else { 5.0 }, more)
    };
    let dump =
        Dump::new(vec![polled(1, None, 7), polled(2, Some(1), 7), polled(3, None, 8), polled(4, None, 9)]);
    let shown = screen(&view_of(&dump, 160, 20));
    assert!(
        shown.contains("BLOCKED: task 2 has")
            && shown.contains("thread 7, spawned at src/main.rs:12:9; 2 more threads are"),
        "{shown}"
    );
    // Nobody does.
    let mut model =
        view_of(&Dump::new(vec![task(1, "woken", 0.9, json!({"no_trace": "not_polled"}))]), 100, 20);
    type_text(&mut model, "b");
    assert!(model.close_up.is_none());
    let mut model =
        view_of(&Dump::new(vec![task(1, "woken", 1.0, json!({"no_trace": "not_polled"}))]), 100, 20);
    assert!(screen(&model).contains("NOT POLLED: 1 task was woken up to 1.0 s ago"), "{}", screen(&model));
    type_text(&mut model, "b");
    assert!(model.close_up.is_some());
}

#[test]
fn a_tree_scrolls_in_both_directions_and_no_further_than_it_goes() {
    let mut dump = Dump::shop();
    dump.traces[2] = (0..60).map(|level| (format!("async fn shop::level_{level}"), level)).collect();
    let mut model = view_of(&dump, 50, 12);
    press(&mut model, KeyCode::Down);
    press(&mut model, KeyCode::Enter);
    let scrolled = |model: &Model| model.close_up.as_ref().map(|it| (it.top, it.left)).unwrap();
    press(&mut model, KeyCode::Right);
    press(&mut model, KeyCode::Down);
    assert_eq!(scrolled(&model), (1, 8));
    for _ in 0..100 {
        press(&mut model, KeyCode::Char('l'));
        press(&mut model, KeyCode::PageDown);
    }
    let (top, left) = scrolled(&model);
    let shown = screen(&model);
    assert!(shown.contains("shop::level_59 at src/main.rs:59:5"), "{shown}");
    assert!(top < 70 && left < 200, "{top} {left}");
    press(&mut model, KeyCode::Home);
    for _ in 0..100 {
        press(&mut model, KeyCode::Char('h'));
    }
    assert_eq!(scrolled(&model), (0, 0));
    // A search goes to the line that has it.
    type_text(&mut model, "/level_30");
    assert!(screen(&model).contains("shop::level_30"), "{}", screen(&model));
    press(&mut model, KeyCode::Enter);
    let first = scrolled(&model);
    type_text(&mut model, "nN");
    assert_eq!(scrolled(&model), first);
}

#[test]
fn more_detail_shows_what_was_left_out() {
    let mut model = view_of(&Dump::shop(), 100, 20);
    press(&mut model, KeyCode::Enter);
    let mut shown = vec![screen(&model)];
    for _ in 0..3 {
        press(&mut model, KeyCode::Char('d'));
        shown.push(screen(&model));
    }
    assert!(shown[1].contains("with libraries") && shown[2].contains("everything"), "{}", shown[2]);
    assert_eq!(shown[0], shown[3]);
}

#[test]
fn a_search_narrows_while_it_is_typed() {
    let mut model = tasks_of(&Dump::shop());
    type_text(&mut model, "/SELL");
    assert!(listed(&model).is_empty());
    for _ in 0..4 {
        press(&mut model, KeyCode::Backspace);
    }
    assert_eq!(listed(&model).len(), 9);
    type_text(&mut model, "seller");
    assert_eq!(listed(&model), [2, 3, 4]);
    press(&mut model, KeyCode::Down);
    assert_eq!(model.subject(), Some(Subject::Task(3)));
    // Keys are keys again.
    press(&mut model, KeyCode::Enter);
    type_text(&mut model, "k");
    assert!(listed(&model) == [2, 3, 4] && model.subject() == Some(Subject::Task(2)));
    assert_eq!(press(&mut model, KeyCode::Esc), None);
    assert_eq!(listed(&model).len(), 9);
    // Where they wait, and ids: a number is no part of a name of a line.
    for (text, ids) in [("mutex", vec![2, 3, 4]), ("12", vec![12]), ("rt-worker", vec![12]), ("35", vec![])] {
        type_text(&mut model, &format!("/{text}"));
        assert_eq!(listed(&model), ids, "{text}");
        press(&mut model, KeyCode::Esc);
        assert!(!model.is_typing && listed(&model).len() == 9);
    }
}

#[test]
fn what_is_found_is_made_visible() {
    let mut model = tasks_of(&Dump::shop());
    type_text(&mut model, "/ell");
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 100, 20));
    crate::top::view::draw(&model, &mut buffer);
    let found: String = buffer
        .content()
        .iter()
        .filter(|cell| cell.bg == ratatui::style::Color::Yellow && cell.fg == ratatui::style::Color::Black)
        .filter(|cell| !cell.modifier.contains(ratatui::style::Modifier::BOLD))
        .map(ratatui::buffer::Cell::symbol)
        .collect();
    assert!(found.contains("ellell") && found.replace("ell", "").is_empty(), "{found}");
}

#[test]
fn in_the_tree_those_above_what_is_found_show_too() {
    let mut model = view_of(&Dump::shop(), 100, 20);
    type_text(&mut model, "3");
    assert_eq!(listed(&model), [1, 2, 3, 4, 12, 13, 5, 6, 9]);
    type_text(&mut model, "/6");
    assert_eq!(listed(&model), [5, 6]);
}

#[test]
fn children_are_hidden_and_shown() {
    let mut model = view_of(&Dump::shop(), 100, 20);
    type_text(&mut model, "3");
    press(&mut model, KeyCode::Left);
    assert_eq!(listed(&model), [1, 12, 13, 5, 6, 9]);
    assert!(screen(&model).contains("▸ 1 \"accept\""), "{}", screen(&model));
    press(&mut model, KeyCode::Left);
    assert_eq!(listed(&model), [1, 12, 13, 5, 6, 9]);
    model.take(Dump::shop().after(1).summary(None));
    assert_eq!(listed(&model), [1, 12, 13, 5, 6, 9]);
    press(&mut model, KeyCode::Right);
    assert_eq!(listed(&model).len(), 9);
    // From a child, to its parent.
    type_text(&mut model, "jjh");
    assert_eq!(model.subject(), Some(Subject::Task(1)));
}

#[test]
fn only_one_state_and_only_one_group() {
    let mut model = tasks_of(&Dump::shop());
    for (state, ids) in [
        (Some(State::Suspended), vec![1, 2, 3, 4, 5, 6]),
        (Some(State::Polling), vec![12]),
        (Some(State::Woken), vec![13]),
        (Some(State::NeverPolled), vec![9]),
        (None, vec![1, 2, 3, 12, 4, 13, 5, 6, 9]),
    ] {
        type_text(&mut model, "f");
        assert_eq!((model.only_state, listed(&model)), (state, ids));
    }
    type_text(&mut model, "ffF");
    assert_eq!(model.only_state, None);
    type_text(&mut model, "1jjt");
    assert_eq!((model.view, listed(&model)), (View::Tasks, vec![2, 3, 4]));
    assert!(screen(&model).contains("only of one group"));
    assert_eq!(press(&mut model, KeyCode::Esc), None);
    assert_eq!(listed(&model).len(), 9);
    // Those that wait as a task does.
    type_text(&mut model, "jjt");
    assert_eq!((listed(&model), model.subject()), (vec![2, 3, 4], Some(Subject::Task(3))));
    // In the list of groups, where that hides nothing, Esc quits.
    type_text(&mut model, "1");
    assert_eq!(press(&mut model, KeyCode::Esc), Some(Action::Quit));
}

#[test]
fn what_is_done_outside_is_asked_for() {
    let mut model = view_of(&Dump::shop(), 100, 20);
    let interval = |millis| Some(Action::Interval(Duration::from_millis(millis)));
    for (key, action) in [
        ('r', Some(Action::Ask)),
        ('p', Some(Action::Pause(true))),
        ('p', Some(Action::Pause(false))),
        ('+', interval(5_000)),
        ('-', interval(2_000)),
        ('-', interval(1_000)),
        ('-', interval(500)),
        ('-', interval(200)),
        ('-', None),
        ('q', Some(Action::Quit)),
        ('Q', None),
    ] {
        assert_eq!(press(&mut model, KeyCode::Char(key)), action, "{key}");
    }
    for _ in 0..20 {
        press(&mut model, KeyCode::Char('+'));
    }
    assert_eq!(model.interval, Some(Duration::from_secs(300)));
    assert_eq!(press(&mut model, KeyCode::Esc), Some(Action::Quit));
    assert_eq!(press_control(&mut model, 'z'), Some(Action::Suspend));
    assert_eq!(press_control(&mut model, 'l'), Some(Action::Redraw));
    // From everywhere.
    for keys in ["", "/abc", "?"] {
        type_text(&mut model, keys);
        assert_eq!(press_control(&mut model, 'c'), Some(Action::Quit));
        press(&mut model, KeyCode::Esc);
    }
    assert_eq!(model.key(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT)), None);
    let released = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
    assert_eq!(model.key(released), None);
}

#[test]
fn a_paused_view_says_so() {
    let mut model = view_of(&Dump::shop(), 100, 20);
    press(&mut model, KeyCode::Char('p'));
    assert!(screen(&model).contains("PAUSED"));
}

#[test]
fn the_help_closes_with_any_key() {
    let mut model = view_of(&Dump::shop(), 80, 10);
    type_text(&mut model, "?jjk");
    assert_eq!(model.help, Some(1));
    press(&mut model, KeyCode::End);
    let shown = screen(&model);
    assert!(shown.contains("^C ^Z"), "{shown}");
    assert_eq!(press(&mut model, KeyCode::Char('q')), None);
    assert!(model.help.is_none());
}

#[test]
fn keys_before_the_first_picture_do_no_harm() {
    let mut model = Model::new(None, true);
    model.resize(80, 24);
    for key in "jkgG123tfFsSodhl?q/abcn".chars() {
        press(&mut model, KeyCode::Char(key));
    }
    press(&mut model, KeyCode::Enter);
    press(&mut model, KeyCode::Enter);
    assert!(model.close_up.is_none());
    // A file does not change: there is no interval.
    assert_eq!(press(&mut model, KeyCode::Char('+')), None);
}
