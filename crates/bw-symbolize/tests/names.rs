//! What each kind of body is called, in a real program, and where it says it waits.
//!
//! Every expectation holds with and without optimization: which frames are inlined differs, what they are called
//! does not.

mod support;

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;

use bw_symbolize::Frame;
use support::{assert_names, call, capture, here, leaf, name_of, run, symbolize};

// `black_box` after an await keeps the future a state machine of its own.

async fn simple() {
    leaf(here!()).await;
    black_box(1);
}

async fn outer() {
    middle().await;
    black_box(1);
}

async fn middle() {
    inner().await;
    black_box(2);
}

async fn inner() {
    leaf(here!()).await;
    black_box(3);
}

async fn generic<T: Clone>(value: T) -> T {
    leaf(here!()).await;
    black_box(value.clone())
}

#[inline(never)]
fn boxed<'a>(future: impl Future<Output = ()> + 'a) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    Box::pin(future)
}

async fn through_a_box() {
    boxed(simple()).await;
    black_box(1);
}

fn block() -> impl Future {
    async {
        leaf(here!()).await;
        black_box(1);
    }
}

async fn block_in_async_fn() {
    async {
        leaf(here!()).await;
        black_box(1);
    }
    .await;
    black_box(2);
}

fn block_in_closure() -> impl Future {
    let make = |value: u32| async move {
        leaf(here!()).await;
        black_box(value);
    };
    make(1)
}

async fn closure_in_async_fn() {
    let now = || {
        capture(here!());
        black_box(1);
    };
    now();
    black_box(2);
}

fn async_closure() -> impl Future {
    async {
        let closure = async || {
            leaf(here!()).await;
            black_box(1);
        };
        closure().await;
        black_box(2);
    }
}

async fn call_once(closure: impl AsyncFnOnce()) {
    closure().await;
    black_box(1);
}

async fn async_closure_called_once() {
    let owned = black_box(String::from("owned"));
    call_once(async move || {
        leaf(here!()).await;
        drop(owned);
    })
    .await;
    black_box(1);
}

async fn nested() {
    async fn deep() {
        let make = || async {
            leaf(here!()).await;
            black_box(1);
        };
        make().await;
        black_box(2);
    }
    deep().await;
    black_box(3);
}

struct Conn;

trait Handler {
    fn desugared(&self) -> Pin<Box<dyn Future<Output = ()> + '_>>;
    async fn native(&self);
}

impl Handler for Conn {
    fn desugared(&self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async move {
            leaf(here!()).await;
            black_box(self);
        })
    }

    async fn native(&self) {
        leaf(here!()).await;
        black_box(self);
    }
}

impl Conn {
    async fn inherent(&self) {
        leaf(here!()).await;
        black_box(self);
    }

    fn with_block(&self) -> impl Future {
        async move {
            leaf(here!()).await;
            black_box(self);
        }
    }
}

mod module {
    pub(super) async fn function() {
        super::leaf(super::here!()).await;
        super::black_box(1);
    }
}

#[test]
fn an_async_fn_is_called_so() {
    assert_names(&run(simple()), &["async fn names::simple"]);
    assert_names(&run(module::function()), &["async fn names::module::function"]);
}

#[test]
fn a_chain_of_async_fns_reads_from_the_leaf_to_the_root() {
    let chain = ["async fn names::inner", "async fn names::middle", "async fn names::outer"];
    assert_names(&run(outer()), &chain);
}

#[test]
fn a_boxed_future_keeps_its_awaiter() {
    assert_names(&run(through_a_box()), &["async fn names::simple", "async fn names::through_a_box"]);
}

#[test]
fn a_generic_async_fn_is_called_by_its_name() {
    assert_names(&run(generic(1_u8)), &["async fn names::generic"]);
    assert_names(&run(generic(String::new())), &["async fn names::generic"]);
}

