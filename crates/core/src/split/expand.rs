//! How many instances there are, and which data each has.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::expr::{Expr, Scope, Value};
use crate::source::{Diagnostic, Node, Span};

use super::counts;
use super::instance::Instance;
use super::lists::{self, Found, shard};

/// More instances than this are taken for a mistake.
pub const DEFAULT_LIMIT: u64 = 10_000;

/// The instances of a block. None at all means that the operation is skipped, and passes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expansion {
    pub instances: Vec<Instance>,
    pub warnings: Vec<Diagnostic>,
}

/// Why a block has no instances that could be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct ExpandError {
    /// The field to blame: `matrix.browser`, `shards.files`, `count`, `maxCount`.
    pub at: String,
    pub message: String,
    pub span: Option<Span>,
}

impl ExpandError {
    /// The same as a finding, below the path of the block.
    pub fn diagnostic(&self, block: &str) -> Diagnostic {
        let mut finding = Diagnostic::error("expansion", &self.message).path(format!("{block}.{}", self.at));
        finding.at = self.span;
        finding
    }
}

/// What `whenEmpty` says about a computed list that came out empty.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WhenEmpty {
    Fail,
    Skip,
    Run,
}

/// Expands a block: a `parallel` block, a service, or an entry of `execute`.
pub fn expand(block: &Node, scopes: &[&dyn Scope], limit: u64) -> Result<Expansion, ExpandError> {
    let when_empty = match block.get_str("whenEmpty") {
        Some("skip") => WhenEmpty::Skip,
        Some("run") => WhenEmpty::Run,
        _ => WhenEmpty::Fail,
    };
    let mut expansion = Expansion::default();
    let mut skip = false;
    let mut lists = |group: &str| -> Result<Vec<Found>, ExpandError> {
        let mut kept = Vec::new();
        for list in lists::find(block, group, scopes)? {
            if !list.values.is_empty() {
                kept.push(list);
            } else if list.computed && when_empty != WhenEmpty::Run {
                let message = empty(&list, scopes);
                let at = format!("{group}.{}", list.key);
                if when_empty == WhenEmpty::Fail {
                    return Err(ExpandError { at, message, span: list.span.known() });
                }
                let warning = Diagnostic::warning("empty-list", format!("{message}; nothing to run"));
                expansion.warnings.push(warning.at(list.span).path(at));
                skip = true;
            }
        }
        Ok(kept)
    };
    let shards = lists("shards")?;
    let matrix = lists("matrix")?;
    let count = counts::find(block, "count", scopes)?;
    let max_count = counts::find(block, "maxCount", scopes)?;
    if skip {
        return Ok(expansion);
    }
    let shard_count = shard_count(count, max_count, &shards);
    let combinations = matrix.iter().fold(1_u128, |product, list| product.saturating_mul(list.values.len() as u128));
    let total = combinations.saturating_mul(u128::from(shard_count));
    if total > u128::from(limit) {
        let guilty = if combinations > 1 {
            "matrix"
        } else if count.is_some() {
            "count"
        } else {
            "maxCount"
        };
        return Err(ExpandError {
            at: guilty.to_owned(),
            message: format!("{total} instances are more than the limit of {limit}"),
            span: block.key(guilty).and_then(|key| key.span.known()),
        });
    }
    let (combinations, shard_count) = (combinations as usize, shard_count as usize);
    expansion.instances =
        (0..total as usize).map(|index| build(index, combinations, shard_count, &matrix, &shards)).collect();
    Ok(expansion)
}

/// How many instances share the shards of one combination.
fn shard_count(count: Option<u64>, max_count: Option<u64>, shards: &[Found]) -> u64 {
    let shortest = shards.iter().map(|list| list.values.len() as u64).min().unwrap_or(u64::MAX);
    match (count, max_count) {
        (None, None) => 1,
        (Some(count), None) => count,
        // A count that fits under the bound plays no part; one above it makes the bound a fixed number.
        (Some(count), Some(most)) if most < count => most,
        (_, Some(most)) => most.min(shortest),
    }
}

/// The instance of an index: shards vary fastest, then the last key of the matrix.
fn build(index: usize, combinations: usize, shard_count: usize, matrix: &[Found], shards: &[Found]) -> Instance {
    let (matrix_index, shard_index) = (index / shard_count, index % shard_count);
    let mut values: IndexMap<Arc<str>, Value> = IndexMap::with_capacity(matrix.len());
    let mut slower = combinations;
    for list in matrix {
        slower /= list.values.len();
        let value = &list.values[matrix_index / slower % list.values.len()];
        values.insert(list.key.clone(), value.clone());
    }
    let shard = shards
        .iter()
        .map(|list| (list.key.clone(), list.values[shard(list.values.len(), shard_index, shard_count)].to_vec()))
        .collect();
    Instance {
        index,
        count: combinations * shard_count,
        matrix_index,
        matrix_count: combinations,
        shard_index,
        shard_count,
        matrix: values,
        shard,
    }
}

fn empty(list: &Found, scopes: &[&dyn Scope]) -> String {
    let mut message = format!("{}: empty list", list.text);
    if list.text.contains("glob(") {
        let folder = Expr::name("workingDir").resolve(scopes).ok();
        if let Some(folder) = folder.as_ref().and_then(Expr::value) {
            message = format!("{message}: no file matches; relative patterns start in {}", folder.string_form());
        }
    }
    message
}
