//! One instance: what it is called by, and the text of its block.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};

use crate::expr::{Finalizer, Scope, Value, Vars};
use crate::resolve::{Pass, apply, without_steps};
use crate::source::{Diagnostic, Node};
use crate::workflow::step_ids;
use crate::workflow::table::Object;

use super::lists::element;

/// One of the instances of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    pub index: usize,
    pub count: usize,
    pub matrix_index: usize,
    pub matrix_count: usize,
    pub shard_index: usize,
    pub shard_count: usize,
    /// The value of each key of the matrix, in declared order.
    #[serde(deserialize_with = "nulls_are_none")]
    pub matrix: IndexMap<Arc<str>, Value>,
    /// This instance's part of each list of the shards, in declared order.
    pub shard: IndexMap<Arc<str>, Vec<Value>>,
}

/// A null that was written down is read as one found inside data, which prints as a word. Here it stands by itself.
fn nulls_are_none<'de, D: Deserializer<'de>>(from: D) -> Result<IndexMap<Arc<str>, Value>, D::Error> {
    let values = IndexMap::<Arc<str>, Value>::deserialize(from)?;
    Ok(values.into_iter().map(|(key, value)| (key, element(&value))).collect())
}

/// `index`, `count`, `matrix.<key>`, `shard.<key>` and the like. A key that the block dropped or never had is none.
pub fn instance_scope(instance: &Instance) -> Vars {
    let Instance { index, count, matrix_index, matrix_count, shard_index, shard_count, matrix, shard } = instance;
    let mut vars = Vars::new();
    for (name, number) in [
        ("index", index),
        ("count", count),
        ("matrixIndex", matrix_index),
        ("matrixCount", matrix_count),
        ("shardIndex", shard_index),
        ("shardCount", shard_count),
    ] {
        vars.set(name, Value::Int(*number as i64));
    }
    let shard: Vec<(Arc<str>, Value)> =
        shard.iter().map(|(key, part)| (key.clone(), Value::list(part.iter().map(element).collect()))).collect();
    let matrix = matrix.iter().map(|(key, value)| (key.clone(), value.clone()));
    for (group, values) in [("matrix", matrix.collect::<Vec<_>>()), ("shard", shard)] {
        for (key, value) in &values {
            vars.set(format!("{group}.{key}"), value.clone());
        }
        vars.set(group, Value::Map(Arc::new(values.into_iter().collect())));
    }
    vars
}

/// The block's copy for one instance, without the strategy that made it: templates and expressions are evaluated
/// with the instance's variables and those of outside. What stays unknown is left to the finalizer; one that fails
/// also makes the texts plain. `logs` is asked at the end of the instance, not here.
pub fn instantiate(
    block: &Node,
    object: &'static Object,
    instance: &Instance,
    scopes: &[&dyn Scope],
    finalizer: Finalizer<'_>,
    path: &str,
) -> Result<Node, Vec<Diagnostic>> {
    let mut copy = block.clone();
    for name in ["matrix", "shards", "count", "maxCount", "whenEmpty"] {
        copy.take(name);
    }
    // `step.x` of the worker is the worker's, also where the surrounding workflow has an `x`.
    let own: BTreeSet<String> = step_ids(block, path).into_iter().filter_map(|step| step.id).collect();
    let outer: Vec<Box<dyn Scope + '_>> =
        scopes.iter().map(|scope| Box::new(without_steps(*scope, &own)) as Box<dyn Scope + '_>).collect();
    let bound = instance_scope(instance);
    let mut all: Vec<&dyn Scope> = vec![&bound];
    all.extend(outer.iter().map(|scope| &**scope));
    let pass = Pass { finalizer, plain: finalizer == Finalizer::Fail, leave: &["logs"], path };
    apply(&copy, object, &all, pass)
}
