//! Writes one task as a line of JSON.
//!
//! By hand: there may be a hundred thousand, and the general way takes three times as long.

use bw_core::{NoTrace, TaskId, TaskRecord, TaskState};

use super::field_values::whole_nanoseconds;

/// Writes the lines of tasks, and reuses their memory.
#[derive(Debug, Default)]
pub(super) struct TaskWriter {
    line: Vec<u8>,
}

impl TaskWriter {
    /// Returns the line of a task, without a line feed.
    pub(super) fn line(
        &mut self,
        task: &TaskRecord,
        place: u32,
        of_type: Option<u32>,
        trace: Result<u32, NoTrace>,
    ) -> &[u8] {
        let status = task.status();
        self.line.clear();
        self.number("{\"id\":", task.id().get());
        if let Some(name) = task.name() {
            self.text(",\"name\":", name);
        }
        if let Some(parent) = task.parent().map(TaskId::get) {
            self.number(",\"parent\":", parent);
            if task.is_nested() {
                self.raw(",\"nested\":true");
            }
        }
        self.number(",\"spawned_at\":", place.into());
        if let Some(of_type) = of_type {
            self.number(",\"type\":", of_type.into());
        }
        self.number(",\"polls\":", status.polls);
        if let Some(age) = status.age {
            self.number(",\"age_ns\":", whole_nanoseconds(age));
        }
        self.text(",\"state\":", status.state.name());
        if let Some(in_state) = status.in_state {
            self.number(",\"in_state_ns\":", whole_nanoseconds(in_state));
        }
        if let Some(since_request) = status.since_request {
            self.number(",\"since_request_ns\":", whole_nanoseconds(since_request));
        }
        if let TaskState::Polling(thread) = &status.state {
            self.raw(",\"thread\":{");
            if let Some(name) = thread.name() {
                self.text("\"name\":", name);
            }
            if let Some(id) = thread.os_id() {
                self.number(if thread.name().is_some() { ",\"id\":" } else { "\"id\":" }, id);
            }
            self.raw("}");
        }
        match trace {
            Ok(trace) => self.number(",\"trace\":", trace.into()),
            Err(reason) => self.text(",\"no_trace\":", reason.name()),
        }
        if let Some(reason) = task.incomplete() {
            self.text(",\"incomplete\":", reason);
        }
        self.raw("}");
        &self.line
    }

    fn raw(&mut self, text: &str) {
        self.line.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        self.raw(key);
        if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            self.raw("\"");
            self.raw(value);
            self.raw("\"");
        } else {
            // Writing a string to memory cannot fail.
            let _ = serde_json::to_writer(&mut self.line, value);
        }
    }

    fn number(&mut self, key: &str, value: u64) {
        self.raw(key);
        let mut digits = [b'0'; 20];
        let (mut at, mut rest) = (digits.len(), value);
        loop {
            at -= 1;
            digits[at] = b"0123456789"[(rest % 10) as usize];
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.line.extend_from_slice(&digits[at..]);
    }
}

#[cfg(test)]
mod tests {
    use bw_core::{PollingThread, SpawnedAt, TaskStatus};

    use super::*;

    fn line(state: TaskState, name: &str, polls: u64) -> String {
        let mut status = TaskStatus::new(state);
        status.polls = polls;
        let id = TaskId::from_u64(10).unwrap();
        let task = TaskRecord::new(id, SpawnedAt::new("a.rs", 1, 1), status).with_name(name);
        String::from_utf8(TaskWriter::default().line(&task, 3, None, Ok(5)).to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_written_to_the_last_digit() {
        for polls in [0, 9, 10, 1_234_567_890, u64::MAX] {
            let line = line(TaskState::Suspended, "a", polls);
            let state = "\"state\":\"suspended\",\"trace\":5}";
            assert_eq!(
                line,
                format!("{{\"id\":10,\"name\":\"a\",\"spawned_at\":3,\"polls\":{polls},{state}")
            );
        }
    }

    #[test]
    fn names_are_written_as_serde_does() {
        for name in
            ["", "plain ~", "\"", "\\", "\u{7f}", "\u{1f}", "\u{1b}[31m\n", "größe", "\u{202e}", "</script>"]
        {
            let expected = format!("\"name\":{},", serde_json::to_string(name).unwrap());
            assert!(line(TaskState::Woken, name, 1).contains(&expected), "{name:?}");
        }
    }

    #[test]
    fn threads_are_written_as_far_as_they_are_known() {
        for (name, id, expected) in [
            (Some("a\""), Some(7), r#"{"name":"a\"","id":7}"#),
            (Some("a"), None, r#"{"name":"a"}"#),
            (None, Some(7), r#"{"id":7}"#),
            (None, None, "{}"),
        ] {
            let thread = PollingThread::elsewhere(name.map(Into::into), id);
            let line = line(TaskState::Polling(thread), "a", 1);
            assert!(line.contains(&format!("\"thread\":{expected},")), "{line}");
        }
    }
}
