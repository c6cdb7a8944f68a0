//! Expressions and templates, each resolved against one scope of plain variables.

use serde::Deserialize;
use serde_json::Value as Json;
use testudo_agent::jq::JqHost;
use testudo_core::expr::{Expr, ExprError, Scope, Value, Vars, compile, compile_template, date};

use super::Verdict;

#[derive(Deserialize)]
struct Case {
    kind: String,
    src: String,
    #[serde(default)]
    vars: std::collections::BTreeMap<String, Value>,
    expect: Expectation,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expectation {
    Value(Json),
    Error(String),
    Residual(String),
}

pub(crate) fn check(case: &Json) -> Verdict {
    let Case { kind, src, vars, expect } = Case::deserialize(case).map_err(|error| format!("  bad case: {error}"))?;
    let template = match kind.as_str() {
        "expression" => false,
        "template" => true,
        other => return Err(format!("  bad case: unknown kind {other}")),
    };
    let vars: Vars = vars.into_iter().collect();
    let outcome = (if template { compile_template(&src) } else { compile(&src) })
        .and_then(|compiled| compiled.resolve(&[&vars, &Host]));
    let fits = match (&expect, &outcome) {
        (Expectation::Value(wanted), Ok(got)) => got.value().is_some_and(|got| same(wanted, got)),
        (Expectation::Error(fragment), Err(error)) => error.message.contains(fragment),
        (Expectation::Residual(text), Ok(got)) => !got.is_static() && shown(got, template) == *text,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let got = match &outcome {
        Ok(got) if got.is_static() => format!("value {}", shown(got, false)),
        Ok(got) => format!("residual {}", shown(got, template)),
        Err(error) => format!("error {error}"),
    };
    Err(format!("  {kind} {src:?}\n  wanted {}\n  got    {got}", case["expect"]))
}

fn shown(expr: &Expr, template: bool) -> String {
    if template { expr.template() } else { expr.text() }
}

/// Numbers by value, and every kind of null alike.
fn same(wanted: &Json, got: &Value) -> bool {
    match (wanted, got) {
        (Json::Null, Value::None | Value::Nil) => true,
        (Json::Bool(a), Value::Bool(b)) => a == b,
        (Json::String(a), Value::Str(b)) => **a == **b,
        (Json::Number(_), Value::Int(_) | Value::Float(_)) => Value::deserialize(wanted).is_ok_and(|a| a == *got),
        (Json::Array(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(&**b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key.as_str()).is_some_and(|b| same(a, b)))
        }
        _ => false,
    }
}

/// What the world outside answers: the time, the working directory, and `jq` by way of this very program.
struct Host;

impl Scope for Host {
    fn get(&self, name: &str) -> Result<Option<Expr>, ExprError> {
        Ok((name == "workingDir").then(|| "/work".into()))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Option<Expr>, ExprError> {
        match name {
            "date" => {
                let layout = args.first().map(Value::string_form);
                date(jiff::Timestamp::now(), layout.as_deref()).map(|text| Some(text.into()))
            }
            "jq" => JqHost::new().map_err(|error| ExprError::new(error.to_string()))?.call(name, args),
            _ => Ok(None),
        }
    }
}
