//! `timeout_traced`, and the ends of tests that hang.

mod deadlines;
mod timeout_traced;
