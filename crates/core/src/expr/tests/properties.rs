//! What holds for every text and every tree.

use std::sync::Arc;

use proptest::prelude::*;

use crate::expr::node::{Arg, Callee, Kind, Node, Op};
use crate::expr::{Expr, Map, Value, Vars, compile, compile_template, outline, parse, print};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        (-5_i64..5).prop_map(Value::Int),
        any::<i64>().prop_map(Value::Int),
        (-1e6..1e6).prop_map(Value::Float),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Value::Float),
        "[a-c{}\"'\\\\ \n]{0,5}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        // None is a literal; what is null inside data is nil.
        let inner = inner.prop_map(|value| if let Value::None = value { Value::Nil } else { value });
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::list),
            prop::collection::btree_map("[a-z]{1,2}".prop_map(Arc::from), inner, 0..3)
                .prop_map(|entries: Map| Value::from(entries)),
        ]
    })
}

fn operator() -> impl Strategy<Value = Op> {
    prop::sample::select(vec![
        Op::And,
        Op::Or,
        Op::Equal,
        Op::EqualTwice,
        Op::Differs,
        Op::DiffersAngled,
        Op::Greater,
        Op::GreaterEqual,
        Op::Less,
        Op::LessEqual,
        Op::Add,
        Op::Subtract,
        Op::Multiply,
        Op::Divide,
        Op::Remainder,
        Op::Power,
    ])
}

/// Trees as a residual might be: nothing that a parser would have put together differently.
fn node() -> impl Strategy<Value = Node> {
    let name =
        prop::sample::select(vec!["a", "b.c", "d.0.e", "null.x", "truth"]).prop_map(|name| Node::Name(name.into()));
    let leaf = prop_oneof![value().prop_map(Node::Static), name];
    leaf.prop_recursive(5, 48, 4, |inner| {
        let arg = (inner.clone(), any::<bool>()).prop_map(|(node, spread)| Arg { node, spread });
        prop_oneof![
            4 => (operator(), inner.clone(), inner.clone())
                .prop_map(|(op, left, right)| Node::binary(op, left, right).unwrap()),
            1 => inner.clone().prop_map(|operand| Node::not(operand).unwrap()),
            1 => (inner.clone(), "[a-z0-9]{1,2}").prop_map(|(base, key)| Node::property(base, key.into()).unwrap()),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(condition, then, otherwise)| Node::choice(condition, then, otherwise).unwrap()),
            1 => prop::collection::vec(arg, 0..3)
                .prop_map(|args| Node::call(Callee::Other("f".into()), args.into()).unwrap()),
        ]
    })
}

/// One spelling for trees that mean the same: a path is a name, and `&&` chains lean to the left.
fn normal(node: &Node) -> Node {
    let Some(kind) = node.kind() else { return node.clone() };
    match kind {
        Kind::Property(base, key) => match normal(base) {
            Node::Name(path) => Node::Name(format!("{path}.{key}").into()),
            base => Node::property(base, key.clone()).unwrap(),
        },
        Kind::Call(callee, args) => {
            let args = args.iter().map(|arg| Arg { node: normal(&arg.node), spread: arg.spread });
            Node::call(callee.clone(), args.collect()).unwrap()
        }
        Kind::Not(operand) => Node::not(normal(operand)).unwrap(),
        Kind::Choice(condition, then, otherwise) => {
            Node::choice(normal(condition), normal(then), normal(otherwise)).unwrap()
        }
        Kind::Binary(op, left, right) => {
            let (left, right) = (normal(left), normal(right));
            match right.kind() {
                Some(Kind::Binary(inner, middle, last)) if op == inner && matches!(op, Op::And | Op::Or) => {
                    normal(&Node::binary(*op, Node::binary(*op, left, middle.clone()).unwrap(), last.clone()).unwrap())
                }
                _ => Node::binary(*op, left, right).unwrap(),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_parses_to_the_same_tree(node in node()) {
        let text = print::text(&node);
        let parsed = parse::expression(&text, None).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(normal(&parsed), normal(&node), "{}", text);
    }

    #[test]
    fn printing_once_more_changes_nothing(node in node()) {
        let text = print::text(&node);
        if let Ok(compiled) = compile(&text) {
            let printed = compiled.text();
            prop_assert_eq!(compile(&printed).unwrap().text(), printed);
        }
    }

    #[test]
    fn a_stage_in_between_changes_nothing(node in node(), a in value(), b in value()) {
        let text = print::text(&node);
        let first = Vars::one("a", a.clone());
        let both = Vars::one("a", a).with("b", Value::from(Map::from([("c".into(), b)])));
        let Ok(compiled) = compile(&text) else { return Ok(()) };
        let at_once = compiled.resolve(&[&both]);
        let Ok(half) = compiled.resolve(&[&first]) else { return Ok(()) };
        let in_stages = compile(&half.text()).and_then(|expr| expr.resolve(&[&both]));
        if let (Ok(at_once), Ok(in_stages)) = (at_once, in_stages) {
            prop_assert_eq!(at_once.text(), in_stages.text(), "{} then {}", text, half.text());
        }
    }

    #[test]
    fn template_text_compiles_to_the_same_text(before in "[a{}$ ]{0,6}", node in node(), behind in "[a{}$ ]{0,6}") {
        let template = format!("{}{{{{{}}}}}{}", crate::expr::escape(&before), print::text(&node), crate::expr::escape(&behind));
        if let Ok(compiled) = compile_template(&template) {
            let printed = compiled.template();
            prop_assert_eq!(compile_template(&printed).unwrap().template(), printed);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = (compile(&text), compile_template(&text), outline(&text));
    }

    #[test]
    fn no_text_of_its_own_tokens_makes_it_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "{{", "}}", "(", ")", ",", "...", "?", ":", "!", "-", "+", "**", "&&", "=", ".", ".*", "a", "a.b", "map(",
            "'_.value'", "\"", "'", "\\", "[1", "]", "{\"k\":", "}", "null", "true", "1", "1.", "eval(", "any(", " ", "é",
            "_wc(", "list(", "split(", "\n",
        ]), 0..24),
    ) {
        let text = words.concat();
        let vars = Vars::one("a", Value::from("x")).with("a.b", Value::list(vec![Value::Int(1)]));
        let braced = ["{{", &text, "}}"].concat();
        for compiled in [compile(&text), compile_template(&text), compile_template(&braced)] {
            match compiled.and_then(|expr: Expr| expr.resolve(&[&vars])) {
                Ok(expr) => drop((expr.text(), expr.template())),
                Err(error) => if let Some(at) = error.at {
                    prop_assert!(text.get(at.clone()).is_some() || braced.get(at).is_some());
                },
            }
        }
        let _ = outline(&text);
    }

    #[test]
    fn json_reads_back(value in value()) {
        let text = value.to_json_text();
        let read = Value::from_json_text(&text).unwrap();
        prop_assert_eq!(read.to_json_text(), text);
    }

    #[test]
    fn shell_words_read_back(words in prop::collection::vec("[a#~' \"\\\\$\n\t*]{0,5}", 0..4)) {
        let line = crate::expr::shell_quote(words.iter().map(String::as_str));
        prop_assert_eq!(crate::expr::shell_parse(&line).unwrap(), words);
    }

    #[test]
    fn paths_lead_where_they_should(path in "(/[ab.]{0,3}){0,5}", base in "(/[ab.]{0,3}){0,5}") {
        let (path, base) = (crate::expr::abspath("/", &path), crate::expr::abspath("/", &base));
        prop_assert_eq!(crate::expr::abspath(&base, &crate::expr::relpath(&path, &base)), path);
    }
}
