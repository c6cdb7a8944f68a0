//! `config.*`: given values, defaults, and which of them may not be written down.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::expr::{Expr, ExprError, Scope, Value, compile_template};
use crate::source::{Diagnostic, Node};
use crate::workflow::nearest;

use super::cast::Type;
use super::check::check_value;

/// The function that stands in a resolved document for a value that is kept beside it.
pub const SENSITIVE: &str = "sensitive";

const CIRCULAR: &str = "default refers to itself";

/// Config values that a run was given, as text.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub values: IndexMap<Arc<str>, Arc<str>>,
    /// They come from a person, who may have mistyped a name; triggers give more than a workflow declares.
    pub by_person: bool,
}

/// A value that belongs into the execution's secret, under the id the document knows it by.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive {
    pub id: Arc<str>,
    pub value: Arc<str>,
}

impl std::fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sensitive({})", self.id)
    }
}

/// What is remembered with an execution of one parameter that is not sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub name: Arc<str>,
    pub value: Option<Arc<str>>,
    /// The default, as far as it is known.
    pub default: Option<Arc<str>>,
}

/// The sensitive values of one resolution, numbered in the order of their first use.
#[derive(Default)]
pub(super) struct Vault {
    values: RefCell<Vec<Sensitive>>,
}

impl Vault {
    fn keep(&self, value: &str) -> Arc<str> {
        let mut values = self.values.borrow_mut();
        let id: Arc<str> = format!("s{}", values.len() + 1).into();
        values.push(Sensitive { id: id.clone(), value: value.into() });
        id
    }

    pub(super) fn into_values(self) -> Vec<Sensitive> {
        self.values.into_inner()
    }
}

/// The text of a parameter before its cast.
pub(super) enum Source {
    /// As it is: `{{ }}` in it means nothing.
    Literal(Arc<str>),
    Template(Arc<str>),
}

/// The scope of `config.*` for one document. Defaults are evaluated when something needs them.
pub(super) struct Config<'c> {
    schema: Option<&'c Node>,
    given: BTreeMap<Arc<str>, Source>,
    outer: &'c [&'c dyn Scope],
    vault: &'c Vault,
    strict: bool,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    known: BTreeMap<String, Result<Option<Expr>, ExprError>>,
    /// Sensitive parameters that have been used, with what stands for them.
    handed_out: BTreeMap<String, Expr>,
    visiting: Vec<String>,
    /// A cycle is reported once, by name, whatever an expression made of the error.
    cycle: Option<(String, String)>,
}

