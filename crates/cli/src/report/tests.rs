use jiff::Timestamp;
use testudo_core::{
    junit,
    plan::{self, Context, Identity},
    run::{Case, CaseStatus, Event, Execution, Report, UnitKey},
    source::{Scalars, parse_first},
};

use super::{Format, render};

fn case(name: &str, status: CaseStatus, duration: u64, message: &str) -> Case {
    Case {
        suite: "pytest".to_owned(),
        class: "tests.test_cart".to_owned(),
        name: name.to_owned(),
        file: Some("tests/test_cart.py".to_owned()),
        line: Some(41),
        status,
        duration,
        message: message.to_owned(),
        details: String::new(),
    }
}

/// One unit that reported these cases in a file.
fn execution(cases: Vec<Case>) -> Execution {
    let spec = parse_first("steps: [{name: Tests, shell: make}]", Scalars::Kubernetes).unwrap();
    let context = Context {
        workflow: "shop".to_owned(),
        execution: Identity { id: "e1".to_owned(), name: "shop-1".to_owned(), number: 1, ..Identity::default() },
        ..Context::default()
    };
    let plan = plan::build(&spec, &context).unwrap();
    let (unit, life, at) = (UnitKey::main(), "a".to_owned(), Timestamp::UNIX_EPOCH);
    let report = Report::Cases { step: 1, file: "junit.xml".to_owned(), kind: "junit".to_owned(), cases };
    let log = [
        Event::Created { at },
        Event::Met { unit: unit.clone(), life: life.clone(), address: None, at },
        Event::Reported { unit, life, seq: 1, at: Timestamp::from_second(3).unwrap(), report },
    ];
    Execution::replay(plan.into(), &log).unwrap()
}

fn some() -> Vec<Case> {
    vec![
        case("test_empty", CaseStatus::Passed, 1500, ""),
        case("test_total[a|b]", CaseStatus::Failed, 20, "AssertionError: `1` <> 2\n``` & more"),
        case("test_later", CaseStatus::Skipped, 0, "not yet"),
        case("test_db", CaseStatus::Errored, 5, "OSError: \u{1}no"),
    ]
}

#[test]
fn what_is_written_as_junit_can_be_read_again() {
    let text = render(&execution(some()), Format::Junit).unwrap();
    let read = junit::read(text.as_bytes());
    assert_eq!(read.lost, Vec::<String>::new());
    let told = |cases: &[Case]| -> Vec<_> {
        let line = |case: &Case| (case.name.clone(), case.class.clone(), case.status, case.duration, case.line);
        cases.iter().map(line).collect()
    };
    assert_eq!(told(&read.cases), told(&some()));
    assert!(text.contains(r#"<property name="step" value="Tests"/>"#), "{text}");
    assert!(text.contains(r#"name="Tests · junit.xml""#), "{text}");
    assert_eq!(read.cases[1].message, some()[1].message);
}

#[test]
fn json_has_the_numbers_and_every_case() {
    let text = render(&execution(some()), Format::Json).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["summary"]["tests"], 4);
    assert_eq!(value["duration"], 3000);
    assert_eq!(value["reports"][0]["cases"][1]["status"], "failed");
    assert_eq!(value["reports"][0]["file"], "junit.xml");
}

#[test]
fn markdown_says_what_failed_and_what_was_slow() {
    let text = render(&execution(some()), Format::Md).unwrap();
    assert_eq!(
        text,
        "\
# shop-1

| tests | passed | failed | errors | skipped | time |
|--:|--:|--:|--:|--:|--:|
| 4 | 1 | 1 | 1 | 1 | 3.0s |

## Failed

### tests/test\\_cart.py::test\\_total\\[a\\|b\\]

Tests · `tests/test_cart.py:41`

````text
AssertionError: `1` <> 2
``` & more
````

### tests/test\\_cart.py::test\\_db

Tests · `tests/test_cart.py:41`

```text
OSError: \u{1}no
```

## Slowest

| time | case | worker |
|--:|---|---|
| 1.5s | `tests/test_cart.py::test_empty` |  |
| 20ms | `tests/test_cart.py::test_total[a\\|b]` |  |
| 5ms | `tests/test_cart.py::test_db` |  |
"
    );
}

#[test]
fn a_run_without_reports_says_so() {
    let spec = parse_first("steps: [{shell: make}]", Scalars::Kubernetes).unwrap();
    let plan = plan::build(&spec, &Context::default()).unwrap();
    let text = render(&Execution::replay(plan.into(), &[]).unwrap(), Format::Md).unwrap();
    assert!(text.ends_with("There are no test reports in this run.\n"));
}
