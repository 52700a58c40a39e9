//! What the screen shows.

use crossterm::event::KeyCode;
use insta::assert_snapshot;
use serde_json::json;

use super::dumps::{Dump, task};
use super::{press, screen, type_text, view_of};
use crate::top::model::Model;

use std::time::Duration;

#[test]
fn groups() {
    assert_snapshot!(screen(&view_of(&Dump::shop(), 120, 36)));
}

#[test]
fn tasks() {
    let mut model = view_of(&Dump::shop(), 120, 30);
    press(&mut model, KeyCode::Tab);
    assert_snapshot!(screen(&model));
}

#[test]
fn tree() {
    let mut model = view_of(&Dump::shop(), 80, 24);
    type_text(&mut model, "3");
    press(&mut model, KeyCode::Down);
    assert_snapshot!(screen(&model));
}

#[test]
fn a_group_close_up() {
    let mut model = view_of(&Dump::shop(), 80, 20);
    type_text(&mut model, "jj");
    press(&mut model, KeyCode::Enter);
    assert_snapshot!(screen(&model));
}

#[test]
fn a_task_close_up() {
    let mut model = view_of(&Dump::shop(), 80, 20);
    type_text(&mut model, "3");
    press(&mut model, KeyCode::Enter);
    assert_snapshot!(screen(&model));
}

#[test]
fn help() {
    let mut model = view_of(&Dump::shop(), 100, 30);
    press(&mut model, KeyCode::Char('?'));
    assert_snapshot!(screen(&model));
}

#[test]
fn small_screens() {
    for (width, height) in [(60, 12), (40, 8), (20, 5), (10, 3), (4, 2), (1, 1)] {
        let mut model = view_of(&Dump::shop(), width, height);
        assert_snapshot!(format!("groups {width}x{height}"), screen(&model));
        type_text(&mut model, "2");
        assert_snapshot!(format!("tasks {width}x{height}"), screen(&model));
    }
}

#[test]
fn nothing_yet() {
    let mut model = Model::new(Some(Duration::from_secs(2)), true);
    model.resize(60, 6);
    model.asking = Some(Duration::ZERO);
    model.now = Duration::from_millis(1_500);
    assert_snapshot!(screen(&model));
}

#[test]
fn no_task_is_traced() {
    let mut dump = Dump::new(Vec::new());
    dump.alive = Some(40);
    assert_snapshot!(screen(&view_of(&dump, 80, 8)));
}

#[test]
fn an_error_keeps_the_last_picture() {
    let mut model = view_of(&Dump::shop(), 80, 12);
    model.now = Duration::from_secs(75);
    model.fail(&"process 4711 does not answer: Connection refused \u{1b}[31m; is it running? `backtrace-waker ps` shows those that can be asked");
    let shown = screen(&model);
    assert!(shown.contains("seller") && !shown.contains('\u{1b}'), "{shown}");
    assert_snapshot!(shown);
    model.take(Dump::shop().summary(None));
    assert!(!screen(&model).contains("NO ANSWER"));
}

#[test]
fn what_others_named_does_not_get_out_of_its_place() {
    let names = [
        "\u{1b}[31mred\u{1b}]0;title\u{7}",
        "a\nb\tc",
        "\u{202e}right",
        "日本語のとても長い名前です",
        "e\u{301}e\u{301}",
        "\u{300}\u{300}",
        "👩‍👩‍👧",
        &"x".repeat(10_000),
    ];
    let mut tasks: Vec<_> = names
        .iter()
        .zip(1..)
        .map(|(name, id)| task(id, "suspended", 1.0, json!({"name": name, "trace": id % 3})))
        .collect();
    tasks.push(task(
        99,
        "polling",
        5.0,
        json!({"name": names[0], "no_trace": "not_polled", "thread": {"name": names[0]}}),
    ));
    let mut dump = Dump::new(tasks);
    dump.traces[0][0].0 = format!("async fn {}::{}", names[0], names[3]);
    for (width, height) in [(90, 30), (33, 10), (12, 6)] {
        let mut model = view_of(&dump, width, height);
        for key in ['1', '2', '3', '\n', 'd', 'd'] {
            press(&mut model, if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) });
            let shown = screen(&model);
            assert_eq!(shown.lines().count(), usize::from(height));
            assert!(!shown.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{shown:?}");
        }
    }
    let mut model = view_of(&dump, 90, 16);
    type_text(&mut model, "2s");
    assert_snapshot!(screen(&model));
}

#[test]
fn without_colours_all_is_said_all_the_same() {
    let colours = |model: &Model| {
        let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 120, 36));
        crate::top::view::draw(model, &mut buffer);
        let plain = ratatui::style::Color::Reset;
        buffer.content().iter().filter(|cell| cell.fg != plain || cell.bg != plain).count()
    };
    let mut model = view_of(&Dump::shop(), 120, 36);
    let with = screen(&model);
    assert!(colours(&model) > 50);
    model.has_colours = false;
    type_text(&mut model, "/sell");
    assert_eq!(colours(&model), 0);
    press(&mut model, KeyCode::Esc);
    assert_eq!((colours(&model), screen(&model)), (0, with));
}

#[test]
fn a_close_up_says_what_the_dumps_own_poll_did() {
    let close_up = |task: serde_json::Value| {
        let mut model = view_of(&Dump::new(vec![task]), 110, 12);
        type_text(&mut model, "3");
        press(&mut model, KeyCode::Enter);
        screen(&model)
    };
    let cured = close_up(task(7, "suspended", 3.7, json!({"trace": 0, "since_request_ns": 0})));
    assert!(cured.contains("task 7: suspended for 3.7 s until this dump polled it"), "{cured}");
    let more = json!({"no_trace": "over", "since_request_ns": 0});
    let finished = close_up(task(7, "finished", 3.7, more));
    assert!(
        finished.contains("task 7: finished when this dump polled it, 3.7 s after its last poll"),
        "{finished}"
    );
    assert!(finished.contains("(woken at that moment, or its wake had been lost)"), "{finished}");
}
