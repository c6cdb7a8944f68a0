use super::*;
use crate::source::SourceFile;
use crate::workflow::{Reading, load};

/// The findings for some documents without envelope: `code line:column` each.
fn found(text: &str) -> Vec<String> {
    let head = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata:\n  name: a\n";
    let text = if text.starts_with("apiVersion") { text.to_owned() } else { format!("{head}{text}") };
    let sources = Sources::new([SourceFile::new("a.yaml", text)]);
    let (documents, mut found) = load(&sources, Reading::default());
    found.extend(lint(&documents, &sources, LintOptions::default()));
    for finding in &found {
        assert!(explain(&finding.code).is_some(), "{} is not explained", finding.code);
    }
    found
        .iter()
        .map(|finding| {
            let place = finding.at.and_then(|at| sources.locate(at));
            place.map_or(finding.code.clone(), |place| format!("{} {}:{}", finding.code, place.line, place.column))
        })
        .collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(found(text), expected);
}

fn template(name: &str, spec: &str) -> String {
    format!(
        "\n---\napiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflowTemplate\nmetadata: {{name: {name}}}\nspec:\n{spec}"
    )
}

#[test]
fn a_sound_workflow_has_no_findings() {
    check("spec:\n  steps:\n  - name: Run it\n    shell: echo {{ step.run_it.outputs.x }}\n", &[]);
}

#[test]
fn operations_must_have_something_to_do() {
    check("spec:\n  steps:\n  - run: {shell: x, args: [a]}\n", &["shell-and-command 7:11"]);
    check("spec:\n  steps:\n  - artifacts: {}\n", &["artifacts-without-paths 7:16"]);
    check("spec:\n  steps:\n  - execute: {workflows: []}\n", &["nothing-to-execute 7:14"]);
    check("spec:\n  steps:\n  - execute: {workflows: [{description: x}]}\n", &["nothing-to-execute 7:27"]);
    check("spec:\n  steps:\n  - execute: {tests: [{name: x}]}\n", &["only-legacy-tests 7:15"]);
    check("spec:\n  container: {image: a}\n", &["nothing-to-run 6:3"]);
}

#[test]
fn ids_are_well_formed_and_given_once_a_namespace() {
    check("spec:\n  steps:\n  - {id: A-b, shell: x}\n", &["step-id 7:10"]);
    check("spec:\n  steps:\n  - {id: a, shell: x}\n  - {id: a, shell: x}\n", &["step-id 8:10"]);
    check("spec:\n  steps:\n  - {id: a, shell: x}\n  - parallel: {steps: [{id: a, shell: x}]}\n", &[]);
}

#[test]
fn executions_are_called_by_names_of_their_own() {
    check(
        "spec:\n  steps:\n  - execute: {workflows: [{name: a, as: x}, {name: a, as: x}, {name: a, as: parent}]}\n",
        &["portability 7:37", "portability 7:55", "portability 7:73", "as-taken 7:59", "as-taken 7:77"],
    );
    check(
        "spec:\n  steps:\n  - execute: {async: true, workflows: [{name: a, fetch: [{paths: [x], to: /data}]}]}\n",
        &["portability 7:50", "fetch-without-waiting 7:50"],
    );
}

#[test]
fn step_references_must_lead_somewhere() {
    check(
        "spec:\n  steps:\n  - {name: Build, shell: x}\n  - shell: '{{ step.biuld.outputs.x }}'\n",
        &["unknown-step 8:16"],
    );
    check("spec:\n  use: [{name: elsewhere}]\n  steps:\n  - shell: '{{ step.biuld.outputs.x }}'\n", &[]);
}

#[test]
fn conditions_and_retries_say_what_they_do_not_do() {
    check("spec:\n  steps:\n  - retry: {count: 2}\n    steps: [{shell: x}]\n", &["retry-without-effect 7:5"]);
    check("spec:\n  steps:\n  - retry: {count: 2}\n    shell: x\n    steps: [{shell: x}]\n", &[]);
    check("spec:\n  steps: [{shell: x}]\n  after:\n  - shell: x\n", &["after-without-condition 8:5"]);
    let nested = "spec:\n  steps:\n  - condition: always\n    steps:\n    - shell: x\n";
    check(nested, &["condition-not-inherited 7:5"]);
    check("spec:\n  steps:\n  - {shell: x, condition: a || b && c}\n", &["mixed-logic 7:27"]);
}

#[test]
fn counts_that_count_for_nothing() {
    check(
        "spec:\n  steps:\n  - parallel: {count: 1, maxCount: 2, shards: {a: [1]}, shell: x}\n",
        &["count-ignored 7:16"],
    );
    check("spec:\n  steps:\n  - parallel: {maxCount: 2, shell: x}\n", &["max-count-without-shards 7:16"]);
    let barrier = "spec:\n  steps:\n  - parallel: {count: 3, parallelism: 2, paused: true, shell: x}\n";
    check(barrier, &["barrier 7:26"]);
}

