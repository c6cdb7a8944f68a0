use proptest::prelude::*;

use super::*;
use crate::expr::{Finalizer, Value, Vars};
use crate::source::{Node, Scalars, parse_first};
use crate::workflow::table;

fn yaml(text: &str) -> Node {
    parse_first(text, Scalars::Kubernetes).unwrap()
}

fn expanded(text: &str) -> Result<Expansion, ExpandError> {
    expand(&yaml(text), &[], DEFAULT_LIMIT)
}

fn matrix(expansion: &Expansion) -> Vec<String> {
    let line = |instance: &Instance| -> String {
        instance.matrix.values().map(|value| value.string_form().into_owned()).collect::<Vec<_>>().join(" ")
    };
    expansion.instances.iter().map(line).collect()
}

#[test]
fn the_last_key_of_a_matrix_varies_fastest() {
    let expansion = expanded("matrix: {b: [1, 2], a: [x, z]}\n").unwrap();
    assert_eq!(matrix(&expansion), ["1 x", "1 z", "2 x", "2 z"]);
}

#[test]
fn a_million_cells_are_refused_before_they_are_made() {
    let error = expanded("matrix: {a: range(1000), b: range(1000)}\n").unwrap_err();
    assert_eq!(error.to_string(), "matrix: 1000000 instances are more than the limit of 10000");
    let huge = "matrix: {a: range(100000), b: range(100000), c: range(100000), d: range(100000)}\ncount: 9000000000000000000\n";
    assert_eq!(expanded(huge).unwrap_err().at, "matrix");
    assert_eq!(expanded("count: 10001\n").unwrap_err().at, "count");
    assert_eq!(expand(&yaml("count: 10001\n"), &[], 20_000).unwrap().instances.len(), 10_001);
}

#[test]
fn a_computed_list_that_is_empty_is_an_error_unless_said_otherwise() {
    let error = expanded("matrix: {a: 'range(0)'}\n").unwrap_err();
    assert_eq!((error.at.as_str(), error.message.as_str()), ("matrix.a", "range(0): empty list"));
    let skipped = expanded("shards: {a: 'list()'}\nmaxCount: 3\nwhenEmpty: skip\n").unwrap();
    assert_eq!((skipped.instances.len(), skipped.warnings.len()), (0, 1));
    assert_eq!(expanded("shards: {a: 'list()'}\nmaxCount: 3\nwhenEmpty: run\n").unwrap().instances.len(), 3);
    assert_eq!(expanded("shards: {a: []}\nmaxCount: 3\n").unwrap().instances.len(), 3);
    assert_eq!(expanded("matrix: {a: 'null', b: '', c: null}\n").unwrap().instances.len(), 1);
    assert_eq!(expanded("matrix: {a: ['{{ null }}']}\n").unwrap_err().at, "matrix.a");
}

#[test]
fn an_empty_glob_says_where_it_looked() {
    let scope = Vars::new().with("workingDir", "/data/repo").with("files", Value::list(Vec::new()));
    let glob = crate::expr::calls(|name, _| Ok((name == "glob").then(|| Value::list(Vec::new()).into())));
    let error = expand(&yaml("shards: {f: 'glob(\"**/*.js\")'}\nmaxCount: 2\n"), &[&scope, &glob], 10).unwrap_err();
    assert_eq!(error.message, "glob(\"**/*.js\"): empty list: no file matches; relative patterns start in /data/repo");
}

#[test]
fn counts_must_be_plain_numbers() {
    let message = |text: &str| expanded(text).unwrap_err().message;
    assert_eq!(message("count: '\" 3 \"'\n"), "\" 3 \": \" 3 \" has white space around it; use trim()");
    assert_eq!(message("count: -1\n"), "-1: must not be below zero");
    assert_eq!(message("count: nope\n"), "nope: could not be resolved: nope unknown here");
    assert!(message("count: '{{ 3 }}'\n").ends_with("the whole text is an expression here, without braces"));
}

