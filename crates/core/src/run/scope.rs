//! What expressions can ask while a unit runs, answered from its fold.

use std::collections::BTreeMap;

use super::{Status, UnitRun};
use crate::{
    expr::{Expr, ExprError, Scope, Value},
    plan::{Reference, ReferenceKind},
    resolve::SENSITIVE,
};

/// The names that are known at one step of a running unit.
#[derive(Debug, Clone, Copy)]
pub struct RunScope<'a> {
    pub run: &'a UnitRun,
    pub step: usize,
    /// The environment of the step's operation.
    pub env: &'a BTreeMap<String, String>,
    /// Values of secrets and config maps.
    pub references: &'a BTreeMap<String, String>,
    pub working_dir: &'a str,
    /// Status of the attempt that just ended; then `status` and its relatives mean the step itself.
    pub own: Option<Status>,
}

impl Scope for RunScope<'_> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        Ok(self.find(name).map(Expr::from))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        match (name, args) {
            ("secret", [name, key, ..]) => {
                let reference = Reference {
                    kind: ReferenceKind::Secret,
                    name: name.string_form().into_owned(),
                    key: Some(key.string_form().into_owned()),
                    optional: true,
                };
                let value = self.references.get(&reference.path()).cloned().unwrap_or_default();
                Ok(Some(Value::from(value).into()))
            }
            (SENSITIVE, [id]) => {
                let value = self.references.get(&format!("{SENSITIVE}/{}", id.string_form()));
                Ok(Some(Value::from(value.cloned().unwrap_or_default()).into()))
            }
            ("execution", [named]) => Ok(Some(self.run.relative(&named.string_form())?.clone().into())),
            _ => Ok(None),
        }
    }
}

impl RunScope<'_> {
    fn find(&self, name: &str) -> Option<Value> {
        if let Some(variable) = name.strip_prefix("env.") {
            return Some(self.env.get(variable).cloned().unwrap_or_default().into());
        }
        if let Some(rest) = name.strip_prefix("self.") {
            return status_word(rest, self.own?);
        }
        if let Some(rest) = name.strip_prefix("step.") {
            return self.step_value(rest);
        }
        if let Some(emitted) = name.strip_prefix("output.") {
            return self.run.emitted().get(emitted).cloned();
        }
        match name {
            "always" => return Some(true.into()),
            "never" => return Some(false.into()),
            "env" => return Some(Value::map(self.env.iter().map(|(name, text)| (name.as_str(), text.clone().into())))),
            "workingDir" => return Some(self.working_dir.to_owned().into()),
            "services" => {
                let services = self.run.told().iter();
                let services =
                    services.filter_map(|(name, value)| Some((name.strip_prefix("services.")?, value.clone())));
                return Some(Value::map(services));
            }
            _ => {}
        }
        let status =
            self.own.unwrap_or(if self.run.passed_before(self.step) { Status::Passed } else { Status::Failed });
        status_word(name, status).or_else(|| self.run.told().get(name).cloned())
    }

    fn step_value(&self, rest: &str) -> Option<Value> {
        if rest == "results" {
            return Some(results(self.own_id()?).into());
        }
        let (id, field) = rest.split_once('.')?;
        let step = self.run.by_id(id)?;
        let state = self.run.state(step);
        match field {
            "results" => Some(results(id).into()),
            "status" => Some(self.run.status(step).word().into()),
            "exitCode" => Some(match self.run.status(step) {
                Status::Timeout => Value::Int(137),
                _ => self.run.exit_code(step).map_or(Value::None, |code| Value::Int(i64::from(code))),
            }),
            "outputs" => Some(Value::map(state.outputs.iter().map(|(key, text)| (key.as_str(), text.clone().into())))),
            _ => {
                let key = field.strip_prefix("outputs.")?;
                // A key that a known step did not write is null.
                Some(self.outputs(step).get(key).map_or(Value::None, |text| text.clone().into()))
            }
        }
    }

    /// What a step wrote; what the steps inside a group wrote counts as the group's.
    fn outputs(&self, step: usize) -> BTreeMap<String, String> {
        let end = self.run.step(step).end;
        (step..end).flat_map(|inner| self.run.state(inner).outputs.clone()).collect()
    }

    fn own_id(&self) -> Option<&str> {
        std::iter::once(self.step)
            .chain(self.run.ancestors(self.step))
            .find_map(|step| self.run.step(step).id.as_deref())
    }
}

/// Where a step keeps its results.
pub fn results(id: &str) -> String {
    format!("/data/.steps/{id}")
}

fn status_word(name: &str, status: Status) -> Option<Value> {
    match name {
        "status" => Some(status.word().into()),
        "passed" | "success" => Some(matches!(status, Status::Passed).into()),
        "failed" | "error" => Some((!matches!(status, Status::Passed | Status::Skipped)).into()),
        _ => None,
    }
}
