//! What happened how often.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counts {
    ($($name:ident),*) => {
        /// See the module.
        #[derive(Default)]
        pub(crate) struct Counts {
            $(pub(crate) $name: AtomicU64,)*
        }

        pub(crate) static COUNTS: Counts = Counts { $($name: AtomicU64::new(0),)* };

        impl Counts {
            pub(crate) fn reset(&self) {
                $(self.$name.store(0, Relaxed);)*
            }
        }
    };
}

counts!(
    spawned,
    children,
    finished,
    panicked,
    aborted,
    moved, //
    dumps,
    partial,
    longest_dump_us,
    records,
    traces,
    over,
    unanswered,
    other, //
    requests,
    request_traces,
    request_over
);

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        writeln!(
            f,
            "tasks: {} spawned, of which {} finished, {} panicked, {} were aborted; {} children; {} moves between runtimes",
            of(&self.spawned),
            of(&self.finished),
            of(&self.panicked),
            of(&self.aborted),
            of(&self.children),
            of(&self.moved)
        )?;
        #[allow(clippy::cast_precision_loss)] // For people.
        let longest = of(&self.longest_dump_us) as f64 / 1e3;
        writeln!(
            f,
            "dumps: {}, of which {} partial, {longest:.0} ms the longest; {} tasks in them: {} traces, {} over, {} not \
             answered in time, {} not to be asked",
            of(&self.dumps),
            of(&self.partial),
            of(&self.records),
            of(&self.traces),
            of(&self.over),
            of(&self.unanswered),
            of(&self.other)
        )?;
        write!(
            f,
            "requests of single tasks: {}, all answered, once each: {} traces, {} over",
            of(&self.requests),
            of(&self.request_traces),
            of(&self.request_over)
        )
    }
}
