//! What expressions can ask of the unit's own files and moment, and the surroundings of an operation made final.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use testudo_core::{
    expr::{self, Expr, ExprError, Finalizer, Scope, Value},
    plan::{Reference, ReferenceKind, Surroundings},
    run::{RunScope, UnitRun, Values, veil},
    source::Node,
};

use crate::{family::Shelf, habitat::Place, jq::JqHost};

/// Answers `file`, `glob`, `relpath`, `abspath`, `date`, `jq` and `read_artifact`.
pub(crate) struct HostScope<'a> {
    pub working_dir: &'a Path,
    pub run: &'a UnitRun,
    /// None where nothing can be waited for.
    pub shelf: Option<&'a Shelf>,
}

impl Scope for HostScope<'_> {
    fn get(&self, _: &str) -> Result<Option<Expr>, ExprError> {
        Ok(None)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        let value = match name {
            "file" => self.file(args)?,
            "glob" => self.glob(args)?,
            "date" => {
                let layout = args.first().map(Value::string_form);
                Value::from(expr::date(Timestamp::now(), layout.as_deref())?)
            }
            "read_artifact" => match self.shelf {
                Some(shelf) => shelf.read(self.run, args)?,
                None => return Err(ExprError::new("read_artifact() cannot be used here: keep the text in `env`")),
            },
            // In the unit's root the binary's own path may lead nowhere.
            "jq" => return JqHost::with_program("/proc/self/exe").call(name, args),
            // With a base of their own these need no working directory, and nobody is asked.
            "relpath" | "abspath" => {
                let [Value::Str(path)] = args else { return Ok(None) };
                let dir = self.working_dir.to_string_lossy();
                let absolute = expr::abspath(&dir, path);
                Value::from(if name == "abspath" { absolute } else { expr::relpath(&absolute, &dir) })
            }
            _ => return Ok(None),
        };
        Ok(Some(value.into()))
    }
}

impl HostScope<'_> {
    fn file(&self, args: &[Value]) -> Result<Value, ExprError> {
        let [Value::Str(path)] = args else {
            return Err(ExprError::new("file() takes one text: the path of a file"));
        };
        let path = self.working_dir.join(&**path);
        match fs::read(&path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned().into()),
            Err(error) => Err(ExprError::new(format!("file {}: {error}", path.display()))),
        }
    }

    fn glob(&self, args: &[Value]) -> Result<Value, ExprError> {
        let patterns: Vec<String> = args
            .iter()
            .flat_map(|arg| match arg {
                Value::List(items) => items.iter().map(|item| item.string_form().into_owned()).collect(),
                other => vec![other.string_form().into_owned()],
            })
            .collect();
        let found = crate::operations::walk::matching(self.working_dir, &patterns).map_err(ExprError::new)?;
        let found = found.into_iter().map(|path| Value::from(path.to_string_lossy().into_owned()));
        Ok(Value::list(found.collect()))
    }
}

/// The environment of an operation, final.
pub(crate) struct Environment {
    pub variables: BTreeMap<String, String>,
    pub working_dir: PathBuf,
    /// What was wrong with the working directory.
    pub warning: Option<String>,
    /// What its place says of the container, by the number of the source in the plan.
    pub sources: BTreeMap<usize, String>,
}

/// Makes the surroundings of a step final: variables first, which may use one another, then the directory.
pub(crate) fn environment(
    run: &UnitRun,
    step: usize,
    surroundings: &Surroundings,
    values: &Values,
    shelf: &Shelf,
    place: &Place,
) -> Result<Environment, ExprError> {
    let mut variables = place.env.clone();
    variables.extend(values.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    variables.insert("CI".to_owned(), "1".to_owned());
    for from in &surroundings.env_from {
        let all = Reference { key: None, ..from.reference.clone() }.path();
        let prefix = all.trim_end_matches('*');
        for (path, value) in values.references.range(prefix.to_owned()..) {
            let Some(key) = path.strip_prefix(prefix) else { break };
            variables.insert(format!("{}{key}", from.prefix), value.clone());
        }
    }
    let mut templates = BTreeMap::new();
    for variable in &surroundings.env {
        // The last of a name wins.
        templates.remove(&variable.name);
        match (&variable.value_from, variable.value.as_deref()) {
            (Some(from), _) => {
                variables.extend(value_from(from, run, values, place).map(|value| (variable.name.clone(), value)));
            }
            (None, Some(value)) if value.contains("{{") => {
                templates.insert(variable.name.clone(), value);
            }
            (None, value) => {
                variables.insert(variable.name.clone(), value.unwrap_or_default().to_owned());
            }
        }
    }
    let lazy = LazyEnv {
        known: RunScope { run, step, env: &variables, references: &values.references, working_dir: "/", own: None },
        templates: &templates,
        shelf,
        done: RefCell::default(),
        visiting: RefCell::default(),
    };
    for name in templates.keys() {
        lazy.value(name)?;
    }
    let done = lazy.done.into_inner();
    variables.extend(done);
    for value in variables.values_mut().filter(|value| veil::is_veiled(value)) {
        *value = veil::unveil(value, &values.references);
    }
    let (working_dir, warning) = working_dir(run, step, surroundings, values, &variables, place)?;
    variables.entry("PWD".to_owned()).or_insert_with(|| working_dir.to_string_lossy().into_owned());
    Ok(Environment { variables, working_dir, warning, sources: place.sources.clone() })
}

/// Variables that are templates, which may use one another in any order.
struct LazyEnv<'a> {
    known: RunScope<'a>,
    templates: &'a BTreeMap<String, &'a str>,
    shelf: &'a Shelf,
    done: RefCell<BTreeMap<String, String>>,
    visiting: RefCell<Vec<String>>,
}

