//! What many hosts said as lines for people: the host comes first where there are several. Pure.

use super::Answers;
use crate::{print, view::text};
use snooze_schemas::HostId;

/// What is told of a host that has none.
const NO_PLUGINS: &str = "it has no plugins";

/// A line for each host and plugin, and one for a host that has nothing to say, with the reason in the last column.
pub(in crate::commands) fn by_host<R, const N: usize>(
    answers: &Answers<R>,
    columns: [&str; N],
    rows: impl Fn(&R) -> Vec<[String; N]>,
) -> Vec<String> {
    let nothing = |why: &str| {
        let mut row = [(); N].map(|()| "-".to_owned());
        if let Some(last) = row.last_mut() {
            *last = text::printable(why);
        }
        vec![row]
    };
    let told = answers.hosts.iter().flat_map(|(host, said)| {
        let rows = match said.answer().map(&rows) {
            Ok(rows) if rows.is_empty() => nothing(NO_PLUGINS),
            Ok(rows) => rows,
            Err(why) => nothing(why),
        };
        rows.into_iter().map(move |row| (host, row))
    });
    if answers.hosts.len() == 1 {
        let rows: Vec<_> = told.map(|(_, row)| row).collect();
        return print::table(columns, &rows);
    }
    let rows: Vec<Vec<String>> = told
        .map(|(host, row)| [host.to_string()].into_iter().chain(row).collect())
        .collect();
    let header: Vec<&str> = ["HOST"].into_iter().chain(columns).collect();
    print::columns(&header, &rows)
}

/// Each host's own lines, each of them behind its host where there are several.
pub(in crate::commands) fn beside_hosts<R>(
    answers: &Answers<R>,
    lines: impl Fn(&R) -> Vec<String>,
) -> Vec<String> {
    let told = answers.hosts.iter().map(|(host, said)| {
        let lines = said.answer().map(&lines);
        (host, lines.unwrap_or_else(|why| vec![text::printable(why)]))
    });
    let wide = |(host, _): &(HostId, _)| host.as_str().chars().count();
    let width = answers.hosts.iter().map(wide).max().unwrap_or_default();
    let is_one = answers.hosts.len() == 1;
    let told = told.flat_map(|(host, lines)| {
        let line = move |line: String| match is_one {
            true => line,
            false => format!("{:<width$}  {line}", host.as_str()),
        };
        lines.into_iter().map(line)
    });
    told.collect()
}
