//! Who answers, in which order, and what becomes of the rest.

use super::{resolved, vars};
use crate::expr::{
    Expr, ExprError, Finalizer, Only, Ordered, Prefixed, Renamed, Scope, Value, Vars, calls, compile, names,
};

fn finished(text: &str, scopes: &[&dyn Scope], finalizer: Finalizer<'_>) -> String {
    match compile(text).and_then(|expr| expr.finish(scopes, finalizer)) {
        Ok(expr) => expr.text(),
        Err(error) => error.message,
    }
}

#[test]
fn the_first_scope_that_knows_a_name_or_its_parent_answers() {
    let first = vars(r#"{"a": {"b": 1}}"#);
    let second = vars(r#"{"a.b": 2, "a.c.d": 3}"#);
    assert_eq!(resolved("a.b", &[&first, &second]), "1");
    assert_eq!(resolved("a.b", &[&second, &first]), "2");
    assert_eq!(resolved("a.c.d", &[&first, &second]), "3");
    assert_eq!(resolved("a.x", &[&first, &second]), "null");
}

#[test]
fn an_answer_may_be_another_expression() {
    let scope =
        Vars::new().with("x", compile("y + 1").unwrap()).with("y", Value::Int(2)).with("m", compile("later").unwrap());
    assert_eq!(resolved("x * 2", &[&scope]), "6");
    assert_eq!(resolved("m.k.0", &[&scope]), "later.k.0");
}

#[test]
fn scopes_that_answer_with_each_other_are_noticed() {
    let swap = Vars::new().with("a", Expr::name("b")).with("b", Expr::name("a"));
    assert!(resolved("a", &[&swap]).contains("maximum call stack exceeded"));
    let grow = Vars::one("a", compile("1 + a").unwrap());
    assert!(resolved("a", &[&grow]).contains("maximum call stack exceeded"));
}

#[test]
fn an_error_of_a_scope_counts_unless_the_parent_is_known() {
    let failing = names(|name| match name {
        "a" => Ok(Some(Value::from(crate::expr::Map::from([("b".into(), Value::Int(1))])).into())),
        _ => Err(ExprError::new("broken")),
    });
    assert_eq!(resolved("a.b", &[&failing]), "1");
    assert_eq!(resolved("c", &[&failing]), "error: error while accessing c: broken");
}

#[test]
fn standard_functions_win_and_only_what_needs_the_world_is_asked_for() {
    let host = calls(|name, args| match name {
        "len" => Ok(Some(Value::Int(-1).into())),
        "date" | "jq" | "secret" => Ok(Some(format!("{name}/{}", args.len()).into())),
        _ => Ok(None),
    });
    assert_eq!(resolved("len(\"abc\")", &[&host]), "3");
    assert_eq!(resolved("date()", &[&host]), r#""date/0""#);
    assert_eq!(resolved("jq([1], \".\")", &[&host]), r#""jq/2""#);
    assert_eq!(resolved("secret([1,2]..., 3)", &[&host]), r#""secret/3""#);
    assert_eq!(resolved("other(1)", &[&host]), "other(1)");
    assert_eq!(resolved("secret(x)", &[&host]), "secret(x)");
}

#[test]
fn building_blocks_combine() {
    let config = Prefixed::new("config.", vars(r#"{"a": 1, "b.c": 2}"#));
    assert_eq!(resolved("config.a + config.b.c + a", &[&config]), "3+a");
    let only = Only::new("env.", vars(r#"{"env.A": "x", "b": "y"}"#));
    assert_eq!(resolved("env.A + b", &[&only]), r#""x"+b"#);
    let renamed = Renamed::new("config.", "hidden.");
    assert_eq!(resolved("config.a + config", &[&renamed]), "hidden.a+config");
    let ordered = Ordered(vec![vars(r#"{"a": 1}"#), vars(r#"{"a": 2, "b": 3}"#)]);
    assert_eq!(resolved("a + b", &[&ordered]), "4");
}

#[test]
fn a_failing_finalizer_names_the_argument() {
    assert_eq!(finished("len(x)", &[], Finalizer::Fail), "error while accessing x: unknown variable");
    assert_eq!(finished("f(1)", &[], Finalizer::Fail), "error while calling f(1): unknown function");
    assert_eq!(finished("1 + 1", &[], Finalizer::Fail), "2");
}

#[test]
fn only_what_is_still_reachable_is_finalized() {
    let scope = vars(r#"{"l": [1], "a": false}"#);
    assert_eq!(finished("len(l) > 5 && b", &[&scope], Finalizer::Fail), "false");
    assert_eq!(finished("a && b", &[&scope], Finalizer::Fail), "false");
    assert_eq!(finished("len(l) < 5 && b", &[&scope], Finalizer::Fail), "error while accessing b: unknown variable");
}

#[test]
fn a_finalizer_may_be_limited_to_a_prefix_or_lenient() {
    let prefix = Finalizer::FailPrefix("config.");
    assert_eq!(finished("env.A + config.x", &[], prefix), "error while accessing config.x: unknown variable");
    assert_eq!(finished("env.A + 1", &[], prefix), "env.A+1");
    assert_eq!(finished("env.A + \"x\"", &[], Finalizer::None), "\"x\"");
    assert_eq!(finished("a + f(1)", &[], Finalizer::Preserve), "a+f(1)");
}

#[test]
fn what_is_left_is_named_when_a_value_is_required() {
    let left = compile("a && 1").unwrap();
    assert_eq!(left.require().unwrap_err().message, "expression should be static: a&&1");
}

#[test]
fn an_error_in_a_branch_not_yet_excluded_fails_the_whole() {
    assert!(resolved("flag ? 1 / 0 : 2", &[]).contains("divide by zero"));
    assert_eq!(resolved("false ? 1 / 0 : 2", &[]), "2");
}
