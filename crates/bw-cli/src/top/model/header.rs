//! What is said above the list.

use bw_dump::rfc3339;
use bw_render::{Count, Elapsed};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::Model;
use super::dump_summary::DumpSummary;
use super::stuck::Stuck;
use super::styled_line::{BOLD, plain};
use super::task_state::State;

const YELLOW: Style = Style::new().fg(Color::Yellow);

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loudness {
    Plain,
    /// What is shown is not all.
    Warning,
    /// Something is wrong.
    Alarm,
}

/// A line above the list: what stands at its left, with colours, and what at its right if there is room.
#[derive(Clone, Debug)]
pub(crate) struct HeaderLine {
    pub(crate) left: Line<'static>,
    pub(crate) right: Line<'static>,
    pub(crate) loudness: Loudness,
}

impl HeaderLine {
    fn new(loudness: Loudness, left: impl Into<Line<'static>>) -> Self {
        Self { left: left.into(), right: Line::default(), loudness }
    }
}

/// The lines above the list. The first names the process, those that are loud come after it, and then the others.
pub(crate) fn lines(model: &Model) -> Vec<HeaderLine> {
    let mut lines = vec![process(model)];
    if let Some(error) = &model.error {
        let mut text = format!("NO ANSWER: {error}");
        if model.summary.is_some() {
            let age = Elapsed(model.now.saturating_sub(model.summary_at));
            text += &format!("; below is what was there {age} ago");
        }
        lines.push(HeaderLine::new(Loudness::Alarm, text));
    }
    let Some(summary) = &model.summary else { return lines };
    if let Some(Stuck { text, tasks }) = &summary.stuck {
        let key = if tasks.len() == 1 { "b shows it" } else { "b shows it, b again the next" };
        lines.push(HeaderLine::new(Loudness::Alarm, format!("{text} ({key})")));
    }
    for warning in summary.warnings.iter().filter(|warning| warning.is_loud) {
        lines.push(HeaderLine::new(Loudness::Warning, plain(&warning.line)));
    }
    lines.push(states(model, summary));
    for warning in summary.warnings.iter().filter(|warning| !warning.is_loud) {
        lines.push(HeaderLine::new(Loudness::Plain, warning.line.clone()));
    }
    if let Some(problem) = summary.problems.first() {
        let others = match summary.problems.len() {
            1 => String::new(),
            more => format!(" (and {} more like this)", Count(more - 1)),
        };
        let text = format!("names are missing: {problem}{others}");
        lines.push(HeaderLine::new(Loudness::Plain, Span::styled(text, YELLOW)));
    }
    lines
}

fn process(model: &Model) -> HeaderLine {
    let mut left = match &model.summary {
        Some(summary) => {
            let program = Span::styled(summary.program.clone(), BOLD);
            Line::from(vec![program, format!("  pid {}", summary.pid).into()])
        }
        None => Span::styled("backtrace-waker top", BOLD).into(),
    };
    if let Some(uptime) = model.summary.as_ref().and_then(|summary| summary.uptime) {
        left.push_span(format!("  up {}", Elapsed(uptime)));
    }
    let mut right = match (model.is_paused, model.interval) {
        (true, _) => Line::from(vec![Span::styled("PAUSED", YELLOW), ": p goes on".into()]),
        (false, Some(interval)) => format!("every {}", Elapsed(interval)).into(),
        (false, None) => "r asks again".into(),
    };
    /// Said when it takes long, so that lines do not flicker.
    const DELAY: std::time::Duration = std::time::Duration::from_millis(500);
    let asking = model.asking.map(|since| model.now.saturating_sub(since));
    if let Some(time) = asking.filter(|time| *time >= DELAY) {
        right.spans.insert(0, format!("asking for {}; ", Elapsed(time)).into());
    }
    HeaderLine { left, right, loudness: Loudness::Plain }
}

fn states(model: &Model, summary: &DumpSummary) -> HeaderLine {
    let count = summary.tasks.len();
    let mut left = Line::from(format!("{} {}", Count(count), if count == 1 { "task" } else { "tasks" }));
    let mut separator = ": ";
    for (state, &count) in State::ALL.into_iter().zip(&summary.states) {
        if count > 0 {
            let colour = Style { add_modifier: Modifier::empty(), ..state.style() };
            left.push_span(separator);
            left.push_span(Span::styled(format!("{} {}", Count(count), state.words()), colour));
            separator = ", ";
        }
    }
    let time = rfc3339::seconds(summary.taken_at);
    // A file may be of any day.
    let is_today = model.interval.is_some();
    let time = time.split_once('T').filter(|_| is_today).map_or(&*time, |(_, time)| time);
    let ago = match model.now.saturating_sub(model.summary_at) {
        age if is_today && age.as_secs() >= 10 => format!(", {} ago", Elapsed(age)),
        _ => String::new(),
    };
    let (took, here) = (summary.took.as_millis(), summary.asked_for.as_millis());
    let right = format!("taken {time}{ago}, in {took} ms; shown after {here} ms");
    HeaderLine { left, right: right.into(), loudness: Loudness::Plain }
}
