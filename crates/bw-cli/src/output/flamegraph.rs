//! Flame graphs: folded stacks as a picture that can be searched and zoomed.

use std::io::{self, Write};
use std::path::Path;

use bw_dump::rfc3339;
use bw_dump::{MergedDump, RawDumpFile};
use bw_render::{Count, Escaped};
use inferno::flamegraph::{self, Options};

/// What stands above the flame graph of a dump.
pub(crate) fn title(file: &RawDumpFile<'_>) -> String {
    let process = file.process();
    let program = process.executable.as_deref().and_then(Path::file_name);
    let program = program.map_or_else(|| "?".into(), |name| name.to_string_lossy());
    let tasks = file.dump().tasks().len();
    let (pid, at) = (process.pid, rfc3339::seconds(file.dump().taken_at()));
    format!("Where {} wait: {program} (process {pid}), {at}", tasks_of(tasks))
}

/// What stands above the flame graph of several dumps.
pub(crate) fn title_of_many(dump: &MergedDump) -> String {
    let mut title = format!("Where {} wait: {}", tasks_of(dump.tasks()), plural(dump.dumps(), "dump"));
    if let Some((first, last)) = dump.taken() {
        let (first, last) = (rfc3339::seconds(first), rfc3339::seconds(last));
        title += &format!(", {first}");
        if first != last {
            title += &format!(" to {last}");
        }
    }
    title
}

fn tasks_of(tasks: usize) -> String {
    plural(tasks, "async task")
}

fn plural(count: usize, what: &str) -> String {
    format!("{} {what}{}", Count(count), if count == 1 { "" } else { "s" })
}

/// Draws folded stacks as SVG, with a script that searches and zooms. The same stacks are the same picture.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn draw(folded: &str, title: &str, out: &mut dyn Write) -> io::Result<()> {
    let title = Escaped(title).to_string();
    if folded.is_empty() {
        return nothing(&title, out);
    }
    let mut options = Options::default();
    options.title = title;
    options.count_name = "tasks".into();
    options.deterministic = true;
    // Callers above: read from above to below, as trees are printed.
    options.direction = flamegraph::Direction::Inverted;
    flamegraph::from_lines(&mut options, folded.lines(), out)
}

/// A picture of no tasks, which is not the picture of an error: its title says that there are none.
fn nothing(title: &str, out: &mut dyn Write) -> io::Result<()> {
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\" height=\"60\">\
         <text x=\"20\" y=\"35\" font-family=\"monospace\" font-size=\"17\">{title}</text></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(folded: &str) -> String {
        let mut out = Vec::new();
        draw(folded, "a <title>\u{1b} & more", &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_frame_has_its_tasks() {
        let svg = drawn(
            "async fn app::run;async fn app::read 3\nasync fn app::run;async fn app::write 1\n(no trace);never_polled 4",
        );
        for frame in [
            "async fn app::run (4 tasks, 50.00%)",
            "async fn app::read (3 tasks, 37.50%)",
            "async fn app::write (1 tasks, 12.50%)",
            "never_polled (4 tasks, 50.00%)",
        ] {
            assert!(svg.contains(&format!("<title>{frame}</title>")), "{frame} in {svg}");
        }
        assert!(svg.contains("a &lt;title&gt;\\u{1b} &amp; more"), "{svg}");
    }

    #[test]
    fn names_are_text_and_nothing_else() {
        let hostile = "</title><script>alert(1)</script>;\"' onload=alert(1);<![CDATA[;&amp;";
        let svg = drawn(&format!("{hostile} 1"));
        assert_eq!(svg.matches("<script").count(), 1, "inferno's own");
        for part in ["<script>alert", "alert(1)</script>", "<![CDATA[;"] {
            assert!(!svg.contains(part), "{part}");
        }
        assert!(
            svg.contains("&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt; (1 tasks, 100.00%)"),
            "{svg}"
        );
    }

    #[test]
    fn the_same_stacks_are_the_same_picture() {
        let folded = "a;b 1\na;c 2\nd 7";
        assert_eq!(drawn(folded), drawn(folded));
    }

    #[test]
    fn of_no_tasks_there_is_a_picture_that_says_so() {
        assert!(drawn("").contains(">a &lt;title&gt;\\u{1b} &amp; more</text></svg>"), "{}", drawn(""));
    }
}
