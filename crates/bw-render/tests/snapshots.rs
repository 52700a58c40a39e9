//! Trees from hand-built data, as text.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use bw_render::{Brief, Detail, Glyphs, Palette, Paths, SpanStyle, Text, Tree};
use bw_symbolize::SymbolizedTrace;
use insta::assert_snapshot;

mod hand_built;

use hand_built::*;

/// Two branches, one of which waits in a library.
fn two() -> Tree {
    let lock = tokio(30, "tokio::sync::mutex::Mutex<T>::lock", "sync/mutex.rs");
    let acquire = tokio(31, "tokio::sync::batch_semaphore::Acquire::poll", "sync/batch_semaphore.rs");
    let branch = |address| {
        physical(
            address,
            &[(
                "closure in async fn app::run",
                "app::run::{{closure}}::{{closure}}",
                &format!("{TOKIO}/macros/join.rs"),
                9,
            )],
        )
    };
    tree(vec![
        waits(&[user(10, "run", 20), branch(12), user(22, "second", 40)], 50),
        waits(&[user(10, "run", 20), branch(11), user(21, "first", 30), lock, acquire], 51),
    ])
}

#[test]
fn branches_come_in_the_order_of_the_code_and_not_of_the_capture() {
    assert_snapshot!(two());
}

#[test]
fn ascii() {
    assert_snapshot!(Text::new().glyphs(Glyphs::Ascii).render(&two()));
}

#[test]
fn with_libraries() {
    assert_snapshot!(
        Text::new()
            .detail(Detail::Library)
            .paths(Paths::default().relative_to("/home/me/app"))
            .render(&two())
    );
}

#[test]
fn everything() {
    assert_snapshot!(format!("{:#}", two()));
}

#[test]
fn colours() {
    let text = Text::new().palette(Palette::colored()).footer(false).render(&two()).to_string();
    assert_snapshot!(text.lines().next().unwrap().replace('\x1b', "ESC"));
}

#[test]
fn twins_are_counted_and_never_collapse() {
    let twin = |address| waits(&[user(10, "run", 20), user(address, "fetch", 30)], 50);
    assert_snapshot!(tree(vec![twin(21), twin(22), twin(23)]));
}

#[test]
fn the_same_stack_three_times_is_three_waits() {
    let same = || waits(&[user(10, "run", 20), user(21, "fetch", 30)], 50);
    assert_snapshot!(tree(vec![same(), same(), same()]));
}

#[test]
fn a_leaf_that_clones_at_two_places_is_one_wait() {
    let at = |clone_at| waits(&[user(10, "run", 20), user(21, "fetch", 30)], clone_at);
    assert_snapshot!(tree(vec![at(50), at(51)]));
}

#[test]
fn twins_that_wait_for_different_things_stay_apart() {
    let twin = |address, name, line| {
        waits(&[user(10, "run", 20), user(address, "fetch", 30), user(address + 10, name, line)], 50)
    };
    assert_snapshot!(tree(vec![twin(21, "left", 40), twin(22, "right", 50)]));
}

#[test]
fn functions_inlined_into_the_root_stay_and_the_wrapper_goes() {
    let poll = "<bw_core::task::TracedTask<F> as core::future::future::Future>::poll";
    let inlined = |address, line| {
        physical(
            address,
            &[
                ("async fn app::inner", "app::inner::{{closure}}", MAIN, line),
                ("async fn app::outer", "app::outer::{{closure}}", MAIN, 10),
                (poll, poll, MAIN, 1),
            ],
        )
    };
    let at = |address, line| stack([inlined(address, line)].into_iter().chain(clone(50)).collect());
    assert_snapshot!(tree(vec![at(5, 20), at(6, 21)]));
}

#[test]
fn a_timeout_shows_what_it_is_around() {
    let timeout = "<tokio::time::timeout::Timeout<T> as core::future::future::Future>::poll";
    let notified = "<tokio::sync::notify::Notified as core::future::future::Future>::poll";
    let stacks = vec![waits(
        &[user(10, "run", 20), tokio(30, timeout, "time/timeout.rs"), tokio(31, notified, "sync/notify.rs")],
        50,
    )];
    assert_snapshot!(tree(stacks));
}

#[test]
fn a_path_without_the_program_shows_its_first_and_last_library_function() {
    let library = |address, name: &str| tokio(address, &format!("hyper::{name}"), "x.rs");
    let stacks = vec![waits(&[library(10, "poll_loop"), library(11, "poll_read"), library(12, "fill")], 50)];
    assert_snapshot!(tree(stacks));
}

#[test]
fn a_stripped_program_prints_offsets_inside_the_calls_and_what_to_do() {
    let nameless = |address| physical(address, &[]);
    // The last is the hook's, whatever it is called.
    assert_snapshot!(tree(vec![stack(vec![nameless(0x10), nameless(0x20), nameless(0x30)])]));
}

