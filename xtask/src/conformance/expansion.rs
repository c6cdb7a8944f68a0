//! A strategy to its instances, or to the field that is to blame.

use testudo_core::expr::{Value, Vars};
use testudo_core::source::Node;
use testudo_core::split::{DEFAULT_LIMIT, expand};

use super::{Case, Verdict, trees};

pub(crate) fn check(case: &Case<'_>) -> Verdict {
    let bad = |error: serde_json::Error| format!("  bad case: {error}");
    let case: Node = serde_json::from_str(case.line).map_err(bad)?;
    let vars = case.get("vars").cloned().unwrap_or_default();
    let vars: Vars = vars
        .entries()
        .iter()
        .map(|(name, node)| serde_json::from_str(&trees::text(node)).map(|value: Value| (name.text.clone(), value)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(bad)?
        .into_iter()
        .collect();
    let block = case.get("spec").cloned().unwrap_or_default();
    let wanted = case.get("testudo").unwrap_or(&case);
    match (expand(&block, &[&vars], DEFAULT_LIMIT), wanted.get("expect"), wanted.get_str("errorAt")) {
        (Ok(expansion), Some(expect), _) => {
            let got = serde_json::to_string(&expansion.instances).map_err(bad)?;
            let tree: Node = serde_json::from_str(&got).map_err(bad)?;
            if trees::same(expect, &tree) && same_order(expect, &tree) {
                return Ok(());
            }
            Err(format!("  wanted {}\n  got    {got}", trees::text(expect)))
        }
        (Err(error), None, Some(at)) if error.at == at => Ok(()),
        (outcome, expect, at) => Err(format!(
            "  wanted {}\n  got    {outcome:?}",
            expect.map_or_else(|| format!("error at {at:?}"), trees::text)
        )),
    }
}

/// Keys of the matrix keep the order of the document.
fn same_order(wanted: &Node, got: &Node) -> bool {
    wanted.items().iter().zip(got.items()).all(|(wanted, got)| {
        let keys =
            |node: &Node| -> Vec<_> { node.get_entries("matrix").iter().map(|(key, _)| key.text.clone()).collect() };
        keys(wanted) == keys(got)
    })
}
