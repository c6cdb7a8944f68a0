use proptest::prelude::*;

use super::*;
use crate::source::{SourceFile, Sources};

const HEAD: &str = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata: {name: a}\n";

/// The findings for a text, as `line:column message (help)`.
fn findings(text: &str) -> Vec<String> {
    let sources = Sources::new([SourceFile::new("a.yaml", text)]);
    let (_, found) = load(&sources, Reading::default());
    found
        .iter()
        .map(|found| {
            let found = sources.finding(found);
            let help = found.help.map_or(String::new(), |help| format!(" ({help})"));
            format!("{}:{} {}{help}", found.line.unwrap_or(0), found.column.unwrap_or(0), found.message)
        })
        .collect()
}

/// The findings for the spec of a workflow, whose first line is 4.
#[track_caller]
fn check(spec: &str, expected: &[&str]) {
    assert_eq!(findings(&format!("{HEAD}{spec}")), expected);
}

#[test]
fn unknown_fields_name_the_near_one() {
    check("spec:\n  steps:\n  - paralel: {}\n", &["6:5 a step has no field `paralel` (did you mean `parallel`?)"]);
    let nested = "spec:\n  steps:\n  - steps:\n    - setup:\n      - parallel: {steps: [{Shell: x}]}\n";
    check(nested, &["8:29 a step has no field `Shell` (did you mean `shell`?)"]);
    check("spec:\n  step: []\n", &["5:3 a spec has no field `step` (did you mean `steps`?)"]);
    check("spec:\n  steps: []\nsteps: []\n", &["6:1 a document has no field `steps` (write it under `spec`)"]);
    check(
        "spec:\n  pod: {tolerations: [{keys: a}]}\n",
        &["5:24 a toleration has no field `keys` (did you mean `key`?)"],
    );
}

#[test]
fn fields_of_other_tools_and_other_places_get_their_own_advice() {
    let help = |spec: &str| findings(&format!("{HEAD}spec:\n{spec}"))[0].clone();
    assert!(help("  steps: [{if: x}]\n").ends_with("(write `condition`)"));
    assert!(help("  steps: [{env: []}]\n").ends_with("(write `container.env`, or `run.env` for one command)"));
    assert!(help("  steps: [{image: x}]\n").ends_with("(write `container.image`, or `run.image` for one command)"));
    assert!(help("  steps: [{after: []}]\n").contains("condition: always"));
    assert!(help("  steps: [{needs: []}]\n").contains("one after the other"));
    assert!(help("  steps: [{parallel: {condition: x}}]\n").ends_with("(put it on the step that has `parallel`)"));
    assert!(help("  services: {db: {container: {}}}\n").contains("stand directly on it"));
    assert!(help("  steps: [{mountPath: x}]\n").starts_with("5:12 a step has no field `mountPath`"));
    assert!(help("  content: {uri: x}\n").ends_with("(write it under `git`)"));
}

#[test]
fn wrong_types_say_how_to_write_it() {
    check(
        "spec:\n  container: {env: [{name: a, value: 5}]}\n",
        &["5:38 `value` must be text, found a number 5 (quote it: \"5\")"],
    );
    check("spec:\n  steps: [{shell: yes}]\n", &["5:19 `shell` must be text, found a boolean yes (quote it: \"yes\")"]);
    check(
        "spec:\n  steps: [{optional: 'true'}]\n",
        &["5:22 `optional` must be `true` or `false`, found text 'true' (write it without quotes)"],
    );
    check(
        "spec:\n  steps: [{retry: {count: '{{ config.x }}'}}]\n",
        &[
            "5:27 `count` must be a whole number, found text '{{ config.x }}' (`count` takes no expression, only a literal value)",
        ],
    );
    check(
        "spec:\n  config: {a: {default: 2.5}}\n",
        &["5:25 `default` must be a whole number or text, found a number 2.5 (quote it: \"2.5\")"],
    );
    check(
        "spec:\n  config: {a: {default: 99999999999999999999}}\n",
        &[
            "5:25 `default` must be a whole number or text, found a number 99999999999999999999 (the number does not fit 64 bits; as text, quote it: \"99999999999999999999\")",
        ],
    );
    check("spec:\n  job: {labels: {a: no}}\n", &["5:21 `a` must be text, found a boolean no (quote it: \"no\")"]);
}

#[test]
fn lists_and_maps_are_told_apart() {
    check(
        "spec:\n  steps:\n    shell: x\n",
        &["6:5 `steps` must be a list, found a map (put `- ` in front of each item)"],
    );
    check(
        "spec:\n  steps: [{template: [{name: a}]}]\n",
        &["5:22 a template reference must be a map, found a list (remove the `-`: this is one map, not a list)"],
    );
    check(
        "spec:\n  use: {name: t}\n",
        &[
            "5:8 `use` must be a list, found a map (`use` is a list: `use: [{name: t}]`, or put `- ` in front of `name`)",
        ],
    );
    check(
        "spec:\n  use: t\n",
        &["5:8 `use` must be a list, found text t (`use` is a list of maps: `use: [{name: t}]`)"],
    );
    check(
        "spec:\n  steps: [{artifacts: {paths: a}}]\n",
        &["5:31 `paths` must be a list, found text a (write it as a list: [\"a\"])"],
    );
    check(
        "spec:\n  steps: [{shell: x}, ]\n  services:\n  - image: a\n",
        &["7:3 `services` must be a map, found a list (write `name: …` entries without `-`)"],
    );
    check("spec:\n  steps:\n  -\n  - shell: x\n", &["6:4 this item is empty (remove the `-`)"]);
}

