//! jaq made to mean what gojq means: no way out of the process, values with gojq's habits, and the functions it lacks.
//!
//! Known gaps: where both sides of an operator give several outputs, as in `(1,2) + (10,20)`, they are paired in another
//! order; a character beyond U+FFFF cannot be written as two `\u` escapes.

use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use testudo_core::expr::Value;

use super::functions;
use super::json::Json;

/// The number of items any list of the language may have.
pub(super) const MAX_OUTPUTS: usize = 1_000_000;
const PRELUDE: &str = include_str!("prelude.jq");

/// What ends the process, reads its environment or its input, or writes past its output.
const FORBIDDEN: &[&str] = &[
    "halt",
    "halt_error",
    "env",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    "input",
    "inputs",
    "input_filename",
];
/// Native functions that the prelude wraps under their own name.
const WRAPPED: &[(&str, &str)] = &[("limit", "_limit"), ("skip", "_skip")];

pub(super) type Data = data::JustLut<Json>;

/// All outputs of a query.
pub(super) fn run(query: &str, input: &Value) -> Result<Vec<Value>, String> {
    let prelude = load::parse(PRELUDE, |parser| parser.defs()).ok_or("the prelude is broken")?;
    let own = functions::all();
    let is_own = |name: &str, arity: usize| own.iter().any(|(own, args, _)| *own == name && args.len() == arity);
    let standard = jaq_core::defs().chain(jaq_std::defs());
    let definitions: Vec<_> = standard
        .filter(|definition| !FORBIDDEN.contains(&definition.name) && !is_own(definition.name, definition.args.len()))
        .chain(prelude)
        .collect();
    let standard = || jaq_core::funs().chain(jaq_std::funs());
    let wrapped = standard().filter_map(|(name, args, function)| {
        let (_, hidden) = WRAPPED.iter().find(|(original, _)| *original == name)?;
        Some((*hidden, args, function))
    });
    let functions: Vec<_> =
        standard().filter(|(name, _, _)| !FORBIDDEN.contains(name)).chain(wrapped).chain(functions::all()).collect();
    let arena = Arena::default();
    let modules = Loader::new(definitions)
        .load(&arena, File { code: query, path: () })
        .map_err(|errors| errors.into_iter().map(|(_, error)| syntax(query, error)).collect::<Vec<_>>().join("; "))?;
    let filter = Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
        let unknown = errors.into_iter().flat_map(|(_, unknown)| unknown);
        unknown.map(|(name, kind)| format!("{} not defined: {name}", kind.as_str())).collect::<Vec<_>>().join("; ")
    })?;
    let context = Ctx::<Data>::new(&filter.lut, Vars::new([]));
    let mut outputs = Vec::new();
    for output in filter.id.run((context, Json::from_value(input))) {
        let output = unwrap_valr(output).map_err(|error| error.to_string())?;
        if outputs.len() >= MAX_OUTPUTS {
            return Err(format!("more than {MAX_OUTPUTS} outputs"));
        }
        outputs.push(output.to_value());
    }
    Ok(outputs)
}