#[test]
fn marks_say_what_is_special() {
    let mut cut = waits(&[user(10, "deep", 20)], 50);
    cut.flags.truncated = true;
    let mut elsewhere = waits(&[user(11, "on_a_thread", 21)], 50);
    elsewhere.flags.foreign = true;
    let mut yields = waits(&[user(12, "spins", 22)], 50);
    yields.flags.is_yield = true;
    assert_snapshot!(tree(vec![cut, elsewhere, yields]));
}

#[test]
fn nothing_recorded_says_why() {
    assert_snapshot!(tree(vec![]));
}

#[test]
fn dropped_stacks_are_told() {
    let trace = SymbolizedTrace::new(vec![waits(&[user(10, "wide", 20)], 50)], 3);
    assert_snapshot!(Tree::new(&trace));
    assert_snapshot!(Tree::new(&SymbolizedTrace::new(vec![], 1)));
}

#[test]
fn hostile_names_print_as_what_they_are() {
    let hostile = physical(10, &[("app::\x1b[31mred\n", "app::x", "/home/me/\u{202e}evil.rs", 1)]);
    assert_snapshot!(tree(vec![waits(&[hostile], 50)]));
}

#[test]
fn a_hundred_thousand_frames_are_printed_in_linear_space() {
    // Two functions in turn: no recursion that is folded.
    let name = |n: usize| if n.is_multiple_of(2) { "again" } else { "and_again" };
    let frames = (0..100_000).map(|n| user(1_000 + n, name(n), 20)).collect();
    let text = tree(vec![stack(frames)]).to_string();
    assert!(text.len() < 100_000 * 500, "{}", text.len());
    assert_eq!(text.lines().count(), 100_000);
    let mut last = String::new();
    write!(last, "{}", text.lines().last().unwrap()).unwrap();
    assert!(last.contains("level 99999"), "{last}");
}

#[test]
fn a_tail_of_five_hundred_equal_frames_is_folded_and_keeps_both_ends() {
    let levels = (0..500).map(|n| user(1_000 + n, "level", 20));
    let frames = [user(10, "run", 5)].into_iter().chain(levels).chain([user(11, "leaf", 40)]);
    let tree = tree(vec![waits(&frames.collect::<Vec<_>>(), 50)]);
    let text = Text::new().footer(false).render(&tree).to_string();
    let lines: Vec<_> = text.lines().map(str::trim_start).collect();
    assert!(lines[0].contains("app::run ") && lines.last().unwrap().contains("app::leaf "), "{text}");
    assert_eq!(lines[11], "└╼ … 480 more of async fn app::level", "{text}");
    assert_eq!((lines.len(), text.matches("app::level at ").count()), (23, 20), "{text}");
    let ascii = Text::new().glyphs(Glyphs::Ascii).render(&tree).to_string();
    assert!(ascii.contains("`- ... 480 more of async fn app::level\n"), "{ascii}");
    let full = Text::new().detail(Detail::Full).render(&tree).to_string();
    assert_eq!(full.matches("app::level at ").count(), 500);
    // Few are not worth it.
    let few = (0..21).map(|n| user(1_000 + n, "level", 20)).collect::<Vec<_>>();
    assert!(!Tree::new(&SymbolizedTrace::new(vec![waits(&few, 50)], 0)).to_string().contains(" more of "));
}

#[test]
fn styled_spans_are_what_is_printed() {
    let text = Text::new().palette(Palette::colored());
    let styled = text.styled(&two());
    assert_eq!(styled.to_string(), Text::new().render(&two()).to_string());
    assert_eq!(Palette::colored().paint(&styled).to_string(), text.render(&two()).to_string());
    let first: Vec<_> = styled.lines()[0].spans().map(|span| span.style).collect();
    assert_eq!(first, [SpanStyle::TreeLine, SpanStyle::Function, SpanStyle::Location]);
    let notes = styled.lines().last().unwrap().spans().filter(|span| span.style == SpanStyle::Note);
    assert_eq!(notes.count(), 1);
}

#[test]
fn a_brief_is_the_first_path_and_how_many_others() {
    let one = waits(&[user(10, "run", 20), user(21, "read", 30)], 50);
    let other = waits(&[user(10, "run", 20), user(22, "write", 31)], 50);
    let brief = |tree: &Tree| Text::new().paths(Paths::default().relative_to("/home/me/app")).brief(tree);
    assert_eq!(brief(&tree(vec![one.clone()])).to_string(), "app::run › app::read  src/main.rs:20");
    assert_eq!(brief(&tree(vec![one, other])).to_string(), "app::run › app::read +1  src/main.rs:20");
    let only = waits(&[], 50);
    assert!(!brief(&tree(vec![only])).to_string().contains('›'));
    let Brief::Reason(reason) = brief(&tree(vec![])) else { panic!() };
    assert!(reason.starts_with("no stack: the future returned Pending"), "{reason}");
}
