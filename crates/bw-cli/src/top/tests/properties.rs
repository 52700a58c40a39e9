//! What holds for all keys and sizes.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::json;

use super::dumps::{Dump, task};
use super::view_of;
use crate::top::view;

/// What happens to a view.
#[derive(Clone, Debug)]
enum Step {
    Key(KeyCode, bool),
    Resize(u16, u16),
    DumpSummary(usize),
    Error,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use KeyCode::{BackTab, Backspace, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Tab, Up};
    let named = [BackTab, Backspace, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Tab, Up];
    let letters = "123tfFsSodhljkgGnNr+-p/?q é日".chars().map(KeyCode::Char);
    let keys: Vec<KeyCode> = named.into_iter().chain(letters).collect();
    let step = prop_oneof![
        20 => (prop::sample::select(keys), prop::bool::weighted(0.1)).prop_map(|(key, control)| Step::Key(key, control)),
        3 => (0_u16..150, 0_u16..50).prop_map(|(width, height)| Step::Resize(width, height)),
        2 => (0_usize..4).prop_map(Step::DumpSummary),
        1 => Just(Step::Error),
    ];
    prop::collection::vec(step, 1..60)
}

/// Dumps that have nothing to do with each other, and names that nobody would give.
fn dumps() -> [Dump; 4] {
    let mut odd = Dump::new(vec![
        task(1, "suspended", 1.0, json!({"trace": 0, "parent": 2, "name": "日本\u{1b}[2J"})),
        task(2, "suspended", 1.0, json!({"trace": 1, "parent": 1, "name": "e\u{301}".repeat(300)})),
        task(3, "panicked", 0.0, json!({"no_trace": "over", "parent": 3, "name": ""})),
        task(4, "finished", 1e9, json!({"no_trace": "over", "polls": u64::MAX})),
    ]);
    odd.traces[0] = (0..200).map(|level| (format!("f{level} at (x) at"), level)).collect();
    [Dump::shop(), odd, Dump::new(Vec::new()), Dump::many(60)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_keys_on_no_screen_panic_and_the_cursor_is_always_on_the_screen(steps in steps()) {
        let dumps = dumps();
        let mut model = view_of(&dumps[0], 80, 24);
        for step in steps {
            match step {
                Step::Key(code, control) => {
                    let modifiers = if control { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
                    let _ = model.key(KeyEvent::new(code, modifiers));
                }
                Step::Resize(width, height) => model.resize(width, height),
                Step::DumpSummary(at) => {
                    let before = model.summary.as_ref().map(crate::top::model::dump_summary::DumpSummary::before);
                    model.take(dumps[at].summary(before.as_ref()));
                }
                Step::Error => model.fail(&"it is gone"),
            }
            let (width, height) = model.size;
            let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
            view::draw(&model, &mut buffer);
            // A screen of another size than the last that was heard of.
            view::draw(&model, &mut Buffer::empty(Rect::new(0, 0, height, width / 2)));
            let list = model.list();
            let rows = usize::from(crate::top::model::layout::Layout::new(&model).rows.height).max(1);
            if model.close_up.is_none() && model.help.is_none() && !list.rows().is_empty() {
                prop_assert!((list.offset()..list.offset() + rows).contains(&list.at()), "{list:?} {rows}");
            }
        }
    }
}