fn syntax(query: &str, error: load::Error<&str>) -> String {
    let place = |rest: &str| query.len() - rest.len();
    let found: Vec<String> = match error {
        load::Error::Io(errors) => errors.into_iter().map(|(path, error)| format!("{path}: {error}")).collect(),
        load::Error::Lex(errors) => errors
            .into_iter()
            .map(|(expected, rest)| format!("expected {} at index {}", expected.as_str(), place(rest)))
            .collect(),
        load::Error::Parse(errors) => errors
            .into_iter()
            .map(|(expected, found)| {
                let found = if found.is_empty() { "the end" } else { found };
                format!("expected {}, found {found}", expected.as_str())
            })
            .collect(),
    };
    format!("syntax error: {}", found.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(input: &str, query: &str) -> String {
        match run(query, &serde_json::from_str(input).unwrap()) {
            Ok(outputs) => Value::list(outputs).to_json_text(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn nothing_leads_out_of_the_query() {
        for query in
            ["halt", "halt_error", "env", "$ENV", "$ENV.PATH", "debug", "stderr", "input", "inputs", "include \"x\"; ."]
        {
            let answer = outputs("null", query);
            assert!(answer.starts_with("error: "), "{query}: {answer}");
        }
    }

    /// Answers are gojq's.
    #[test]
    fn queries_mean_what_they_mean_in_gojq() {
        let input = r#"{"b": [1, 2, {"c": "x"}], "a": {"z": 1, "y": null}, "s": "Hello, World"}"#;
        for (query, expected) in [
            (".b | max", r#"[{"c":"x"}]"#),
            ("{b: 2, a: 1} | [.[]], keys, tojson", r#"[[1,2],["a","b"],"{\"a\":1,\"b\":2}"]"#),
            (".a.q.r = 1 | .a", r#"[{"q":{"r":1},"y":null,"z":1}]"#),
            (".b[5] = 1 | .b", r#"[[1,2,{"c":"x"},null,null,1]]"#),
            ("null | setpath([\"a\", 0]; 1)", r#"[{"a":[1]}]"#),
            ("pick(.a.z)", r#"[{"a":{"z":1}}]"#),
            ("del(.b[0, 1], .a.y) | .a, .b", r#"[{"z":1},[{"c":"x"}]]"#),
            ("[.b | tostream] | length", "[5]"),
            ("fromstream(tostream) == .", "[true]"),
            ("[.. | strings]", r#"[["x","Hello, World"]]"#),
            ("1.0, 3.0 | tostring", r#"["1","3"]"#),
            ("10 / 5, 1 / 4, 5.5 % 2, -5 % 3", "[2,0.25,1,-2]"),
            (
                ".s | [match(\"(?<x>l+)(q)?\"; \"g\") | .offset], sub(\"o\"; \"0\"), gsub(\"(?<v>[eo])\"; \"<\\(.v)>\")",
                r#"[[2,10],"Hell0, World","H\u003ce\u003ell\u003co\u003e, W\u003co\u003erld"]"#,
            ),
            (
                ".s | test([\"hello\", \"i\"]), (capture(\"(?<w>[A-Z])\") | .w), [scan(\"[A-Z]\")]",
                r#"[true,"H",["H","W"]]"#,
            ),
            (
                "[\"a\", null, 1, true] | join(\"-\"), @csv, @tsv, @sh",
                r#"["a--1-true","\"a\",,1,true","a\t\t1\ttrue","'a' null 1 true"]"#,
            ),
            ("\"hi\" | @base64, (@base64 | @base64d), @uri, @html", r#"["aGk=","hi","hi","hi"]"#),
            ("[.b[] | numbers] | IN([1, 2], [3])", "[true]"),
            ("[{id: \"x\", n: 1}] | INDEX(.id)", r#"[{"x":{"id":"x","n":1}}]"#),
            ("\"abc\" | .[0], .[1:2], ltrimstr(\"a\"), ascii_upcase", r#"["a","b","bc","ABC"]"#),
            ("[limit(3; range(10))], first(range(5; 9)), [range(0; 1; 0.5)]", "[[0,1,2],5,[0,0.5]]"),
            (
                ".a | to_entries, with_entries(.value |= tostring)",
                r#"[[{"key":"y","value":null},{"key":"z","value":1}],{"y":"null","z":"1"}]"#,
            ),
            ("infinite, nan", "[1.7976931348623157e+308,null]"),
        ] {
            assert_eq!(outputs(input, query), expected, "{query}");
        }
    }

    #[test]
    fn what_fails_in_gojq_fails() {
        for query in [
            ".[",
            ".a.b",
            "1 / 0",
            "1 % 0",
            "error(\"x\")",
            "[1] | has(\"a\")",
            "\"a\" | contains(1)",
            "{} - 1",
            "nofn",
        ] {
            assert!(outputs("[1]", query).starts_with("error: "), "{query}");
        }
    }
}
