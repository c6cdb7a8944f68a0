//! What expressions can ask in a unit, and its texts made final.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use testudo_core::{
    duration,
    expr::{self, Expr, ExprError, Finalizer, Scope, Value},
    glob::Globs,
    plan::Surroundings,
    run::{RunScope, Status, UnitRun, Values},
};

/// Where and when something is asked.
pub(super) struct Ask<'a> {
    pub(super) run: &'a UnitRun,
    pub(super) step: usize,
    pub(super) values: &'a Values,
    pub(super) files: &'a BTreeMap<String, String>,
    pub(super) now: Timestamp,
    pub(super) env: BTreeMap<String, String>,
    pub(super) working_dir: String,
    /// The status of the attempt that has just ended.
    pub(super) own: Option<Status>,
}

impl Ask<'_> {
    /// Puts the surroundings of an operation in: variables, then where it works.
    pub(super) fn enter(&mut self, around: &Surroundings) -> Result<(), ExprError> {
        self.env.clone_from(&self.values.env);
        for variable in &around.env {
            if let Some(template) = &variable.value {
                let text = self.text(template)?;
                self.env.insert(variable.name.clone(), text);
            }
        }
        for dir in &around.working_dir {
            self.working_dir = expr::abspath(&self.working_dir, &self.text(dir)?);
        }
        Ok(())
    }

    /// Asks with everybody who knows something.
    pub(super) fn with<T>(&self, then: impl FnOnce(&[&dyn Scope]) -> T) -> T {
        let known = RunScope {
            run: self.run,
            step: self.step,
            env: &self.env,
            references: &self.values.references,
            working_dir: &self.working_dir,
            own: self.own,
        };
        let host = Host { files: self.files, working_dir: &self.working_dir, now: self.now };
        then(&[&known, &host])
    }

    /// A template that has to be final.
    pub(super) fn text(&self, template: &str) -> Result<String, ExprError> {
        if !template.contains("{{") {
            return Ok(template.to_owned());
        }
        self.with(|scopes| {
            let result = expr::compile_template(template)?.finish(scopes, Finalizer::Fail)?;
            Ok(result.require()?.string_form().into_owned())
        })
    }

    /// A path, from the working directory where it is relative.
    pub(super) fn path(&self, template: &str) -> Result<String, ExprError> {
        Ok(expr::abspath(&self.working_dir, &self.text(template)?))
    }

    /// An expression that has to be final.
    pub(super) fn holds(&self, condition: &str) -> Result<bool, ExprError> {
        self.with(|scopes| Ok(expr::compile(condition)?.finish(scopes, Finalizer::Fail)?.require()?.bool_form()))
    }

    /// A template of a duration.
    pub(super) fn duration(&self, template: &str) -> Result<Duration, String> {
        let text = self.text(template).map_err(|error| format!("timeout: {error}"))?;
        let nanos = duration::parse_spaced(&text).map_err(|error| format!("timeout `{text}`: {error}"))?;
        Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
    }
}

/// Files of a folder that patterns match, sorted.
pub(super) fn matching(
    files: &BTreeMap<String, String>,
    dir: &str,
    patterns: &[String],
) -> Result<Vec<String>, ExprError> {
    let globs = Globs::new(dir, patterns).map_err(|error| ExprError::new(error.to_string()))?;
    Ok(files.keys().filter(|path| globs.matches(path)).cloned().collect())
}

/// Answers `file`, `glob` and `date`.
struct Host<'a> {
    files: &'a BTreeMap<String, String>,
    working_dir: &'a str,
    now: Timestamp,
}

impl Scope for Host<'_> {
    fn get(&self, _: &str) -> Result<Option<Expr>, ExprError> {
        Ok(None)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        let value = match name {
            "file" => {
                let path = args.first().map(Value::string_form).unwrap_or_default();
                let path = expr::abspath(self.working_dir, &path);
                let text = self.files.get(&path).cloned();
                Value::from(text.ok_or_else(|| ExprError::new(format!("file {path}: there is none")))?)
            }
            "glob" => {
                let patterns: Vec<String> = args.iter().map(|arg| arg.string_form().into_owned()).collect();
                let found = matching(self.files, self.working_dir, &patterns)?;
                Value::list(found.into_iter().map(Value::from).collect())
            }
            "date" => Value::from(expr::date(self.now, args.first().map(Value::string_form).as_deref())?),
            _ => return Ok(None),
        };
        Ok(Some(value.into()))
    }
}