#[test]
fn an_async_block_says_what_it_is_in() {
    assert_names(&run(block()), &["async block in names::block"]);
    assert_names(
        &run(block_in_async_fn()),
        &["async block in async fn names::block_in_async_fn", "async fn names::block_in_async_fn"],
    );
    assert_names(&run(block_in_closure()), &["async block in closure in names::block_in_closure"]);
}

#[test]
fn a_closure_says_what_it_is_in() {
    assert_names(
        &run(closure_in_async_fn()),
        &["closure in async fn names::closure_in_async_fn", "async fn names::closure_in_async_fn"],
    );
}

#[test]
fn an_async_closure_is_one_body() {
    assert_names(
        &run(async_closure()),
        &["async closure in async block in names::async_closure", "async block in names::async_closure"],
    );
    assert_names(
        &run(async_closure_called_once()),
        &[
            "async closure in async fn names::async_closure_called_once",
            "async fn names::call_once",
            "async fn names::async_closure_called_once",
        ],
    );
}

#[test]
fn an_item_in_a_body_is_called_by_its_name() {
    assert_names(
        &run(nested()),
        &[
            "async block in closure in async fn names::nested::deep",
            "async fn names::nested::deep",
            "async fn names::nested",
        ],
    );
}

#[test]
fn methods_are_called_by_their_type() {
    assert_names(&run(Conn.desugared()), &["async block in <names::Conn as names::Handler>::desugared"]);
    assert_names(&run(Conn.native()), &["async fn <names::Conn as names::Handler>::native"]);
    assert_names(&run(Conn.inherent()), &["async fn names::Conn::inherent"]);
    assert_names(&run(Conn.with_block()), &["async block in names::Conn::with_block"]);
}

#[inline(never)]
fn plain() {
    inlined();
    black_box(1);
}

#[inline(always)]
fn inlined() {
    capture(here!());
    black_box(2);
}

#[test]
fn inlined_functions_are_expanded_innermost_first() {
    let captured = call(plain);
    assert_names(&captured, &["names::inlined", "names::plain"]);
    let frames = symbolize(&captured);
    let of = |name: &str| frames.iter().find(|frame| name_of(frame) == Some(name)).unwrap();
    assert!(!of("names::plain").inlined);
    // `inline(always)` holds with optimization only.
    assert!(of("names::inlined").inlined || cfg!(debug_assertions));
}

#[test]
fn both_manglings_of_one_stack_are_demangled() {
    // The standard library is mangled as v0, this program as the default has it.
    let frames = symbolize(&call(plain));
    let names: Vec<&str> = frames.iter().filter_map(name_of).collect();
    assert!(names.iter().all(|name| !name.starts_with("_ZN") && !name.starts_with("_R")), "{names:#?}");
    assert!(names.iter().all(|name| !name.is_empty()));
    assert!(names.iter().any(|name| name.contains("std::")), "{names:#?}");
    // `path` is as the compiler has it, without hash.
    let path = frames.iter().filter_map(|frame| frame.function.as_ref()).find(|f| &*f.name == "names::plain");
    assert_eq!(&*path.unwrap().path, "names::plain");
}

#[rustfmt::skip]
async fn columns() -> u32 {
    let before = column!(); leaf(here!()) .await; before
}

#[test]
fn the_column_is_that_of_the_await() {
    let mut before = 0;
    let captured = run(async { before = columns().await });
    let frames = symbolize(&captured);
    let is_columns = |frame: &&Frame| name_of(frame).is_some_and(|name| name.ends_with("names::columns"));
    let location = frames.iter().find(is_columns).and_then(|frame| frame.location.clone());
    let column = location.expect("its place is known").column.expect("its column is known");
    // The compiler points at the word after the dot.
    let to_await = u32::try_from("column!(); leaf(here!()) .".len()).unwrap();
    assert_eq!(column, before + to_await);
}

#[test]
fn a_leaf_is_named_after_its_impl() {
    let frames = symbolize(&run(simple()));
    let names: Vec<&str> = frames.iter().filter_map(name_of).collect();
    assert!(names.contains(&"<names::support::Leaf as core::future::future::Future>::poll"), "{names:#?}");
}
