//! What must never happen. Each line happened to somebody else; each has a test named after it.
//!
//! | never | because | test |
//! |---|---|---|
//! | a dump aborts or panics the process | tokio #6051, #6185, #8391 | [`dumps`]`::no_dump_aborts_or_panics_the_process`; `situations::hostile` |
//! | a dump leaves tasks that never run again | tokio #8372; children of `FuturesUnordered`, tokio #8434 | [`dumps`]`::no_dump_leaves_tasks_that_never_run_again`; the program `stress` |
//! | a dump deadlocks, because a task finished during it or a lock was held while polling | tokio #6035 | `situations::dumping::no_dump_deadlocks_because_a_task_ended_during_it`, [`dumps`]`::no_lock_is_held_while_a_dump_polls` |
//! | a captured trace is owned by a waker clone, so memory grows | `MystenLabs/sui` #27593 | `allocations::no_trace_is_owned_by_a_waker_clone_so_memory_stays_flat` |
//! | a dump recorded nothing and said nothing | rustfs #4688 | [`printed`]`::no_dump_records_nothing_and_says_nothing` |
//! | a capture waits for a lock that a symbolizer holds | `backtrace::trace`'s global mutex | [`dumps`]`::no_capture_waits_for_a_lock_that_a_symbolizer_holds` |
//! | nested traced futures lose or panic the outer one | scoped-trace keeps one thread-local root | `situations::nesting::nested_traced_futures_do_not_lose_the_outer_one` |
//! | a request on a dropped, finished, aborted or panicked task never returns | | [`requests`]`::a_request_on_a_dropped_finished_aborted_or_panicked_task_returns`; `situations::ending` |
//! | a blocked executor makes the dump hang | | `situations::places::a_blocked_executor_does_not_make_the_dump_hang` |
//! | identical siblings collapse, or order differs from run to run | `join!` of tokio rotates its first branch | [`printed`]`::identical_siblings_do_not_collapse_nor_does_the_order_differ` |
//! | traces are empty or lose user functions when optimized, boxed or not | tasktrace 0.1.1, tokio's taskdump | `accuracy::optimized::no_trace_is_empty_or_loses_user_functions_boxed_or_not`, and all of `accuracy`, which `.ci/run` runs optimized |
//! | two dumps in a row wedge the runtime | tokio 1.54 `Handle::dump` | [`dumps`]`::two_dumps_in_a_row_do_not_wedge_the_runtime` |
//! | the outer of two nested traced tasks asked together dies | tasktrace 0.1.1 | `situations::nesting::the_outer_of_two_nested_traced_tasks_asked_together_lives` |
//! | names lose their last segment, or nothing but blanks is printed for a stripped binary | scoped-trace | `accuracy::names::every_function_is_called_by_its_whole_name`, [`printed`]`::a_stripped_program_prints_modules_and_offsets` |
//! | safe code reaches freed memory when a child outlives its parent | async-backtrace 0.2.7 under `AddressSanitizer` | [`requests`]`::a_child_that_outlives_its_parent_reaches_no_freed_memory`, under `ci/asan` |

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod dumps;
#[path = "../situations/harness.rs"]
#[allow(dead_code, reason = "shared with the situations, which need all of it")]
mod harness;
mod printed;
mod requests;
