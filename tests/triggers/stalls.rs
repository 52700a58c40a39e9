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

#[test]
fn a_report_on_a_lost_wake_says_that_its_own_poll_cured_it() {
    let mut reports = Reports::start("lost wake");
    let cured = "1 task finished when this dump polled it, 1.";
    let said = reports.until_said(&["1 task \"lost\" suspended for 1.", cured, "or its wake had been lost"]);
    assert!(
        said.contains("s after its last poll: ")
            && said.contains(" \"lost\"\nspawned at tests/programs/reports.rs:"),
        "{said}"
    );
    // What is stuck stands above it.
    let stuck = said.find(" until this dump polled it: ").expect("the task that waits on");
    assert!(stuck < said.find(cured).expect("said"), "{said}");
}
