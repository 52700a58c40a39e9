//! What makes the agent report without being asked.

/// The triggers that were asked for. None by default.
#[derive(Debug, Default)]
pub(crate) struct Triggers {}

impl Triggers {
    /// On the agent's thread, inside its runtime, before it answers anybody.
    pub(crate) fn run(self) {}
}
