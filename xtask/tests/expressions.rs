//! The program itself over the expression cases: it is its own helper for `jq`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testudo_agent::jq::JqHost;
use testudo_core::expr::Value;

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

fn jq(query: &str) -> Result<String, String> {
    let host = JqHost::with_program(XTASK).with_time_limit(Duration::from_secs(2));
    host.run(&Value::Int(1), query).map(|outputs| outputs.to_json_text()).map_err(|error| error.message)
}

#[test]
fn expressions_agree_with_the_reference() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/expressions.cases.jsonl");
    let run = Command::new(XTASK).args(["conformance", "expressions"]).arg(cases).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}

#[test]
fn a_query_that_never_ends_is_ended() {
    assert!(jq("def f: f; f").unwrap_err().contains("took longer"));
}

#[test]
fn a_query_that_wants_all_memory_fails_alone() {
    assert!(jq("[limit(1e9; repeat(\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"))] | length").is_err());
    assert!(jq("def f: [f]; f").is_err());
    assert_eq!(jq("[range(100000)] | add").unwrap(), "[4999950000]");
}

#[test]
fn the_helper_has_no_environment_to_leak() {
    for query in ["env", "$ENV", "halt", "input", "debug"] {
        assert!(jq(query).unwrap_err().contains("not defined"), "{query}");
    }
}

#[test]
fn a_request_that_is_none_gets_an_error_for_an_answer() {
    let mut helper = Command::new(XTASK).arg("jq").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    helper.stdin.take().unwrap().write_all(b"nonsense").unwrap();
    let answer = helper.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&answer.stdout).starts_with("{\"error\":"));
}
