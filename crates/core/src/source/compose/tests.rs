use std::fmt::Write as _;

use super::*;

fn read(text: &str) -> Parsed {
    parse(0, text, Scalars::Kubernetes, Limits::default())
}

fn json(text: &str) -> String {
    let parsed = read(text);
    assert_eq!(parsed.diagnostics, []);
    serde_json::to_string(&parsed.documents).unwrap()
}

fn messages(text: &str) -> Vec<String> {
    read(text).diagnostics.into_iter().map(|found| found.message).collect()
}

#[test]
fn a_file_may_hold_several_documents_and_an_empty_one() {
    assert_eq!(json("a: 1\n---\n---\nb: [x, 'y']\n"), r#"[{"a":1},null,{"b":["x","y"]}]"#);
}

#[test]
fn marks_and_carriage_returns_are_no_matter() {
    assert_eq!(json("\u{feff}a: |\r\n  x\r\n  y\r\n---\r\n\u{feff}b: 2\r\n"), r#"[{"a":"x\ny\n"},{"b":2}]"#);
    let parsed = read("a: 1\n\u{feff}---\nb: 2\n");
    assert_eq!(parsed.documents.len(), 2);
    assert_eq!(parsed.documents[1].get("b").unwrap().span, Span::new(0, 15, 16));
}

#[test]
fn the_next_document_is_read_after_an_error() {
    let parsed = read("a: b: c\n---\nd: 1\n---\ne: @\n---\nf: 1\n");
    assert_eq!(serde_json::to_string(&parsed.documents).unwrap(), r#"[{"d":1},{"f":1}]"#);
    assert_eq!(parsed.diagnostics.len(), 2);
}

#[test]
fn anchors_are_copied_and_own_keys_win_over_merged_ones() {
    assert_eq!(json("a: &x {k: 1, l: 2}\nb: *x\n"), r#"[{"a":{"k":1,"l":2},"b":{"k":1,"l":2}}]"#);
    let text = "a: &x {k: 1, l: 2}\nc: {<<: *x, l: 3, m: 4}\n";
    assert_eq!(json(text), r#"[{"a":{"k":1,"l":2},"c":{"k":1,"l":3,"m":4}}]"#);
    let text = "a: &x {k: 1}\nb: &y {k: 2, z: 3}\nc: {<<: [*x, *y]}\n";
    assert_eq!(json(text), r#"[{"a":{"k":1},"b":{"k":2,"z":3},"c":{"k":1,"z":3}}]"#);
}

#[test]
fn a_key_before_a_merge_wins_with_a_warning() {
    let parsed = read("a: &x {k: 1}\nc: {k: 2, <<: *x}\n");
    assert_eq!(serde_json::to_string(&parsed.documents).unwrap(), r#"[{"a":{"k":1},"c":{"k":2}}]"#);
    assert_eq!(parsed.diagnostics[0].code, "kubernetes-key");
}

#[test]
fn keys_stay_text() {
    let parsed = read("on: 1\n5: 2\nnull: 3\n");
    assert_eq!(serde_json::to_string(&parsed.documents).unwrap(), r#"[{"on":1,"5":2,"null":3}]"#);
    assert_eq!(parsed.diagnostics.len(), 1);
}

#[test]
fn an_alias_bomb_is_defused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    assert_eq!(messages(&text), ["aliases repeat more than 200000 values"]);
}

#[test]
fn a_chain_of_anchors_cannot_nest_without_end() {
    let mut text = String::from("a0: &a0 x\n");
    for level in 1..600 {
        writeln!(text, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    assert_eq!(messages(&text), ["with its aliases this is nested deeper than 250 levels"]);
}

#[test]
fn an_alias_inside_its_anchor_is_refused() {
    assert_eq!(messages("a: &x [*x]\n"), ["this alias stands inside what it is an alias of"]);
}

#[test]
fn nesting_has_a_limit() {
    let text = format!("{}{}", "[".repeat(400), "]".repeat(400));
    assert_eq!(messages(&text), ["nested too deeply"]);
}

#[test]
fn ten_megabytes_are_read() {
    let line = "  - {name: abc, value: \"some text\", list: [1, 2, 3]}\n";
    let text = format!("items:\n{}", line.repeat(10_000_000 / line.len()));
    let parsed = read(&text);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    assert!(parsed.documents[0].get_items("items").len() > 100_000);
    let keys = (0..50_000).fold(String::new(), |text, i| text + &format!("k{i}: a\n"));
    assert_eq!(read(&keys).documents[0].entries().len(), 50_000);
}

#[test]
fn spans_end_where_values_end() {
    let text = "a:\n  b: [1, 2]\n  c: |\n    x\n\nd: 1\n";
    let document = &read(text).documents[0];
    let slice = |node: &Node| &text[node.span.start as usize..node.span.end as usize];
    assert_eq!(slice(document.find("a.b").unwrap()), "[1, 2]");
    assert!(slice(document.find("a").unwrap()).starts_with("b: ["));
}
