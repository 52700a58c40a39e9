//! The parameters of a request.

use std::time::Duration;

use backtrace_waker::TaskFilter;
use bw_dump::contract::endpoints::{FILTER, FULL, SHORT, TIMEOUT_MS, timeout_of_millis};

use super::answer::{Refusal, repeated};

/// Terms of all filters of a request.
const MOST_TERMS: usize = 100;

/// The values of the parameter of source paths, and whether they are whole.
pub(crate) const PATHS: [(&str, bool); 2] = [(SHORT, false), (FULL, true)];

/// The parameters of a request, each at most once, but for `filter`. Whoever reads them takes out what it knows.
#[derive(Debug)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Of an address' part behind the question mark. Refuses parameters that are not among `valid`, which has them with commas
    /// between them, and those that are given twice.
    pub(crate) fn new(text: Option<&str>, valid: &[&str]) -> Result<Self, Refusal> {
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(text.unwrap_or_default().as_bytes()).into_owned().collect();
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !valid.contains(&&**name) {
                let valid = if valid.is_empty() {
                    "there are none".into()
                } else {
                    format!("write {}", valid.join(", "))
                };
                return Err(Refusal::bad_request(format!("unknown parameter {}; {valid}", repeated(name))));
            }
            if name != FILTER && pairs[..at].iter().any(|(before, _)| before == name) {
                return Err(Refusal::bad_request(format!("the parameter {name} is given twice")));
            }
        }
        Ok(Self { pairs })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Which of these values a parameter has.
    pub(crate) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match choices.iter().find(|(known, _)| *known == value) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let valid: Vec<_> = choices.iter().map(|(known, _)| *known).collect();
                let (value, valid) = (repeated(value), valid.join(", "));
                Err(Refusal::bad_request(format!("{name}={value} is not known; write one of {valid}")))
            }
        }
    }

    /// All filters: a task has to pass each of them.
    pub(crate) fn filter(&self) -> Result<TaskFilter, Refusal> {
        let filters = self.pairs.iter().filter(|(name, value)| name == FILTER && !value.is_empty());
        let filters: Vec<&str> = filters.map(|(_, value)| &**value).collect();
        let filters = filters.join(",");
        // Every task is looked at for every term.
        if filters.matches(',').count() >= MOST_TERMS {
            return Err(Refusal::bad_request(format!("filter: write at most {MOST_TERMS} terms")));
        }
        filters.parse().map_err(|error| Refusal::bad_request(format!("filter: {error}")))
    }

    /// How long tasks are waited for.
    pub(crate) fn timeout(&self, default: Duration) -> Result<Duration, Refusal> {
        let Some(value) = self.get(TIMEOUT_MS) else { return Ok(default) };
        value.parse().ok().and_then(timeout_of_millis).ok_or_else(|| {
            let value = repeated(value);
            Refusal::bad_request(format!("{TIMEOUT_MS}={value} is not known; write a number from 1 to 60000"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_no_timeout_gets_that_of_the_settings() {
        let timeout =
            |text| Query::new(text, &[TIMEOUT_MS]).unwrap().timeout(Duration::from_millis(123)).unwrap();
        assert_eq!(timeout(None), Duration::from_millis(123));
        assert_eq!(timeout(Some("timeout_ms=7")), Duration::from_millis(7));
    }
}