#[test]
fn words_patterns_and_bounds() {
    check(
        "spec:\n  config: {a: {type: strin}}\n",
        &["5:22 `type` is `string`, `integer`, `number`, `boolean`, not `strin` (did you mean `string`?)"],
    );
    check(
        "spec:\n  steps: [{delay: 1.5s}]\n",
        &["5:19 `delay` must be a time like `1m30s`: units in descending order, no fractions, found `1.5s`"],
    );
    check("spec:\n  steps: [{delay: ''}]\n", &[]);
    check("spec:\n  steps: [{retry: {count: 0}}]\n", &["5:27 `count` must be at least 1, found 0"]);
    check("spec:\n  content: {git: {retry: {count: 21}}}\n", &["5:34 `count` must be between 1 and 20, found 21"]);
    check("spec:\n  steps: [{retry: {}}]\n", &["5:19 `retry` needs `count` (Further attempts.)"]);
    check("spec:\n  content: {files: [{path: ''}]}\n", &["5:28 `path` must not be empty"]);
    check("spec:\n  content: {git: {authType: '{{ config.a }}'}}\n", &[]);
}

#[test]
fn envelopes() {
    assert_eq!(
        findings("kind: TestWorkflow\nmetadata: {name: a}\nspec: {}\n")[0],
        "1:1 the document says no `apiVersion` (write `apiVersion: testworkflows.testkube.io/v1`)"
    );
    assert_eq!(
        findings("apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflo\n")[0],
        "2:7 there is no kind `TestWorkflo` (did you mean `TestWorkflow`?)"
    );
    assert_eq!(
        findings("apiVersion: apps/v1\nkind: Deployment\n---\n---\nkind: Webhook\napiVersion: other.io/v1\n"),
        [""; 0]
    );
    assert_eq!(
        findings("- a\n")[0],
        "1:1 a document must be a map with `apiVersion`, `kind`, `metadata` and `spec`, found a list"
    );
    let lenient = Reading { lenient: true, ..Reading::default() };
    let sources = Sources::new([SourceFile::new("a", "kind: TestWorkflow\nmetadata: {name: a}\nspec: {}\n")]);
    assert!(load(&sources, lenient).1.is_empty());
}

#[test]
fn all_findings_of_a_layer_come_together_and_the_next_layer_waits() {
    let shape = "spec:\n  stepps: []\n  steps:\n  - shel: x\n  - shell: '{{ oops('\n";
    check(
        shape,
        &[
            "5:3 a spec has no field `stepps` (did you mean `steps`?)",
            "7:5 a step has no field `shel` (did you mean `shell`?)",
        ],
    );
    let text = "spec:\n  steps:\n  - shell: '{{ a b }}'\n    condition: lenn(x)\n";
    assert_eq!(findings(&format!("{HEAD}{text}")).len(), 2);
}

#[test]
fn one_bad_document_does_not_hide_the_others() {
    let text = format!(
        "{HEAD}spec:\n  a: b: c\n---\n{HEAD}spec: {{steps: [{{shell: x}}]}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: b}}\n"
    );
    let sources = Sources::new([SourceFile::new("a.yaml", text)]);
    let (documents, found) = load(&sources, Reading::default());
    assert_eq!((documents.workflows.len(), documents.secrets.len(), found.len()), (1, 1, 1));
    assert_eq!(&*documents.secrets[0].values()[0].1, "b");
}

#[test]
fn nothing_means_absent_except_among_free_values() {
    let text = format!(
        "{HEAD}spec:\n  container: {{image: null, env: null}}\n  steps:\n  - name:\n    shell: x\n    parallel: {{matrix: {{a: [null, 1], b: null}}}}\n"
    );
    let sources = Sources::new([SourceFile::new("a.yaml", text)]);
    let (documents, found) = load(&sources, Reading::default());
    assert_eq!(found, []);
    let spec = serde_json::to_string(&documents.workflows[0].spec).unwrap();
    assert_eq!(spec, r#"{"container":{},"steps":[{"shell":"x","parallel":{"matrix":{"a":[null,1],"b":null}}}]}"#);
}

#[test]
fn an_expression_with_braces_around_it_is_told_what_it_should_be() {
    let found = findings(&format!("{HEAD}spec:\n  steps:\n  - condition: '{{{{ config.x }}}}'\n    shell: x\n"));
    assert!(found[0].ends_with("(the whole text is an expression here, without braces: `config.x`)"), "{found:?}");
}

#[test]
fn every_field_of_the_table_is_described_and_named_once() {
    let mut seen: Vec<&table::Object> = Vec::new();
    let mut queue: Vec<&'static table::Object> =
        DocumentKind::ALL.into_iter().filter_map(DocumentKind::object).collect();
    while let Some(object) = queue.pop() {
        if seen.contains(&object) {
            continue;
        }
        seen.push(object);
        let mut names: Vec<_> = object.fields().map(|field| field.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{} {names:?}", object.noun);
        for field in object.fields() {
            assert!(field.doc.ends_with('.'), "{} {}", object.noun, field.name);
            let mut shape = &field.shape;
            while let table::Shape::List(inner) | table::Shape::Map(inner) = shape {
                shape = inner;
            }
            if let table::Shape::Object(inner) | table::Shape::TextOr(inner) = shape {
                queue.push(inner);
            }
        }
    }
    assert!(seen.len() > 60);
}

proptest! {
    #[test]
    fn no_text_is_too_strange_to_be_read(text in "([a-z{}\\[\\]:,\"'|>&*!@#%\\-\t \n\u{feff}]|steps|spec|<<|---\n){0,60}") {
        findings(&text);
        findings(&format!("{HEAD}spec:\n  steps:\n  - shell: {text}\n"));
    }
}
