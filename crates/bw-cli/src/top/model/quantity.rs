//! Numbers as the view shows them.

/// Polls in a second, in at most eight columns; nothing where that is not known.
pub(crate) fn rate(rate: Option<f32>) -> String {
    match rate {
        None => String::new(),
        Some(0.0) => "0".to_owned(),
        Some(rate) if rate < 9_999.5 => format!("{rate:.1}"),
        Some(rate) if rate < 9_999_500.0 => format!("{:.0}k", rate / 1e3),
        Some(rate) => format!("{:.0}M", rate / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fit_in_their_column() {
        for (value, text) in
            [(None, ""), (Some(0.0), "0"), (Some(0.25), "0.2"), (Some(12_345.6), "12k"), (Some(2.5e7), "25M")]
        {
            assert_eq!(rate(value), text);
        }
    }
}
