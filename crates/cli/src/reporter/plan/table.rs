//! Instances as a table: what tells them apart.

use testudo_core::plan::Expanded;

use crate::reporter::{style::dim, words};

/// More instances than this are cut short.
const SHORT: usize = 10;
/// How many of a long table come before the gap.
const HEAD: usize = 6;
/// The widest column.
const WIDEST: usize = 32;

pub(super) fn of(instances: &[Expanded]) -> Vec<String> {
    let Some(first) = instances.first() else { return Vec::new() };
    let described = instances.iter().any(|one| !one.description.is_empty());
    let mut head = vec!["#".to_owned()];
    head.extend(first.labels.iter().map(|(name, _)| name.strip_prefix("matrix.").unwrap_or(name).to_owned()));
    if described {
        head.push("description".to_owned());
    }
    let row = |one: &Expanded| {
        let mut row = vec![one.index.to_string()];
        row.extend(one.labels.iter().map(|(_, value)| words::cut(&value.string_form(), WIDEST)));
        if described {
            row.push(words::cut(&one.description, WIDEST));
        }
        row
    };
    let rows: Vec<Vec<String>> = if instances.len() <= SHORT {
        instances.iter().map(row).collect()
    } else {
        let gap = vec!["…".to_owned(); head.len()];
        let last = instances.last().map(row);
        instances[..HEAD].iter().map(row).chain([gap]).chain(last).collect()
    };
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
            cells.map(|cell| words::width(cell)).max().unwrap_or(0)
        })
        .collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| words::padded(cell, *width)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    std::iter::once(dim(&line(&head))).chain(rows.iter().map(line)).collect()
}