#[test]
fn an_instance_gets_its_values_and_leaves_the_rest() {
    let block = yaml(
        "count: 2\nmatrix: {os: [a, null]}\nlogs: failed && index == 0\ndescription: '{{ index + 1 }}/{{ count }}'\n\
         shell: 'run {{ matrix.os }} {{ matrix.gone }} {{ env.HOME }} {{ config }}'\n\
         steps:\n- name: Own\n- shell: '{{ step.own.outputs.x }} {{ step.outer.outputs.x }}'\n\
         - parallel:\n    count: index + 2\n    matrix: {m: ['{{ matrix.os }}']}\n    shell: '{{ index }} {{ matrix.m }} {{ config }}'\n",
    );
    let outer = Vars::new()
        .with("config", "c")
        .with("index", 77)
        .with("step.own.outputs.x", "wrong")
        .with("step.outer.outputs.x", "right");
    let expansion = expand(&block, &[&outer], DEFAULT_LIMIT).unwrap();
    let made =
        instantiate(&block, &table::PARALLEL, &expansion.instances[1], &[&outer], Finalizer::Preserve, "p").unwrap();
    let text = |path| made.find(path).unwrap().as_str().unwrap();
    assert_eq!(text("description"), "2/4");
    assert_eq!(text("shell"), "run a  {{env.HOME}} c");
    assert_eq!(text("logs"), "failed && index == 0");
    assert_eq!(text("steps.1.shell"), "{{step.own.outputs.x}} right");
    assert_eq!(text("steps.2.parallel.count"), "3");
    assert_eq!(text("steps.2.parallel.matrix.m.0"), "a");
    assert_eq!(text("steps.2.parallel.shell"), "{{index}} {{matrix.m}} c");
    assert!(made.get("count").is_none() && made.get("matrix").is_none());
    let last = &expansion.instances[3];
    let read: Instance = serde_json::from_str(&serde_json::to_string(last).unwrap()).unwrap();
    assert_eq!(&read, last);
}

fn lists() -> impl Strategy<Value = Vec<Vec<i64>>> {
    prop::collection::vec(prop::collection::vec(0..9_i64, 1..5), 0..4)
}

fn block(matrix: &[Vec<i64>], shards: &[Vec<i64>], count: u64) -> Node {
    let map = |lists: &[Vec<i64>]| {
        Node::map(
            lists
                .iter()
                .enumerate()
                .map(|(key, list)| (format!("k{key}"), Node::list(list.iter().map(|item| Node::from(*item))))),
        )
    };
    Node::map([("matrix", map(matrix)), ("shards", map(shards)), ("count", Node::from(count as i64))])
}

proptest! {
    #[test]
    fn shards_of_a_combination_together_are_the_list(matrix in lists(), shards in lists(), count in 1..7_u64) {
        let expansion = expand(&block(&matrix, &shards, count), &[], u64::MAX).unwrap();
        for cell in 0..expansion.instances.len() / count as usize {
            for (key, list) in shards.iter().enumerate() {
                let parts = expansion.instances.iter().filter(|instance| instance.matrix_index == cell);
                let whole: Vec<Value> = parts.flat_map(|instance| instance.shard[key].clone()).collect();
                prop_assert_eq!(whole, list.iter().map(|item| Value::Int(*item)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_matrix_gives_the_full_product(matrix in lists(), count in 1..4_u64) {
        let expansion = expand(&block(&matrix, &[], count), &[], u64::MAX).unwrap();
        let mut wanted: Vec<Vec<i64>> = vec![Vec::new()];
        for list in &matrix {
            wanted = wanted.iter().flat_map(|start| list.iter().map(move |item| [&start[..], &[*item]].concat())).collect();
        }
        let wanted: Vec<Vec<i64>> = wanted.into_iter().flat_map(|row| vec![row; count as usize]).collect();
        let got: Vec<Vec<i64>> = expansion
            .instances
            .iter()
            .map(|instance| instance.matrix.values().map(|value| value.int_form().unwrap()).collect())
            .collect();
        prop_assert_eq!(got, wanted);
    }

    #[test]
    fn parts_are_contiguous_and_nearly_equal(length in 0..200_usize, count in 1..50_usize) {
        let parts: Vec<_> = (0..count).map(|index| shard(length, index, count)).collect();
        prop_assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].len() >= pair[1].len()));
        prop_assert_eq!((parts[0].start, parts[count - 1].end), (0, length));
        prop_assert!(parts[0].len() - parts[count - 1].len() <= 1);
    }
}
