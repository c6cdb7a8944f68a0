//! What a unit is given beside its plan, filled in by whoever has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use testudo_core::{
    expr::Value,
    frame::PackId,
    plan::UnitPlan,
    resolve::SENSITIVE,
    run::{Values, Word},
};

/// Values that are no part of plan or log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Given {
    /// Secrets and config maps by reference path.
    pub references: BTreeMap<String, String>,
    /// Sensitive words that no reference holds.
    pub sensitive: Vec<String>,
    /// Environment that comes from whoever started the run.
    pub env: BTreeMap<String, String>,
    /// The pack that stands in for repositories.
    pub content: Option<PackId>,
    /// What expressions know from the start: the execution that started this one.
    pub known: BTreeMap<String, Value>,
}

impl Given {
    /// A word with what only this side knows put in.
    pub(crate) fn complete(&self, word: Word, address: Option<String>) -> Word {
        match word {
            Word::Begin { plan, .. } => {
                let values = Box::new(self.values(&plan, address));
                Word::Begin { plan, values }
            }
            other => other,
        }
    }

    /// What the unit's plan refers to, and no more.
    fn values(&self, plan: &UnitPlan, address: Option<String>) -> Values {
        let sensitive = |path: &String| path.starts_with(SENSITIVE) && path[SENSITIVE.len()..].starts_with('/');
        let mut references: BTreeMap<_, _> =
            self.references.iter().filter(|(path, _)| sensitive(path)).map(|(p, v)| (p.clone(), v.clone())).collect();
        for reference in &plan.references {
            let path = reference.path();
            match path.strip_suffix('*') {
                Some(prefix) if reference.key.is_none() => {
                    let all = self.references.range(prefix.to_owned()..);
                    let all = all.take_while(|(path, _)| path.starts_with(prefix));
                    references.extend(all.map(|(path, value)| (path.clone(), value.clone())));
                }
                _ => references.extend(self.references.get(&path).map(|value| (path, value.clone()))),
            }
        }
        Values {
            references,
            sensitive: self.sensitive.clone(),
            address,
            env: self.env.clone(),
            content: self.content.clone(),
            known: self.known.clone(),
        }
    }
}
