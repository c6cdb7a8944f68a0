//! What the specification fixes in the language it replaces, verdict by verdict.

use super::{evaluated, filled, resolved, vars};
use crate::expr::{Value, escape, outline, resolve_list};

#[test]
fn q3_branches_of_a_choice_are_whole_expressions() {
    assert_eq!(evaluated("true ? 1 : 0 ? 2 : 3"), "1");
    assert_eq!(evaluated("a ? b && c : d"), "a ? b&&c : d");
    assert_eq!(evaluated("a ? b ? c : d : e"), "a ? b ? c : d : e");
    assert_eq!(evaluated("a ? b : c && d"), "a ? b : c&&d");
}

#[test]
fn q4_unary_minus_takes_one_operand() {
    assert_eq!(evaluated("-3 + 5"), "2");
    assert_eq!(evaluated("-1 < 0"), "true");
    assert_eq!(evaluated("-a + 5"), "0-a+5");
    assert_eq!(evaluated("-2 ** 2"), "-4");
}

#[test]
fn q5_residual_text_keeps_every_group() {
    for (text, expected) in [
        ("a && (b || c)", "a&&(b||c)"),
        ("a && (b && c)", "a&&b&&c"),
        ("a - (1 + c)", "a-(1+c)"),
        ("a - (b - c)", "a-(b-c)"),
        ("a / (b * c)", "a/(b*c)"),
        ("(a ? b : c) ? d : e", "(a ? b : c) ? d : e"),
        ("(0 - 2) ** a", "(-2)**a"),
        ("a ** (0 - 2)", "a**(-2)"),
        ("!(a ? b : c)", "!(a ? b : c)"),
        ("(!a).b", "(!a).b"),
        ("(a + b).c", "(a+b).c"),
        ("f((a && b)...)", "f((a&&b)...)"),
        ("a * -7", "a*-7"),
    ] {
        assert_eq!(evaluated(text), expected);
        assert_eq!(evaluated(expected), expected);
    }
    assert_eq!(evaluated(r#"map([1], "\"a\" + (1 + _.index)")"#), r#"["a1"]"#);
}

#[test]
fn q9_large_floats_print_plainly() {
    assert_eq!(filled("{{ 500 * 2000 }}", &[]), "1000000");
    assert_eq!(filled("{{ 1 / 100000 }}", &[]), "0.00001");
}

#[test]
fn q10_a_string_may_end_in_a_backslash() {
    assert_eq!(evaluated(r"'a\\' + 'b'"), r#""a\\b""#);
}

#[test]
fn q11_null_and_true_before_a_dot_are_names() {
    assert_eq!(evaluated("f(null...)"), "f(null...)");
    assert_eq!(evaluated("true.x"), "true.x");
    assert_eq!(evaluated("f(null ...)"), "f((null)...)");
}

#[test]
fn q12_negative_zero_is_zero_and_numbers_are_finite() {
    assert_eq!(evaluated("!(0 * -1)"), "true");
    assert_eq!(filled("{{ 0 * -1 }}", &[]), "0");
    for text in ["0 ** -1", "1e308 * 10", "(0 - 8) ** 0.5"] {
        assert!(evaluated(text).contains("not a finite number"), "{text}");
    }
}

#[test]
fn q13_none_is_null_in_data() {
    assert_eq!(evaluated("tojson(null)"), r#""null""#);
    assert_eq!(evaluated("toyaml(null)"), r#""null\n""#);
    assert_eq!(evaluated("tojson(list(null, {\"a\":1}.b))"), r#""[null,null]""#);
    assert_eq!(filled("[{{ list(null).0 }}]", &[]), "[]");
}

#[test]
fn q14_blanks_around_dots_mean_nothing() {
    let vars = vars(r#"{"a": {"b": [7]}}"#);
    assert_eq!(resolved("a . b\n.0", &[&vars]), "7");
    assert_eq!(evaluated("[1] . 0"), "1");
    assert_eq!(evaluated("a . * . b"), r#"_wc(a,"_.value.b")"#);
}

#[test]
fn q15_a_sum_of_unknowns_may_still_be_text() {
    assert_eq!(evaluated("float(a + b)"), "float(a+b)");
    assert_eq!(evaluated("float(len(a) + 1)"), "len(a)+1");
    assert_eq!(evaluated("string(a + \"x\")"), "a+\"x\"");
}

#[test]
fn q17_spliced_items_are_not_evaluated_again() {
    let vars = vars(r#"{"l": ["{{ secret }}", "${A}"]}"#);
    let pass = |escaped| -> Vec<String> {
        resolve_list(["{{ l }}"], &[&vars], escaped).unwrap().into_iter().map(|item| item.text).collect()
    };
    assert_eq!(pass(false), ["{{ secret }}", "${A}"]);
    assert_eq!(pass(true), [r#"{{"{{"}} secret }}"#, r#"${{"{"}}A}"#]);
    assert_eq!(filled(&pass(true)[0], &[]), "{{ secret }}");
}

#[test]
fn q22_paths_wait_for_the_working_directory() {
    assert_eq!(evaluated("abspath(\"x\")"), "abspath(\"x\")");
    let vars = vars(r#"{"workingDir": "/w/d"}"#);
    assert_eq!(resolved("abspath(\"../x\")", &[&vars]), "\"/w/x\"");
    assert_eq!(resolved("relpath(\"/w/y\")", &[&vars]), "\"../y\"");
    assert_eq!(resolved("abspath(\"f\", \"b\")", &[&vars]), "\"/w/d/b/f\"");
}

#[test]
fn q27_a_wildcard_over_lists_of_lists_is_an_error() {
    let nested = vars(r#"{"a": [{"b": [{"c": 1}]}], "m": [{"b": {"x": {"c": 1}, "c": 2}}]}"#);
    assert!(resolved("a.*.b.*.c", &[&nested]).contains("of a list"));
    assert_eq!(resolved("m.*.b.*.c", &[&nested]), "[2]");
    assert_eq!(resolved("a.*.*.b.0.c", &[&nested]), "[1]");
}

#[test]
fn q30_a_spread_cast_keeps_its_spread() {
    assert_eq!(filled("{{ string(x...) }}", &[]), "{{string(x...)}}");
    assert_eq!(filled("{{ string(x, y) }}", &[]), "{{x}}{{y}}");
}

#[test]
fn q31_an_error_in_a_template_says_what_it_is() {
    assert!(filled("{{ 1 + }}", &[]).contains("premature end of expression"));
    assert!(filled("{{ 1 / 0 }}", &[]).contains("expression error: error while performing math: 1/0: cannot divide"));
}

#[test]
fn q33_names_below_properties_are_seen() {
    let names = |text: &str| outline(text).unwrap().names.into_iter().map(|mention| mention.name).collect::<Vec<_>>();
    assert_eq!(names("(a.b).c + f(image.command).x"), ["a.b", "image.command"]);
    assert_eq!(names("map(list, 'config.x + _.value')"), ["list", "config.x"]);
    let compiled = crate::expr::compile("(a.b).c + f(d).x").unwrap();
    assert_eq!(compiled.names().collect::<Vec<_>>(), ["a.b", "d"]);
}

#[test]
fn q35_a_leading_hash_is_quoted_for_the_shell() {
    assert_eq!(evaluated("shellquote('#smoke')"), "\"\\\\#smoke\"");
}

#[test]
fn d1_a_wildcard_works_on_any_base() {
    assert_eq!(evaluated(r#"[{"id":5}].*.id"#), "[5]");
    assert_eq!(evaluated("f(x).a.*.b.*.c"), r#"_wc(_wc(f(x).a,"_.value.b"),"_.value.c")"#);
}

#[test]
fn raw_line_ends_of_any_kind_may_stand_in_a_string() {
    assert_eq!(evaluated("\"a\r\nb\""), r#""a\r\nb""#);
    assert_eq!(evaluated("'a\r\nb'"), r#""a\r\nb""#);
}

#[test]
fn nil_in_data_is_false() {
    assert_eq!(evaluated("[null].0 ? 1 : 2"), "2");
    assert_eq!(evaluated("string([null].0)"), r#""null""#);
}

#[test]
fn integers_are_exact_and_arithmetic_is_not() {
    assert_eq!(evaluated("9007199254740993"), "9007199254740993");
    assert_eq!(evaluated("-9007199254740993"), "-9007199254740993");
    assert_eq!(evaluated("[9007199254740993].0"), "9007199254740993");
    assert_eq!(evaluated("9007199254740993 + 0"), "9007199254740992");
}

#[test]
fn timestamps_stay_as_written() {
    assert_eq!(evaluated("yaml('2026-08-01')"), r#""2026-08-01""#);
    assert_eq!(evaluated("yaml('a: yes\nyes: 0777\nb: 1_000')"), r#"{"a":"yes","b":1000,"yes":511}"#);
    assert_eq!(evaluated("yaml('<<: {a: 1}\nb: 2\n---\nc: 3')"), r#"{"a":1,"b":2}"#);
    assert!(evaluated("yaml('a: 1\na: 2')").contains("yaml"));
}

#[test]
fn mixed_logic_without_parentheses_is_pointed_out() {
    let mixed = |text: &str| outline(text).unwrap().mixed.into_iter().map(|at| text[at].to_owned()).collect::<Vec<_>>();
    assert_eq!(mixed("a && b || c"), ["a && b || c"]);
    assert_eq!(mixed("(a && b) || c"), Vec::<String>::new());
    assert_eq!(mixed("x == (a || b && c || d)"), ["a || b && c || d"]);
}

#[test]
fn escaped_text_stands_for_itself() {
    for text in ["{", "{{", "{{{", "{{{{", "a{b}c", "{{ x }}", "${A}", "}}", "{a{{b{{{c"] {
        assert_eq!(filled(&escape(text), &[]), text);
    }
    assert_eq!(escape("${A} {{"), r#"${{"{"}}A} {{"{{"}}"#);
}

#[test]
fn the_list_rule_splices_pure_items() {
    let vars = vars(r#"{"p": "m,n", "svc": [{"ip": "a"}, {"ip": "b"}]}"#);
    let list = |items: &[&str]| -> Vec<String> {
        resolve_list(items, &[&vars], false).unwrap().into_iter().map(|item| item.text).collect()
    };
    assert_eq!(list(&["a", r#"{{ list("x","y") }}"#, "b"]), ["a", "x", "y", "b"]);
    assert_eq!(list(&["{{ split(p) }}"]), ["m", "n"]);
    assert_eq!(list(&["p-{{ list(1,2) }}"]), ["p-1,2"]);
    assert_eq!(list(&["{{ null }}"]), Vec::<String>::new());
    assert_eq!(list(&[r#"{{ "" }}"#]), [""]);
    assert_eq!(list(&[r#"  {{ "t" }}  "#]), ["t"]);
    assert_eq!(list(&[r#"{{ {"a":1} }}"#]), [r#"{"a":1}"#]);
    assert_eq!(list(&["{{ list(1, list(2,3)) }}"]), ["1", "2,3"]);
    assert_eq!(list(&["{{ svc.*.ip }}"]), ["a,b"]);
    assert_eq!(list(&[r#"{{ _wc(svc,"_.value.ip") }}"#]), ["a,b"]);
    assert_eq!(list(&["{{ list(svc.*.ip...) }}"]), ["a", "b"]);
    assert_eq!(list(&["{{ later }}"]), ["{{later}}"]);
    assert!(resolve_list(["{{ 1 / 0 }}"], &[], false).is_err());
}

#[test]
fn entries_come_in_order() {
    assert_eq!(evaluated(r#"join(map(entries({"b":1,"a":2}), "_.value.key"))"#), r#""a,b""#);
    assert_eq!(evaluated("map(entries(range(11)), '_.value.key').10"), r#""10""#);
    assert_eq!(Value::from("x").to_json_text(), r#""x""#);
}
