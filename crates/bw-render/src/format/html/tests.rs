//! What the page promises before a browser sees it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bw_core::{NoTrace, RawTaskDump, SpawnedAt, TaskId, TaskRecord, TaskState, TaskStatus};
use sha2::{Digest as _, Sha256};
use std::time::{Duration, SystemTime};

use super::*;

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// What stands between two texts, of which the first is there once.
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    assert_eq!(page.matches(before).count(), 1, "{before}");
    page.split_once(before).and_then(|(_, rest)| rest.split_once(after)).map(|(inside, _)| inside).unwrap()
}

/// One task of that name, spawned in that file.
fn dump(name: &str, file: &str) -> RawTaskDump {
    let status = TaskStatus::new(TaskState::NeverPolled);
    let task = TaskRecord::new(TaskId::from_u64(1).unwrap(), SpawnedAt::new(file, 1, 1), status)
        .with_trace(Err(NoTrace::NeverPolled))
        .with_name(name);
    RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, vec![task], Vec::new())
}

#[test]
fn the_policy_has_the_hashes_of_what_is_sent() {
    let dump = dump("a", "b");
    for page in [TaskTrees::new(&dump, &[]).to_html(), live_page().to_owned()] {
        let script = hash(between(&page, "<script type=\"module\">", "</script>"));
        let style = hash(between(&page, "<style>", "</style>"));
        for policy in [CSP, META] {
            assert!(
                policy.contains(&format!("script-src {script};")),
                "in the macro `policy`, write script-src {script}"
            );
            assert!(
                policy.contains(&format!("style-src {style};")),
                "in the macro `policy`, write style-src {style}"
            );
        }
    }
}

#[test]
fn a_file_has_the_policy_in_it_and_a_live_page_is_sent_with_it() {
    let dump = dump("a", "b");
    let page = TaskTrees::new(&dump, &[]).to_html();
    let policy = between(&page, "<meta http-equiv=\"Content-Security-Policy\" content=\"", "\">");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("connect-src"), "{policy}");
    assert!(!live_page().contains("<meta http-equiv"));
    assert!(CSP.contains("connect-src 'self'") && CSP.contains("frame-ancestors 'none'"));
    assert!(!CSP.contains("unsafe") && !CSP.contains('*'));
}

#[test]
fn each_part_has_its_place() {
    let mut rest = PAGE;
    for mark in [POLICY_MARK, STYLE_MARK, SCRIPT_MARK, DUMP_MARK] {
        assert_eq!(PAGE.matches(mark).count(), 1, "{mark}");
        rest = rest.split_once(mark).unwrap().1;
    }
}

#[test]
fn nothing_of_the_page_ends_or_begins_a_script_by_accident() {
    for (text, ends) in [(SCRIPT, "</script"), (STYLE, "</style")] {
        for end in [ends, "<!--", "<script", "\r"] {
            assert!(!text.to_ascii_lowercase().contains(end), "{end:?}");
        }
    }
}

#[test]
fn no_text_is_ever_taken_for_html_or_for_code() {
    for word in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "setHTML",
        "createContextualFragment",
        "eval(",
        "Function(",
        "import(",
        "srcdoc",
    ] {
        assert!(!SCRIPT.contains(word), "{word}");
    }
}

#[test]
fn no_name_ends_the_dump() {
    let hostile = "</script><script>alert(1)</script><!--&lt;\u{2028}\u{2029}\u{202e}\u{0}\"\\";
    let dump = dump(hostile, hostile);
    let page = Html::new().subject(hostile).render(TaskTrees::new(&dump, &[]));
    let json = between(&page, "<script type=\"application/json\" id=\"dump\">", "</script>");
    assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\u{202e}', '\0']), "{json}");
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["subject"], hostile);
    let strings = value["strings"].as_array().unwrap();
    assert!(strings.iter().any(|text| text == hostile), "{json}");
}

#[test]
fn a_live_page_has_no_dump() {
    assert_eq!(between(live_page(), "<script type=\"application/json\" id=\"dump\">", "</script>"), "null");
}

#[test]
fn the_page_says_why_there_is_no_trace_as_the_text_does() {
    use NoTrace::{
        Aborted, AsksItself, Incomplete, Moved, NeverPolled, NoTimer, NotAsked, NotPolled, Over, Queued,
        Retained, Running,
    };
    for reason in [
        NeverPolled,
        NotPolled,
        NotAsked,
        Over,
        AsksItself,
        NoTimer,
        Running,
        Queued,
        Aborted,
        Retained,
        Moved,
        Incomplete,
    ] {
        let line = format!("  {}: '{reason}',", reason.name());
        assert!(SCRIPT.lines().any(|known| known == line), "in html/text.js, write {line}");
    }
}