impl<'c> Config<'c> {
    pub(super) fn new(
        schema: Option<&'c Node>,
        given: BTreeMap<Arc<str>, Source>,
        outer: &'c [&'c dyn Scope],
        vault: &'c Vault,
        strict: bool,
    ) -> Self {
        Self { schema, given, outer, vault, strict, state: RefCell::default() }
    }

    fn parameter(&self, name: &str) -> Option<&'c Node> {
        self.schema?.get(name)
    }

    /// Casts and checks all values and defaults, used or not.
    pub(super) fn check(&self, path: &str) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let declared = self.schema.map_or(&[][..], Node::entries);
        for (name, schema) in declared {
            let span = schema.get("default").map_or(name.span, |node| node.span);
            for which in [Which::Default, Which::Effective] {
                if let Err(error) = self.cast(name, which) {
                    let cycle = self.state.borrow_mut().cycle.take();
                    let message = match cycle {
                        Some((at, cycle)) => format!("config.{at}: {CIRCULAR} ({cycle})"),
                        // The others of the circle, and whoever needs them.
                        None if error.message.contains(CIRCULAR) && !found.is_empty() => break,
                        None => format!("config.{}: {}", name.text, error.message),
                    };
                    found.push(
                        Diagnostic::error("config-value", message).at(span).path(format!("{path}.{}", name.text)),
                    );
                    break;
                }
            }
        }
        found
    }

    fn cast(&self, name: &str, which: Which) -> Result<(), ExprError> {
        if which == Which::Default && !self.given.contains_key(name) {
            return Ok(());
        }
        let text = match which {
            Which::Default => match self.parameter(name).and_then(|schema| schema.get("default")) {
                Some(default) => Source::Template(default.scalar_text().unwrap_or_default()),
                None => return Ok(()),
            },
            Which::Effective => return self.value(name).map(|_| ()),
        };
        self.evaluate(name, &text).map(|_| ())
    }

    /// The value of `config.<name>`, if it has one.
    fn value(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        if let Some(known) = self.state.borrow().known.get(name) {
            return known.clone();
        }
        let default = || {
            let default = self.parameter(name)?.get("default")?;
            Some(Source::Template(default.scalar_text()?))
        };
        let fallback;
        let source = match self.given.get(name) {
            Some(source) => source,
            None => match default() {
                Some(source) => {
                    fallback = source;
                    &fallback
                }
                None => return Ok(None),
            },
        };
        self.enter(name)?;
        let value = self.evaluate(name, source).map(Some);
        let mut state = self.state.borrow_mut();
        state.visiting.pop();
        state.known.insert(name.to_owned(), value.clone());
        value
    }

    fn enter(&self, name: &str) -> Result<(), ExprError> {
        let mut state = self.state.borrow_mut();
        if let Some(start) = state.visiting.iter().position(|visited| visited == name) {
            let mut cycle: Vec<String> = state.visiting[start..].iter().map(|name| format!("config.{name}")).collect();
            cycle.push(format!("config.{name}"));
            let cycle = cycle.join(" → ");
            let message = format!("{CIRCULAR} ({cycle})");
            state.cycle = Some((name.to_owned(), cycle));
            return Err(ExprError::new(message));
        }
        state.visiting.push(name.to_owned());
        Ok(())
    }

    fn evaluate(&self, name: &str, source: &Source) -> Result<Expr, ExprError> {
        let schema = self.parameter(name);
        let kind = Type::of(schema);
        let text: Arc<str> = match source {
            Source::Literal(text) => text.clone(),
            Source::Template(template) => {
                let mut scopes: Vec<&dyn Scope> = vec![self];
                scopes.extend(self.outer);
                let expr = compile_template(template)?.resolve(&scopes)?;
                match expr.value() {
                    Some(value) => value.string_form().into(),
                    None => return kind.cast_later(&expr),
                }
            }
        };
        let value = match schema {
            Some(schema) if self.strict => check_value(schema, &text).map_err(ExprError::new)?,
            _ => kind.cast(&text).map_err(ExprError::new)?,
        };
        Ok(value.into())
    }

    /// What a reader of the document gets: of a sensitive value only where to find it.
    fn handed_out(&self, name: &str, value: Expr) -> Result<Expr, ExprError> {
        let sensitive = self.parameter(name).and_then(|schema| schema.get_bool("sensitive")) == Some(true);
        let (true, Some(known)) = (sensitive, value.value()) else { return Ok(value) };
        if let Some(known) = self.state.borrow().handed_out.get(name) {
            return Ok(known.clone());
        }
        let id = self.vault.keep(&known.string_form());
        let call = Expr::call(SENSITIVE, [Value::Str(id)])?;
        let call = Type::of(self.parameter(name)).cast_later(&call)?;
        self.state.borrow_mut().handed_out.insert(name.to_owned(), call.clone());
        Ok(call)
    }

    /// What is to be remembered of the declared parameters. Called when all went well.
    pub(super) fn recorded(&self) -> Vec<Recorded> {
        let declared = self.schema.map_or(&[][..], Node::entries);
        let plain = declared.iter().filter(|(_, schema)| schema.get_bool("sensitive") != Some(true));
        let recorded: Vec<Recorded> = plain
            .map(|(name, schema)| Recorded {
                name: name.text.clone(),
                value: match self.given.get(&name.text) {
                    Some(Source::Literal(text) | Source::Template(text)) => Some(text.clone()),
                    None => None,
                },
                default: schema.get("default").and_then(|node| {
                    let source = Source::Template(node.scalar_text()?);
                    let value = self.evaluate(name, &source).ok()?;
                    Some(value.value().map_or_else(|| value.template().into(), |value| value.string_form().into()))
                }),
            })
            .collect();
        let size: usize = recorded
            .iter()
            .map(|entry| {
                let len = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
                entry.name.len() + len(&entry.value) + len(&entry.default)
            })
            .sum();
        // More than this is not worth keeping with every execution.
        if size > 3 << 20 { Vec::new() } else { recorded }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Default,
    Effective,
}

impl Scope for Config<'_> {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        let Some(name) = name.strip_prefix("config.") else { return Ok(None) };
        match self.value(name)? {
            Some(value) => self.handed_out(name, value).map(Some),
            None => Ok(None),
        }
    }
}

/// What is odd about given values, and yet no error: names that resemble declared ones, words that are no booleans,
/// secrets too short to be masked.
pub(super) fn doubtful(given: &Given, schema: Option<&Node>) -> Vec<Diagnostic> {
    let declared: Vec<&str> = schema.map_or(&[][..], Node::entries).iter().map(|(name, _)| &*name.text).collect();
    let mut found = Vec::new();
    for (name, text) in &given.values {
        let path = format!("config.{name}");
        let Some(parameter) = schema.and_then(|schema| schema.get(name)) else {
            let near =
                nearest(name, declared.iter().copied()).filter(|_| given.by_person && !declared.contains(&&**name));
            found.extend(near.map(|near| {
                let message = format!("config.{name} is given but not declared");
                Diagnostic::hint("undeclared-config", message).path(path).help(format!("did you mean `{near}`?"))
            }));
            continue;
        };
        if Type::of(Some(parameter)) == Type::Boolean && !matches!(&**text, "true" | "false") {
            let value = Type::Boolean.cast(text).is_ok_and(|value| value.bool_form());
            let message = format!("config.{name}: {text:?} means {value}");
            found.push(Diagnostic::warning("boolean-word", message).path(path.clone()));
        }
        if parameter.get_bool("sensitive") == Some(true) && text.len() < 3 {
            let message = format!("config.{name}: a value of fewer than 3 bytes cannot be masked in logs");
            found.push(Diagnostic::warning("short-secret", message).path(path));
        }
    }
    found
}
