//! What users are called.

use std::fs;

/// The name of a user, or `uid 1001` where `/etc/passwd` has none. Of a network's directory nobody is asked: that can hang.
pub(crate) fn name(uid: u32) -> String {
    known_name(uid).unwrap_or_else(|| format!("uid {uid}"))
}

/// The name of a user, where `/etc/passwd` has one.
pub(crate) fn known_name(uid: u32) -> Option<String> {
    let users = fs::read("/etc/passwd").ok()?;
    in_list(&String::from_utf8_lossy(&users), uid)
}

fn in_list(users: &str, uid: u32) -> Option<String> {
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid) && !name.is_empty()).then_some(name)
    });
    found.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_number_is_the_first_that_has_it() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\n# a:b\nalice:x:1000:1000::/:\nbob:x:1000:1::/:\n:x:7::::\n";
        assert_eq!(in_list(users, 0).as_deref(), Some("root"));
        assert_eq!(in_list(users, 1000).as_deref(), Some("alice"));
        assert_eq!((in_list(users, 7), in_list(users, 1)), (None, None));
        assert_eq!(name(u32::MAX - 7), "uid 4294967288");
    }
}
