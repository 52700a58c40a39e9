//! Looks for tasks that are stuck, again and again.

use std::sync::Arc;
use std::time::Instant;

use bw_core::{Registry, TaskFilter, TaskRecord};
use tokio::time::MissedTickBehavior;

use super::reporter::Reporter;
use super::stall_detector::{StallDetector, StuckTask};
use crate::report::{Reason, Stall, StalledGroup};
use crate::settings::StallWatch;

pub(super) async fn run(settings: StallWatch, reporter: Arc<Reporter>) {
    let filter = settings.only.clone().in_state_for(settings.threshold);
    let mut detector = StallDetector::new(settings.threshold, settings.every, settings.longest_backoff);
    let mut look = tokio::time::interval(settings.period());
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let groups = stalled_groups(&settings, &mut detector, &filter);
        if groups.is_empty() {
            continue;
        }
        let asked =
            groups.iter().flat_map(StalledGroup::ids).fold(TaskFilter::new(), |asked, id| asked.id(*id));
        let reason = Reason::Stall(Stall { threshold: settings.threshold, groups });
        reporter.report(reason, asked, reporter.timeout()).await;
    }
}

/// Asks no task.
fn stalled_groups(
    settings: &StallWatch,
    detector: &mut StallDetector,
    filter: &TaskFilter,
) -> Vec<StalledGroup> {
    let look = Registry::global().look(filter);
    let stuck: Vec<_> = look.tasks().iter().filter_map(|task| stuck_task(settings, task)).collect();
    detector.look(Instant::now(), &stuck)
}

fn stuck_task<'a>(settings: &StallWatch, task: &'a TaskRecord) -> Option<StuckTask<'a>> {
    let name = task.name();
    let is_meant_to =
        settings.meant_to_wait.iter().any(|part| name.is_some_and(|name| name.contains(&**part)));
    let (id, spawned_at, status) = (task.id(), task.spawned_at(), task.status());
    (!is_meant_to).then_some(StuckTask { id, name, spawned_at, status })
}
