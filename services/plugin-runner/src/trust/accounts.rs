//! Who is in a group, as far as this host's own files say.
//!
//! It knows nothing of directory services: a group that is one user's in `/etc/passwd` and has members elsewhere
//! passes for that user's. Where the files say nothing of a group, it is nobody's own.

use std::fs;

/// `/etc/passwd` and `/etc/group`, as passwd(5) and group(5) have them.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: String,
    groups: String,
}

impl Accounts {
    /// Reads them. What cannot be read says nothing.
    pub(super) fn read() -> Accounts {
        let read = |path| fs::read(path).unwrap_or_default();
        let text = |path| String::from_utf8_lossy(&read(path)).into_owned();
        Accounts {
            users: text("/etc/passwd"),
            groups: text("/etc/group"),
        }
    }

    #[cfg(test)]
    pub(super) fn of(users: &str, groups: &str) -> Accounts {
        Accounts {
            users: users.to_owned(),
            groups: groups.to_owned(),
        }
    }

    /// Whether it is a group of one of these users' own, as most systems make one for each user, with nobody else in
    /// it.
    pub(super) fn is_only_of(&self, group: u32, users: &[u32]) -> bool {
        let is_one = |user: &User<'_>| users.contains(&user.id);
        let known: Vec<User<'_>> = self.users.lines().filter_map(User::of).collect();
        let mut primary = known.iter().filter(|user| user.group == group).peekable();
        if primary.peek().is_none() || !primary.all(is_one) {
            return false;
        }
        let mut lines = self
            .groups
            .lines()
            .filter_map(|line| members_of(line, group))
            .peekable();
        // A member that is no user here may be one elsewhere.
        let is_trusted = |member: &str| known.iter().any(|user| user.name == member && is_one(user));
        lines.peek().is_some() && lines.flatten().all(is_trusted)
    }
}

struct User<'a> {
    name: &'a str,
    id: u32,
    group: u32,
}

impl User<'_> {
    fn of(line: &str) -> Option<User<'_>> {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let mut numbers = fields.skip(1);
        Some(User {
            name,
            id: numbers.next()?.parse().ok()?,
            group: numbers.next()?.parse().ok()?,
        })
    }
}

fn members_of(line: &str, group: u32) -> Option<impl Iterator<Item = &str>> {
    let mut fields = line.split(':').skip(2);
    if fields.next()?.parse() != Ok(group) {
        return None;
    }
    let members = fields.next().unwrap_or_default().split(',');
    Some(members.map(str::trim).filter(|member| !member.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(users: &str, groups: &str) -> Accounts {
        let lines = |text: &str| text.replace(' ', "\n");
        Accounts::of(&lines(users), &lines(groups))
    }

    #[test]
    fn only_a_group_with_nobody_else_in_it_is_its_users_own() {
        let users = "root:x:0:0:::/bin/sh alice:x:1000:1000::: bob:x:1001:1001::: carol:x:1002:1001:::";
        let own = "root:x:0: alice:x:1000:alice bob:x:1001: staff:x:50:";
        let ours = accounts(users, own);
        for (group, is_ours, why) in [
            (1000, true, "hers"),
            (0, true, "the superuser's"),
            (1001, false, "two have it"),
            (50, false, "nobody's own, and empty as far as is known here"),
            (7, false, "nobody knows it"),
        ] {
            assert_eq!(ours.is_only_of(group, &[0, 1000]), is_ours, "{why}");
        }
        assert!(!ours.is_only_of(1000, &[0, 1002]), "she is somebody else");
        for (members, is_ours) in [
            ("bob", false),
            ("alice,bob", false),
            ("alice,root", true),
            ("dave", false),
        ] {
            let groups = format!("alice:x:1000:{members}");
            assert_eq!(
                accounts(users, &groups).is_only_of(1000, &[0, 1000]),
                is_ours,
                "{members}"
            );
        }
        assert!(
            !accounts(users, "").is_only_of(1000, &[0, 1000]),
            "the group is not known"
        );
        assert!(!Accounts::default().is_only_of(0, &[0, 0]), "nothing is known");
        assert!(!accounts(":::: x alice:x:1000", "alice:x:1000:").is_only_of(1000, &[0, 1000]));
    }
}
