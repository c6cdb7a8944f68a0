//! jaq made to mean what gojq means: no way out of the process, sorted keys, and the functions it lacks.
//!
//! Known gap: `.[]` over an object that the query itself put together visits keys as they were put, not sorted.

use std::borrow::Cow;

use jaq_core::box_iter::box_once;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::native::Fun;
use jaq_core::{Compiler, Ctx, Native, Vars, data, unwrap_valr};
use jaq_json::{Num, Val};
use testudo_core::expr::{Map, Value};

/// The number of items any list of the language may have.
const MAX_OUTPUTS: usize = 1_000_000;
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
const WRAPPED: &[(&str, &str)] = &[("tojson", "_tojson"), ("limit", "_limit"), ("skip", "_skip")];

type Data = data::JustLut<Val>;

/// All outputs of a query.
pub(super) fn run(query: &str, input: &Value) -> Result<Vec<Value>, String> {
    let prelude = load::parse(PRELUDE, |parser| parser.defs()).ok_or("the prelude is broken")?;
    let standard = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let definitions = standard.filter(|definition| !FORBIDDEN.contains(&definition.name)).chain(prelude);
    let functions = || jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let wrapped = functions().filter_map(|(name, args, function)| {
        let (_, hidden) = WRAPPED.iter().find(|(original, _)| *original == name)?;
        Some((*hidden, args, function))
    });
    let functions = functions().filter(|(name, _, _)| !FORBIDDEN.contains(name)).chain(wrapped).chain(own_functions());
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
    for output in filter.id.run((context, to_jaq(input))) {
        let output = unwrap_valr(output).map_err(|error| error.to_string())?;
        if outputs.len() >= MAX_OUTPUTS {
            return Err(format!("more than {MAX_OUTPUTS} outputs"));
        }
        outputs.push(from_jaq(&output));
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

fn own_functions() -> [Fun<Data>; 4] {
    [
        ("_sorted", Box::new([]), Native::new(|(_, value)| box_once(Ok(sorted(value, Depth::Top))))),
        ("_sorted_deep", Box::new([]), Native::new(|(_, value)| box_once(Ok(sorted(value, Depth::All))))),
        ("_base32", Box::new([]), Native::new(|(_, value)| box_once(Ok(text(&base32(&bytes(&value))))))),
        (
            "_base32d",
            Box::new([]),
            Native::new(|(_, value)| {
                let decoded = base32_decoded(&bytes(&value)).map(|bytes| text(&String::from_utf8_lossy(&bytes)));
                box_once(decoded.ok_or_else(|| jaq_core::Error::str("invalid base32").into()))
            }),
        ),
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum Depth {
    Top,
    All,
}

fn sorted(value: Val, depth: Depth) -> Val {
    match value {
        Val::Obj(entries) => {
            let mut entries: Vec<_> = entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            if depth == Depth::All {
                entries = entries.into_iter().map(|(key, value)| (key, sorted(value, depth))).collect();
            }
            Val::obj(entries.into_iter().collect())
        }
        Val::Arr(items) if depth == Depth::All => items.iter().map(|item| sorted(item.clone(), depth)).collect(),
        other => other,
    }
}

fn text(text: &str) -> Val {
    Val::utf8_str(text.as_bytes().to_vec())
}

fn bytes(value: &Val) -> Cow<'_, [u8]> {
    match value {
        Val::TStr(bytes) | Val::BStr(bytes) => Cow::Borrowed(bytes),
        other => Cow::Owned(other.to_string().into_bytes()),
    }
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut group = [0; 5];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let digits = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let digit = BASE32[(bits >> (35 - 5 * index) & 31) as usize];
            out.push(char::from(if index < digits { digit } else { b'=' }));
        }
    }
    out
}

fn base32_decoded(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in encoded.iter().filter(|byte| **byte != b'=') {
        let digit = BASE32.iter().position(|digit| digit == byte)?;
        bits = bits << 5 | digit as u32;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

fn to_jaq(value: &Value) -> Val {
    match value {
        Value::None | Value::Nil => Val::Null,
        Value::Bool(truth) => Val::Bool(*truth),
        Value::Int(n) => Val::Num(Num::from_integral(*n)),
        Value::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => Val::Num(Num::from_integral(*x as i64)),
        Value::Float(x) => Val::Num(Num::Float(*x)),
        Value::Str(string) => text(string),
        Value::List(items) => items.iter().map(to_jaq).collect(),
        Value::Map(entries) => Val::obj(entries.iter().map(|(key, value)| (text(key), to_jaq(value))).collect()),
    }
}

/// What is no number becomes null, infinities the largest number: gojq's way of writing them.
fn from_jaq(value: &Val) -> Value {
    match value {
        Val::Null => Value::Nil,
        Val::Bool(truth) => Value::Bool(*truth),
        Val::Num(number) => number_value(number),
        Val::TStr(bytes) | Val::BStr(bytes) => Value::from(&*String::from_utf8_lossy(bytes)),
        Val::Arr(items) => items.iter().map(from_jaq).collect(),
        Val::Obj(entries) => {
            let key = |key: &Val| match key {
                Val::TStr(bytes) | Val::BStr(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => other.to_string(),
            };
            Value::from(entries.iter().map(|(name, value)| (key(name).into(), from_jaq(value))).collect::<Map>())
        }
    }
}

fn number_value(number: &Num) -> Value {
    match number {
        Num::Int(n) => Value::Int(*n as i64),
        Num::Float(x) if x.is_nan() => Value::Nil,
        Num::Float(x) => Value::Float(x.clamp(f64::MIN, f64::MAX)),
        other => {
            let digits = other.to_string();
            match (digits.parse::<i64>(), digits.parse::<f64>()) {
                (Ok(n), _) => Value::Int(n),
                (_, Ok(x)) if !x.is_nan() => Value::Float(x.clamp(f64::MIN, f64::MAX)),
                _ => Value::Nil,
            }
        }
    }
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
            assert!(outputs("null", query).starts_with("error: "), "{query}: {}", outputs("null", query));
        }
    }
}
