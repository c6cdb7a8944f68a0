use proptest::prelude::*;

use super::*;
use crate::expr::{Value, Vars};
use crate::source::{Diagnostic, Node, Scalars, SourceFile, Sources, parse_first};
use crate::workflow::{Document, DocumentKind, Reading, load};

fn yaml(text: &str) -> Node {
    parse_first(text, Scalars::Kubernetes).unwrap()
}

fn workflow(spec: &str) -> Document {
    Document::new(DocumentKind::Workflow, "wf", yaml(spec))
}

fn template(name: &str, spec: &str) -> Document {
    Document::new(DocumentKind::Template, name, yaml(spec))
}

fn given(values: &[(&str, &str)]) -> Given {
    let values = values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Given { values, by_person: true }
}

fn resolved(spec: &str, templates: &[Document], values: &[(&str, &str)]) -> Result<Resolved, Failure> {
    resolve(Request::new(&workflow(spec), templates, &given(values)))
}

fn text(spec: &str, values: &[(&str, &str)]) -> String {
    let resolved = resolved(spec, &[], values).unwrap();
    resolved.spec.find("steps.0.shell").unwrap().as_str().unwrap().to_owned()
}

fn messages(outcome: Result<Resolved, Failure>) -> (Phase, Vec<String>) {
    let failure = outcome.unwrap_err();
    (failure.phase, failure.diagnostics.iter().map(Diagnostic::to_string).collect())
}

#[test]
fn a_cycle_of_defaults_is_told_once() {
    let spec = "config: {a: {default: '{{ config.b }}'}, b: {default: 'x{{ config.a }}'}, c: {default: '{{ config.a }}'}}\nsteps: [{shell: x}]\n";
    let (phase, found) = messages(resolved(spec, &[], &[]));
    assert_eq!(phase, Phase::Config);
    assert_eq!(found, ["spec.config.a: config.a: default refers to itself (config.a → config.b → config.a)"]);
    assert!(resolved(spec, &[], &[("a", "1"), ("b", "2"), ("c", "3")]).is_ok());
    let own = "config: {a: {default: '{{ config.a }}'}}\nsteps: [{shell: x}]\n";
    assert_eq!(messages(resolved(own, &[], &[])).1.len(), 1);
}

#[test]
fn all_mistakes_of_a_phase_are_told_with_their_places() {
    let text = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata: {name: a}\nspec:\n  steps:\n  - shell: '{{ config.a }}'\n  - run: {args: ['{{ config.b }}']}\n";
    let sources = Sources::new([SourceFile::new("a.yaml", text)]);
    let (documents, _) = load(&sources, Reading::default());
    let failure = resolve(Request::new(&documents.workflows[0], &[], &Given::default())).unwrap_err();
    let places: Vec<_> = failure
        .diagnostics
        .iter()
        .map(|found| (found.path.as_str(), sources.locate(found.at.unwrap()).map(|at| (at.line, at.column)).unwrap()))
        .collect();
    assert_eq!(places, [("spec.steps[0].shell", (6, 12)), ("spec.steps[1].run.args[0]", (7, 18))]);
    assert_eq!(failure.diagnostics[0].message, "error while accessing config.a: unknown variable");
}

#[test]
fn casts_are_exact() {
    let spec = |kind: &str, shell: &str| format!("config: {{a: {{type: {kind}}}}}\nsteps: [{{shell: '{shell}'}}]\n");
    assert_eq!(text(&spec("integer", "{{ config.a }}"), &[("a", "9007199254740993")]), "9007199254740993");
    assert_eq!(text(&spec("number", "{{ config.a * 2 }}"), &[("a", "1.25")]), "2.5");
    assert_eq!(text(&spec("number", "{{ config.a }}"), &[("a", "3")]), "3");
    assert_eq!(text(&spec("string", "{{ config.a }}"), &[("a", "007")]), "007");
    assert_eq!(text(&spec("string", "x{{ config.a }}"), &[("a", "")]), "x");
}

#[test]
fn a_given_text_is_never_evaluated() {
    let spec = "config: {a: {}}\nsteps: [{shell: 'x {{ config.a }}', run: {args: ['{{ config.a }}']}}]\n";
    let once = resolved(spec, &[], &[("a", "{{ 1 + 1 }} {b}")]).unwrap();
    let escaped = "{{\"{{\"}} 1 + 1 }} {{\"{\"}}b}";
    assert_eq!(once.spec.find("steps.0.shell").unwrap().as_str().unwrap(), format!("x {escaped}"));
    assert_eq!(once.spec.find("steps.0.run.args.0").unwrap().as_str().unwrap(), escaped);
    let document = Document::new(DocumentKind::Workflow, "wf", once.spec.clone());
    assert_eq!(resolve(Request::new(&document, &[], &Given::default())).unwrap().spec, once.spec);
}