impl LazyEnv<'_> {
    fn value(&self, name: &str) -> Result<String, ExprError> {
        if let Some(done) = self.done.borrow().get(name) {
            return Ok(done.clone());
        }
        let visiting = self.visiting.borrow().clone();
        if let Some(at) = visiting.iter().position(|one| one == name) {
            let circle = [&visiting[at..], &[name.to_owned()]].concat().join(" → ");
            return Err(ExprError::new(format!("variables refer to one another: {circle}")));
        }
        self.visiting.borrow_mut().push(name.to_owned());
        let host = HostScope { working_dir: Path::new("/"), run: self.known.run, shelf: Some(self.shelf) };
        let text = expr::compile_template(self.templates[name])
            .and_then(|template| template.finish(&[self, &self.known, &host], Finalizer::Fail))
            .and_then(|result| Ok(result.require()?.string_form().into_owned()))
            .map_err(|error| error.within(&format!("env {name}")))?;
        self.visiting.borrow_mut().pop();
        self.done.borrow_mut().insert(name.to_owned(), text.clone());
        Ok(text)
    }
}

impl Scope for LazyEnv<'_> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        let Some(variable) = name.strip_prefix("env.") else { return Ok(None) };
        let own = self.visiting.borrow().last().is_some_and(|last| last == variable);
        // A variable that extends itself means the value it had before.
        if own && self.known.env.contains_key(variable) || !self.templates.contains_key(variable) {
            return Ok(None);
        }
        self.value(variable).map(|text| Some(Value::from(text).into()))
    }
}

fn value_from(from: &Node, run: &UnitRun, values: &Values, place: &Place) -> Option<String> {
    if let Some(number) = run.plan().source(from) {
        return place.sources.get(&number).cloned();
    }
    let known = |field: &str, kind| {
        let node = from.get(field)?;
        let (name, key) = (node.get_str("name")?.to_owned(), node.get_str("key")?.to_owned());
        let path = Reference { kind, name, key: Some(key), optional: true }.path();
        values.references.get(&path).cloned()
    };
    known("secretKeyRef", ReferenceKind::Secret).or_else(|| known("configMapKeyRef", ReferenceKind::ConfigMap))
}

/// Applies every working directory in turn and makes the result exist; where that fails, the nearest outer one that
/// exists serves, with a warning.
fn working_dir(
    run: &UnitRun,
    step: usize,
    surroundings: &Surroundings,
    values: &Values,
    variables: &BTreeMap<String, String>,
    place: &Place,
) -> Result<(PathBuf, Option<String>), ExprError> {
    let mut levels = vec![place.dir.clone()];
    for text in &surroundings.working_dir {
        let outer = &levels[levels.len() - 1];
        let text = final_text(text, run, step, variables, &values.references, outer)?;
        if !text.is_empty() {
            levels.push(normal(&outer.join(&text)));
        }
    }
    if place.is_elsewhere {
        return Ok((levels.pop().unwrap_or_default(), None));
    }
    let mut warning = None;
    while let Some(dir) = levels.pop() {
        match fs::create_dir_all(&dir) {
            Ok(()) => return Ok((dir, warning)),
            Err(error) => {
                warning.get_or_insert_with(|| {
                    format!("warn: error using {} as working directory: {error}", dir.display())
                });
            }
        }
    }
    Ok((place.dir.clone(), warning))
}

/// Evaluates a template that has to be final.
pub(crate) fn final_text(
    template: &str,
    run: &UnitRun,
    step: usize,
    env: &BTreeMap<String, String>,
    references: &BTreeMap<String, String>,
    working_dir: &Path,
) -> Result<String, ExprError> {
    if !template.contains("{{") {
        return Ok(template.to_owned());
    }
    let dir = working_dir.to_string_lossy();
    let known = RunScope { run, step, env, references, working_dir: &dir, own: None };
    let host = HostScope { working_dir, run, shelf: None };
    let result = expr::compile_template(template)?.finish(&[&known, &host], Finalizer::Fail)?;
    Ok(result.require()?.string_form().into_owned())
}

/// A path without `.` and `..`, by its text alone.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                out.pop();
            }
            std::path::Component::Normal(name) => out.push(name),
            _ => {}
        }
    }
    out
}
