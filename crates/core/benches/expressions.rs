//! How long a case of the conformance suite takes on average: compiled and resolved, without those that ask the world
//! or fail. Prints `expressions: X ns per case over N cases`.

#![expect(clippy::disallowed_methods, reason = "a clock and a file are what this is about")]

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Deserialize;
use testudo_core::expr::{Scope, Value, Vars, compile, compile_template};

#[derive(Deserialize)]
struct Case {
    kind: String,
    src: String,
    vars: BTreeMap<String, Value>,
    expect: serde_json::Value,
}

const ASKS_THE_WORLD: &[&str] = &["jq(", "date(", "relpath(", "abspath("];

fn main() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance/expressions.cases.jsonl");
    let text = fs::read_to_string(path).expect("the cases are part of the repository");
    let cases: Vec<(bool, String, Vars)> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a case a line"))
        .filter(|case: &Case| case.expect.get("error").is_none())
        .filter(|case| !ASKS_THE_WORLD.iter().any(|call| case.src.contains(call)))
        .map(|case| (case.kind == "template", case.src, case.vars.into_iter().collect()))
        .collect();
    let round = || {
        for (template, src, vars) in &cases {
            let scopes: [&dyn Scope; 1] = [vars];
            let compiled = if *template { compile_template(src) } else { compile(src) };
            let _ = black_box(compiled.and_then(|compiled| compiled.resolve(&scopes)));
        }
    };
    // The best of many short runs: what else the machine does only ever adds.
    let end = Instant::now() + Duration::from_secs(2);
    let mut best = Duration::MAX;
    while Instant::now() < end {
        let start = Instant::now();
        round();
        best = best.min(start.elapsed());
    }
    println!("expressions: {} ns per case over {} cases", best.as_nanos() / cases.len() as u128, cases.len());
}