#[test]
fn sensitive_values_leave_the_document_and_are_kept_once() {
    let spec = "config: {p: {sensitive: true, type: integer, default: '5', example: '1'}, q: {sensitive: true, default: unused}}\n\
        steps: [{shell: '{{ config.p }} {{ config.p + 1 }}'}]\n";
    let resolved = resolved(spec, &[], &[]).unwrap();
    let json = serde_json::to_string(&resolved.spec).unwrap();
    assert!(json.contains(r#"{{int(sensitive(\"s1\"))}} {{int(sensitive(\"s1\"))+1}}"#), "{json}");
    assert!(!json.contains("unused") && !json.contains("'5'"));
    let kept: Vec<_> = resolved.sensitive.iter().map(|kept| (&*kept.id, &*kept.value)).collect();
    assert_eq!(kept, [("s1", "5")]);
    assert!(!format!("{:?}", resolved.sensitive).contains('5'));
    assert_eq!(resolved.config, []);
}

#[test]
fn a_sensitive_value_is_not_echoed_when_it_does_not_fit() {
    let spec = "config: {p: {sensitive: true, enum: [a]}}\nsteps: [{shell: x}]\n";
    assert_eq!(
        messages(resolved(spec, &[], &[("p", "hunter2")])).1,
        ["spec.config.p: config.p: the value is not one of a"]
    );
}

#[test]
fn values_are_recorded_with_defaults() {
    let spec = "config: {a: {default: '{{ workflow.name }}'}, b: {}, c: {default: 3}}\nsteps: [{shell: x}]\n";
    let recorded = resolved(spec, &[], &[("b", "B"), ("zzz", "?")]).unwrap().config;
    let shown: Vec<_> =
        recorded.iter().map(|entry| format!("{} {:?} {:?}", entry.name, entry.value, entry.default)).collect();
    assert_eq!(shown, [r#"a None Some("wf")"#, r#"b Some("B") None"#, r#"c None Some("3")"#]);
}

#[test]
fn a_name_that_a_person_mistyped_gets_a_hint() {
    let spec = "config: {workers: {default: 3}}\nsteps: [{shell: x}]\n";
    let found = resolved(spec, &[], &[("worker", "5")]).unwrap().findings;
    assert_eq!(found[0].help.as_deref(), Some("did you mean `workers`?"));
    assert!(resolved(spec, &[], &[("TESTKUBE_GIT_REF", "x")]).unwrap().findings.is_empty());
}

#[test]
fn checks_can_be_warnings() {
    let document = workflow("config: {a: {enum: [x]}}\nsteps: [{shell: '{{ config.a }}'}]\n");
    let given = given(&[("a", "y")]);
    let request = Request { checks_are_warnings: true, ..Request::new(&document, &[], &given) };
    let resolved = resolve(request).unwrap();
    assert_eq!(resolved.spec.find("steps.0.shell").unwrap().as_str(), Some("y"));
    assert_eq!(resolved.findings.len(), 1);
}

#[test]
fn a_failing_template_is_named_at_the_place_that_asks_for_it() {
    let broken = template("t", "config: {n: {type: integer}}\nsteps: [{shell: '{{ config.n }} {{ config.gone }}'}]\n");
    let spec = "steps: [{template: {name: t, config: {n: x}}}]\n";
    let (phase, found) = messages(resolved(spec, std::slice::from_ref(&broken), &[]));
    assert_eq!(phase, Phase::Templates);
    assert!(
        found[0].starts_with(
            "spec.steps[0].template: template \"t\": spec.config.n: config.n: error while calling int(\"x\")"
        ),
        "{found:?}"
    );
    let spec = "steps: [{template: {name: t, config: {n: 1}}}]\n";
    let found = messages(resolved(spec, &[broken], &[])).1;
    assert_eq!(
        found,
        [
            "spec.steps[0].template: template \"t\": spec.steps[0].shell: error while accessing config.gone: unknown variable"
        ]
    );
}

#[test]
fn several_targets_are_for_the_scheduler_to_refuse() {
    let target = |name| template(name, "execution: {target: {match: {a: [b]}}}\n");
    let outcome =
        resolved("use: [{name: a}, {name: b}]\nsteps: [{shell: x}]\n", &[target("a"), target("b")], &[]).unwrap();
    assert_eq!(outcome.findings[0].code, "several-targets");
}

#[test]
fn identity_is_put_in_but_not_into_what_an_instance_binds() {
    let document = workflow(
        "execution: {tags: {team: x, own: y}}\nsteps:\n\
         - shell: '{{ execution.id }} {{ execution.tags.team }} {{ execution.tags.none }} {{ resource.id }} {{ env.A }}'\n\
         - parallel: {count: 'len(resource.id)', shell: '{{ resource.id }} {{ resource.root }} {{ execution.number }} {{ index }}'}\n",
    );
    let identity = Identity {
        id: "e1".into(),
        number: 7,
        root_id: "e0".into(),
        tags: vec![("team".into(), "z".into())],
        variables: [("V".into(), "{{ literal }}".into())].into(),
        ..Identity::default()
    };
    let given = Given::default();
    let request = Request { identity: Some(&identity), ..Request::new(&document, &[], &given) };
    let spec = resolve(request).unwrap().spec;
    let text = |path| spec.find(path).unwrap().as_str().unwrap();
    assert_eq!(text("steps.0.shell"), "e1 z  e1 {{env.A}}");
    assert_eq!(text("steps.1.parallel.shell"), "{{resource.id}} {{resource.root}} 7 {{index}}");
    assert_eq!(text("steps.1.parallel.count"), "2");
    assert_eq!(text("container.env.0.value"), "{{\"{{\"}} literal }}");
}

#[test]
fn the_host_answers_what_only_the_world_knows() {
    let document = workflow("steps: [{shell: '{{ date() }} {{ now }}'}]\n");
    let clock = crate::expr::calls(|name, _| Ok((name == "date").then(|| Value::from("today").into())));
    let vars = Vars::new().with("now", "then");
    let given = Given::default();
    let request = Request { host: &[&clock, &vars], ..Request::new(&document, &[], &given) };
    assert_eq!(resolve(request).unwrap().spec.find("steps.0.shell").unwrap().as_str(), Some("today then"));
}

#[test]
fn nesting_beyond_reason_is_refused() {
    let mut step = Node::map([("shell", Node::text("x"))]);
    for _ in 0..70 {
        step = Node::map([("name", Node::text("n")), ("steps", Node::list([step]))]);
    }
    let document = Document::new(DocumentKind::Workflow, "wf", Node::map([("steps", Node::list([step]))]));
    let failure = resolve(Request::new(&document, &[], &Given::default())).unwrap_err();
    assert_eq!(failure.diagnostics[0].code, "too-large");
}

#[test]
fn a_computed_list_that_is_empty_stays_an_expression() {
    let spec = "config: {l: {default: ''}}\nsteps: [{parallel: {matrix: {a: 'split(config.l, \",\")', b: 'filter(list(1), \"false\")', c: ['{{ list() }}'], d: []}}}]\n";
    let spec = resolved(spec, &[], &[]).unwrap().spec;
    let matrix = serde_json::to_string(spec.find("steps.0.parallel.matrix").unwrap()).unwrap();
    assert_eq!(matrix, r#"{"a":[""],"b":"[]","c":"[]","d":[]}"#);
}

/// Steps that keep their wrappers, with texts that wait for something.
fn steps() -> impl Strategy<Value = Node> {
    let texts = prop_oneof![
        Just("plain {x} ${y}"),
        Just("{{ env.A }} {{ \"{{\" }} x"),
        Just("{{ workflow.name }}-{{ index + 1 + 2 }}"),
        Just("{{ a && (b || c) }}")
    ];
    let leaf = texts.prop_map(|text| Node::map([("name", Node::text("n")), ("shell", Node::text(text))]));
    leaf.prop_recursive(3, 12, 3, |inner| {
        let list = prop::collection::vec(inner, 1..3).prop_map(Node::list);
        (list.clone(), list, any::<bool>()).prop_map(|(setup, steps, parallel)| {
            let group = Node::map([("name", Node::text("g")), ("setup", setup), ("steps", steps)]);
            if !parallel {
                return group;
            }
            let matrix = Node::map([("k", Node::list([Node::text("{{ env.A }}"), Node::from(1_i64)]))]);
            let block = Node::map([("matrix", matrix), ("steps", Node::list([group]))]);
            Node::map([("name", Node::text("p")), ("parallel", block)])
        })
    })
}

proptest! {
    #[test]
    fn resolving_twice_changes_nothing(steps in prop::collection::vec(steps(), 1..4)) {
        let spec = Node::map([("steps", Node::list(steps))]);
        let once = resolve(Request::new(&Document::new(DocumentKind::Workflow, "wf", spec), &[], &Given::default())).unwrap();
        let again = Document::new(DocumentKind::Workflow, "wf", once.spec.clone());
        prop_assert_eq!(resolve(Request::new(&again, &[], &Given::default())).unwrap().spec, once.spec);
    }

    #[test]
    fn an_empty_template_changes_nothing(steps in prop::collection::vec(steps(), 1..4)) {
        let spec = Node::map([("steps", Node::list(steps)), ("container", Node::map([("image", Node::text("i"))]))]);
        let plain = Document::new(DocumentKind::Workflow, "wf", spec.clone());
        let mut with = plain.clone();
        with.spec.set("use", yaml("[{name: empty}]"));
        let templates = [template("empty", "{}")];
        let given = Given::default();
        prop_assert_eq!(
            resolve(Request::new(&with, &templates, &given)).unwrap().spec,
            resolve(Request::new(&plain, &[], &given)).unwrap().spec
        );
    }
}
