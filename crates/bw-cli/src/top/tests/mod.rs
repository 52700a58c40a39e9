//! The view on hand-built dumps: what it shows, and what keys do.

mod dumps;
mod key_presses;
mod properties;
mod screens;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::model::{Action, Model};
use super::view;
use dumps::Dump;

use std::time::Duration;

/// The view of a dump, on a screen of that size.
fn view_of(dump: &Dump, width: u16, height: u16) -> Model {
    let mut model = Model::new(Some(Duration::from_secs(2)), true);
    model.resize(width, height);
    model.take(dump.summary(None));
    model
}

/// What the screen shows, without colours.
fn screen(model: &Model) -> String {
    let (width, height) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(model, frame.buffer_mut())).unwrap();
    let buffer = terminal.backend().buffer();
    let mut lines = Vec::new();
    for y in 0..height {
        let (mut line, mut x) = (String::new(), 0);
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(super::model::styled_line::width(symbol)).unwrap().max(1);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

fn press(model: &mut Model, code: KeyCode) -> Option<Action> {
    model.key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn press_control(model: &mut Model, c: char) -> Option<Action> {
    model.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))
}

/// Types text, each character a key.
fn type_text(model: &mut Model, text: &str) {
    for c in text.chars() {
        assert_eq!(press(model, KeyCode::Char(c)), None, "{c}");
    }
}
