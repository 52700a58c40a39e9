//! Tasks that are stuck.

use crate::child::Reports;

#[test]
fn who_waits_and_who_blocks_are_reported_and_who_is_meant_to_wait_is_not() {
    let mut reports = Reports::start("stalls");
    let waits = "1 task \"waits\" suspended for ";
    let blocks = "1 task \"culprit\" in one poll for ";
    let said = reports.until_said(&[waits, blocks, "reports::waits at", "being polled for"]);
    assert!(said.contains("stuck for 0.2 s or more"), "{said}");
    let culprit = said.lines().find(|line| line.contains(blocks)).unwrap_or_default();
    assert!(culprit.contains("on \"tokio-rt-worker\" (thread "), "{culprit}");
    assert!(culprit.contains(", spawned at tests/programs/reports.rs:"), "{culprit}");
    assert!(!said.contains("\"idle\""), "{said}");
}
