//! What an expression asked of a unit's surroundings: written down where the files are, read where the log is.

use std::{cell::RefCell, collections::BTreeMap};

use super::{Answer, veil::veil_value};
use crate::expr::{Expr, ExprError, Scope, Value};

/// Writes down every answer that other scopes gave.
pub struct Recorder<'a> {
    scopes: Vec<&'a dyn Scope>,
    references: &'a BTreeMap<String, String>,
    answers: RefCell<BTreeMap<String, Value>>,
}

impl<'a> Recorder<'a> {
    /// Answers are written down, and given, without the words in `references`.
    pub fn new(scopes: Vec<&'a dyn Scope>, references: &'a BTreeMap<String, String>) -> Self {
        Recorder { scopes, references, answers: RefCell::new(BTreeMap::new()) }
    }

    /// What was asked, each question once.
    pub fn into_answers(self) -> Vec<Answer> {
        self.answers.into_inner().into_iter().map(|(question, value)| Answer { question, value }).collect()
    }

    fn record(
        &self,
        question: impl FnOnce() -> String,
        ask: impl Fn(&dyn Scope) -> Result<Option<Expr>, ExprError>,
    ) -> Result<Option<Expr>, ExprError> {
        for scope in &self.scopes {
            if let Some(answer) = ask(*scope)? {
                let Some(value) = answer.value() else { return Ok(Some(answer)) };
                let value = veil_value(value, self.references);
                self.answers.borrow_mut().insert(question(), value.clone());
                return Ok(Some(value.into()));
            }
        }
        Ok(None)
    }
}

impl Scope for Recorder<'_> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        self.record(|| name.to_owned(), |scope| scope.get(name))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        self.record(|| question(name, args), |scope| scope.call(name, args))
    }
}

/// A scope that knows what was written down, and nothing else.
pub(super) struct Answers<'a>(pub(super) &'a [Answer]);

impl Scope for Answers<'_> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        Ok(self.find(name).map(Into::into))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        Ok(self.find(&question(name, args)).map(Into::into))
    }
}

impl Answers<'_> {
    fn find(&self, question: &str) -> Option<Value> {
        self.0.iter().find(|answer| answer.question == question).map(|answer| answer.value.clone())
    }
}

/// A call as a question: its name with its arguments as JSON.
pub fn question(name: &str, args: &[Value]) -> String {
    let args: Vec<String> = args.iter().map(Value::to_json_text).collect();
    format!("{name}({})", args.join(","))
}
