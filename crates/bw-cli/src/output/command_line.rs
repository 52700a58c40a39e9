//! A command line, as people read it.

/// Returns a program and its arguments with spaces between them. An argument that is empty or has a space in it stands in quotes.
pub(crate) fn joined(program: &str, arguments: &[String]) -> String {
    let quoted = |argument: &String| {
        let needs_quotes = argument.is_empty() || argument.contains(char::is_whitespace);
        if needs_quotes { format!(" '{argument}'") } else { format!(" {argument}") }
    };
    arguments.iter().map(quoted).fold(program.to_owned(), |line, argument| line + &argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_can_be_told_apart() {
        let arguments = ["--port", "80", "", "two words"].map(str::to_owned);
        assert_eq!(joined("/srv/shop", &arguments), "/srv/shop --port 80 '' 'two words'");
        assert_eq!(joined("/srv/shop", &[]), "/srv/shop");
    }
}