#[test]
fn parameters_must_be_able_to_work() {
    check("spec:\n  config: {num: {type: integer, default: x}}\n  steps: [{shell: x}]\n", &["bad-default 6:42"]);
    check("spec:\n  config: {num: {enum: [a], default: x}}\n  steps: [{shell: x}]\n", &["bad-default 6:38"]);
    check("spec:\n  config: {num: {type: boolean, default: nope}}\n  steps: [{shell: x}]\n", &["boolean-word 6:42"]);
    check("spec:\n  config: {a-b: {}}\n  steps: [{shell: x}]\n", &["unreachable-name 6:12"]);
    check("spec:\n  config: {p: {sensitive: true, default: x}}\n  steps: [{shell: x}]\n", &["short-secret 6:42"]);
    let cycle =
        "spec:\n  config: {a: {default: '{{ config.b }}'}, b: {default: '{{ config.a }}'}}\n  steps: [{shell: x}]\n";
    check(cycle, &["default-cycle 6:16"]);
}

#[test]
fn braces_secrets_and_words() {
    check("spec:\n  concurrency: {max: 1, group: '{{ config.x }}'}\n  steps: [{shell: x}]\n", &["literal-braces 6:32"]);
    check("spec:\n  steps:\n  - run: {args: ['{{ secret(\"a\", \"b\") }}']}\n", &["secret-in-args 7:22"]);
    check("spec:\n  container: {imagePullPolicy: always}\n  steps: [{shell: x}]\n", &["unknown-value 6:32"]);
    check("spec:\n  steps:\n  - {shell: x, timeout: 5 minutes}\n", &["duration 7:25"]);
    check("spec:\n  notifications: {}\n  steps: [{shell: x}]\n", &["no-effect 6:3"]);
    check("spec:\n  system: {keepPod: always}\n  steps: [{shell: x}]\n", &["portability 6:12"]);
}

#[test]
fn schedules_and_tarballs() {
    check("spec:\n  events: [{cronjob: {cron: '* * *'}}]\n  steps: [{shell: x}]\n", &["schedule 6:29"]);
    check(
        "spec:\n  events: [{cronjob: {cron: '@daily', timezone: 'not a zone'}}]\n  steps: [{shell: x}]\n",
        &["schedule 6:49"],
    );
    let tarball = "spec:\n  content: {tarball: [{url: x, path: /opt/x, mount: false}]}\n  steps: [{shell: x}]\n";
    check(tarball, &["tarball-mount 6:46"]);
    check(&tarball.replace("/opt/x", "/data/x"), &[]);
}

#[test]
fn a_command_stops_at_another_image() {
    let text = "spec:\n  container: {image: a, command: [x]}\n  steps:\n  - run: {image: b}\n  - run: {image: b, command: [z]}\n";
    check(text, &["command-not-inherited 8:11"]);
}

#[test]
fn rules_that_look_at_other_documents() {
    let steps = template("t", "  steps: [{shell: x}]\n  concurrency: {max: 3, group: g}\n");
    check(
        &format!("spec:\n  services: {{s: {{use: [{{name: t}}]}}}}\n  steps: [{{shell: x}}]\n{steps}"),
        &["service-template 6:24"],
    );
    check(&format!("spec:\n  use: [{{name: t}}]\n  concurrency: {{max: 1}}\n{steps}"), &["concurrency-replaced 7:3"]);
    let bare = template("t", "  container: {image: a}\n");
    check(&format!("spec:\n  steps:\n  - template: {{name: t}}\n{bare}"), &["template-without-steps 7:5"]);
    check("spec:\n  steps:\n  - execute: {workflows: [{name: b}]}\n", &["unknown-workflow 7:34"]);
    check("spec:\n  steps:\n  - execute: {workflows: [{name: a}]}\n", &[]);
    let nested = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflowTemplate\nmetadata: {name: t}\nspec:\n  steps:\n  - use: [{name: u}]\n";
    check(nested, &["template-in-template 6:5"]);
}

#[test]
fn strictness_makes_portability_an_error() {
    let text = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata: {name: a}\nspec:\n  steps:\n  - {shell: x, terminationGrace: 5s}\n";
    let sources = Sources::new([SourceFile::new("a.yaml", text)]);
    let (documents, _) = load(&sources, Reading::default());
    let strict = LintOptions { strict_testkube: true, ..LintOptions::default() };
    assert!(lint(&documents, &sources, strict)[0].is_error());
}
