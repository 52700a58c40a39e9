//! What is said above the list.

use bw_dump::rfc3339;
use bw_render::{Count, Elapsed};

use super::model::Model;
use super::picture::{Picture, Stuck};
use super::state::State;
use super::styled::{pieces, without_colours};

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loudness {
    Plain,
    /// What is shown is not all.
    Warning,
    /// Something is wrong.
    Alarm,
}

/// A line above the list: what stands at its left, with colours, and what at its right if there is room.
#[derive(Clone, Debug)]
pub(super) struct HeaderLine {
    pub(super) left: String,
    pub(super) right: String,
    pub(super) loudness: Loudness,
}

impl HeaderLine {
    fn new(loudness: Loudness, left: String) -> Self {
        Self { left, right: String::new(), loudness }
    }
}

/// The lines above the list. The first names the process, those that are loud come after it, and then the others.
pub(super) fn lines(model: &Model) -> Vec<HeaderLine> {
    let mut lines = vec![process(model)];
    if let Some(error) = &model.error {
        let mut text = format!("NO ANSWER: {error}");
        if model.picture.is_some() {
            let age = Elapsed(model.now.saturating_sub(model.picture_at));
            text += &format!("; below is what was there {age} ago");
        }
        lines.push(HeaderLine::new(Loudness::Alarm, text));
    }
    let Some(picture) = &model.picture else { return lines };
    if let Some(Stuck { text, tasks }) = &picture.stuck {
        let key = if tasks.len() == 1 { "b shows it" } else { "b shows it, b again the next" };
        lines.push(HeaderLine::new(Loudness::Alarm, format!("{text} ({key})")));
    }
    // What the text prints in a colour is loud.
    let (quiet, loud): (Vec<_>, Vec<_>) =
        picture.warnings.iter().partition(|line| pieces(line).all(|(_, style)| style == Default::default()));
    for warning in loud {
        lines.push(HeaderLine::new(Loudness::Warning, without_colours(warning)));
    }
    lines.push(states(model, picture));
    for warning in quiet {
        lines.push(HeaderLine::new(Loudness::Plain, warning.clone()));
    }
    if let Some(problem) = picture.problems.first() {
        let others = match picture.problems.len() {
            1 => String::new(),
            more => format!(" (and {} more like this)", Count(more - 1)),
        };
        lines.push(HeaderLine::new(
            Loudness::Plain,
            format!("\u{1b}[33mnames are missing: {problem}{others}\u{1b}[0m"),
        ));
    }
    lines
}

fn process(model: &Model) -> HeaderLine {
    let mut left = match &model.picture {
        Some(picture) => format!("\u{1b}[1m{}\u{1b}[0m  pid {}", picture.program, picture.pid),
        None => "\u{1b}[1mbacktrace-waker top\u{1b}[0m".to_owned(),
    };
    if let Some(uptime) = model.picture.as_ref().and_then(|picture| picture.uptime) {
        left += &format!("  up {}", Elapsed(uptime));
    }
    let mut right = match (model.is_paused, model.interval) {
        (true, _) => "\u{1b}[33mPAUSED\u{1b}[0m: p goes on".to_owned(),
        (false, Some(interval)) => format!("every {}", Elapsed(interval)),
        (false, None) => "r asks again".to_owned(),
    };
    /// Said when it takes long, so that lines do not flicker.
    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);
    let asking = model.asking.map(|since| model.now.saturating_sub(since));
    if let Some(time) = asking.filter(|time| *time >= PATIENCE) {
        right = format!("asking for {}; {right}", Elapsed(time));
    }
    HeaderLine { left, right, loudness: Loudness::Plain }
}

/// As the rows have it: see `ink::of_state`.
fn colour(state: State) -> u8 {
    match state {
        State::Polling => 32,
        State::Woken => 33,
        State::NeverPolled => 34,
        State::Dropped => 35,
        State::Panicked => 31,
        State::Suspended | State::Finished | State::Other => 0,
    }
}

fn states(model: &Model, picture: &Picture) -> HeaderLine {
    let count = picture.tasks.len();
    let mut left = format!("{} {}", Count(count), if count == 1 { "task" } else { "tasks" });
    let mut separator = ": ";
    for (state, &count) in State::ALL.into_iter().zip(&picture.states) {
        if count > 0 {
            let colour = colour(state);
            left += &format!("{separator}\u{1b}[{colour}m{} {}\u{1b}[0m", Count(count), state.words());
            separator = ", ";
        }
    }
    let time = rfc3339::seconds(picture.taken_at);
    // A file may be of any day.
    let is_today = model.interval.is_some();
    let time = time.split_once('T').filter(|_| is_today).map_or(&*time, |(_, time)| time);
    let ago = match model.now.saturating_sub(model.picture_at) {
        age if is_today && age.as_secs() >= 10 => format!(", {} ago", Elapsed(age)),
        _ => String::new(),
    };
    let (took, here) = (picture.took.as_millis(), picture.asked_for.as_millis());
    let right = format!("taken {time}{ago}, in {took} ms; shown after {here} ms");
    HeaderLine { left, right, loudness: Loudness::Plain }
}
