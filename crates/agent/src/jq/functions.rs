//! Functions that depend on what a value is, and those that gojq has its own idea of.

use std::rc::Rc;

use jaq_core::box_iter::box_once;
use jaq_core::native::{Filter, Fun};
use jaq_core::{Bind, Error, Native, RunPtr};
use regex::{Captures, RegexBuilder};
use testudo_core::expr::Value;

use super::engine::Data;
use super::json::{Json, Object};

type Result<T = Json> = std::result::Result<T, Error<Json>>;

/// The functions of this file under their names.
pub(super) fn all() -> Vec<Fun<Data>> {
    let none = || -> Box<[Bind]> { Box::new([]) };
    let one = || -> Box<[Bind]> { Box::new([Bind::Var(())]) };
    let two = || -> Box<[Bind]> { Box::new([Bind::Var(()), Bind::Var(())]) };
    macro_rules! native {
        ($function:expr; 0) => {
            (|(_, value)| {
                let result: Result = $function(&value);
                box_once(result.map_err(Into::into))
            }) as RunPtr<Data>
        };
        ($function:expr; 1) => {
            (|(mut context, value)| {
                let result: Result = $function(&value, &context.pop_var());
                box_once(result.map_err(Into::into))
            }) as RunPtr<Data>
        };
        ($function:expr; 2) => {
            (|(mut context, value)| {
                let second = context.pop_var();
                let result: Result = $function(&value, &context.pop_var(), &second);
                box_once(result.map_err(Into::into))
            }) as RunPtr<Data>
        };
    }
    let functions: Vec<Filter<RunPtr<Data>>> = vec![
        ("type", none(), native!(|value: &Json| Ok(Json::text(value.kind())); 0)),
        ("length", none(), native!(length; 0)),
        ("tojson", none(), native!(|value: &Json| Ok(value.to_json_text().into()); 0)),
        ("fromjson", none(), native!(from_json; 0)),
        ("tonumber", none(), native!(to_number; 0)),
        ("nan", none(), native!(|_: &Json| Ok(Json::Float(f64::NAN)); 0)),
        ("infinite", none(), native!(|_: &Json| Ok(Json::Float(f64::INFINITY)); 0)),
        ("isnan", none(), native!(|value: &Json| number(value).map(|x| Json::Bool(x.is_nan())); 0)),
        ("_base32", none(), native!(|value: &Json| text(value).map(|text| base32(text.as_bytes()).into()); 0)),
        ("_base32d", none(), native!(base32_decoded; 0)),
        ("_base64d", none(), native!(base64_decoded; 0)),
        ("contains", one(), native!(|value: &Json, part: &Json| contains(value, part).map(Json::Bool); 1)),
        ("has", one(), native!(has; 1)),
        ("indices", one(), native!(all_indices; 1)),
        ("bsearch", one(), native!(search; 1)),
        ("split", one(), native!(|value: &Json, by: &Json| Ok(split(text(value)?, text(by)?)); 1)),
        ("join", one(), native!(join; 1)),
        ("delpaths", one(), native!(delete_paths; 1)),
        ("_match", two(), native!(matches; 2)),
    ];
    functions.into_iter().map(|(name, args, run)| (name, args, Native::<Data>::new(run))).collect()
}

fn text(value: &Json) -> Result<&str> {
    match value {
        Json::Text(text) => Ok(text),
        other => Err(Error::typ(other.clone(), "string")),
    }
}

fn number(value: &Json) -> Result<f64> {
    value.to_f64().ok_or_else(|| Error::typ(value.clone(), "number"))
}

fn list(value: &Json) -> Result<&[Json]> {
    match value {
        Json::List(items) => Ok(items),
        other => Err(Error::typ(other.clone(), "array")),
    }
}

fn length(value: &Json) -> Result {
    match value {
        Json::Null => Ok(Json::Int(0)),
        Json::Bool(_) => Err(Error::str(format_args!("{value} has no length"))),
        Json::Int(n) => Ok(n.checked_abs().map_or_else(|| Json::number((*n as f64).abs()), Json::Int)),
        Json::Float(x) => Ok(Json::number(x.abs())),
        Json::Text(text) => Ok(text.chars().count().into()),
        Json::List(items) => Ok(items.len().into()),
        Json::Object(entries) => Ok(entries.len().into()),
    }
}

fn from_json(value: &Json) -> Result {
    Value::from_json_text(text(value)?)
        .map(|value| Json::from_value(&value))
        .map_err(|error| Error::str(format_args!("fromjson: {}", error.message)))
}

fn to_number(value: &Json) -> Result {
    match value {
        Json::Int(_) | Json::Float(_) => Ok(value.clone()),
        _ => {
            let digits = text(value)?;
            let plain = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
            match (digits.parse::<i64>(), digits.parse::<f64>()) {
                (Ok(n), _) => Ok(Json::Int(n)),
                (_, Ok(x)) if plain => Ok(Json::number(x)),
                _ => Err(Error::str(format_args!("{value} is no number"))),
            }
        }
    }
}

fn contains(value: &Json, part: &Json) -> Result<bool> {
    match (value, part) {
        (Json::Text(value), Json::Text(part)) => Ok(value.contains(&**part)),
        (Json::List(items), Json::List(parts)) => {
            Ok(parts.iter().all(|part| items.iter().any(|item| contains(item, part).unwrap_or(false))))
        }
        (Json::Object(entries), Json::Object(parts)) => Ok(parts
            .iter()
            .all(|(key, part)| entries.get(key).is_some_and(|value| contains(value, part).unwrap_or(false)))),
        (a, b) if a == b || a.to_f64().is_some() && b.to_f64().is_some() => Ok(a == b),
        (a, b) => Err(Error::str(format_args!("contains({b}) cannot be applied to: {a}"))),
    }
}

fn has(value: &Json, key: &Json) -> Result {
    match (value, key) {
        (Json::Null, _) => Ok(Json::Bool(false)),
        (Json::Object(entries), Json::Text(key)) => Ok(Json::Bool(entries.contains_key(key))),
        (Json::List(items), Json::Int(_) | Json::Float(_)) => {
            let index = key.to_index().and_then(|index| usize::try_from(index).ok());
            Ok(Json::Bool(index.is_some_and(|index| index < items.len())))
        }
        (value, key) => Err(Error::str(format_args!("has({key}) cannot be applied to: {value}"))),
    }
}

/// Where a list has another one inside.
pub(super) fn indices(items: &[Json], part: &[Json]) -> Json {
    if part.is_empty() {
        return Json::list(Vec::new());
    }
    items.windows(part.len()).enumerate().filter(|(_, window)| *window == part).map(|(index, _)| index.into()).collect()
}

fn all_indices(value: &Json, part: &Json) -> Result {
    match (value, part) {
        (Json::Null, _) => Ok(Json::Null),
        (Json::List(items), Json::List(part)) => Ok(indices(items, part)),
        (Json::List(items), part) => Ok(indices(items, std::slice::from_ref(part))),
        (Json::Text(_), Json::Text(part)) if part.is_empty() => Ok(Json::list(Vec::new())),
        (Json::Text(text), Json::Text(part)) => {
            let found = text.char_indices().enumerate().filter(|(_, (at, _))| text[*at..].starts_with(&**part));
            Ok(found.map(|(index, _)| index.into()).collect())
        }
        (value, part) => Err(Error::str(format_args!("indices({part}) cannot be applied to: {value}"))),
    }
}

fn search(value: &Json, wanted: &Json) -> Result {
    Ok(match list(value)?.binary_search(wanted) {
        Ok(index) => index.into(),
        Err(index) => Json::Int(-1 - index as i64),
    })
}

/// Cut at every separator; an empty one cuts between all characters, and empty text has no parts.
pub(super) fn split(text: &str, separator: &str) -> Json {
    if text.is_empty() {
        Json::list(Vec::new())
    } else if separator.is_empty() {
        text.chars().map(|c| Json::text(c.encode_utf8(&mut [0; 4]))).collect()
    } else {
        text.split(separator).map(Json::text).collect()
    }
}

fn join(value: &Json, separator: &Json) -> Result {
    let values: Vec<Json> = match value {
        Json::Object(entries) => entries.values().cloned().collect(),
        other => list(other)?.to_vec(),
    };
    let mut joined = Json::text("");
    for (index, item) in values.into_iter().enumerate() {
        if index > 0 {
            joined = (joined + separator.clone())?;
        }
        joined = (joined
            + match item {
                Json::Bool(_) | Json::Int(_) | Json::Float(_) => item.to_json_text().into(),
                other => other,
            })?;
    }
    Ok(joined)
}

fn delete_paths(value: &Json, paths: &Json) -> Result {
    let mut paths: Vec<&[Json]> = list(paths)?.iter().map(list).collect::<Result<_>>()?;
    // From the back, so that no deletion moves what another path leads to.
    paths.sort();
    paths.dedup();
    paths.iter().rev().try_fold(value.clone(), |value, path| delete(value, path))
}

fn delete(value: Json, path: &[Json]) -> Result {
    use jaq_core::ValT;
    let Some((first, rest)) = path.split_first() else { return Ok(Json::Null) };
    if let Json::Null = value {
        return Ok(Json::Null);
    }
    let old = value.clone().index(first)?;
    let missing = match (&value, first) {
        (Json::Object(entries), Json::Text(key)) => !entries.contains_key(key),
        _ => false,
    };
    if missing || !rest.is_empty() && matches!(old, Json::Null) {
        return Ok(value);
    }
    let changed = value.map_index(first, jaq_core::path::Opt::Essential, |old| {
        let inner = if rest.is_empty() { None } else { Some(delete(old, rest).map_err(Into::into)) };
        inner.into_iter()
    });
    changed.map_err(|error| error.get_err().unwrap_or_else(|_| Error::str("cannot delete")))
}

/// All matches (with the flag `g`) or the first, as gojq describes them.
fn matches(value: &Json, pattern: &Json, flags: &Json) -> Result {
    let flags = match flags {
        Json::Null => "",
        flags => text(flags)?,
    };
    if let Some(unknown) = flags.chars().find(|flag| !matches!(flag, 'g' | 'i' | 'm')) {
        return Err(Error::str(format_args!("unsupported regular expression flag: {unknown:?}")));
    }
    let (text, pattern) = (text(value)?, text(pattern)?);
    let regex = RegexBuilder::new(pattern)
        .case_insensitive(flags.contains('i'))
        .dot_matches_new_line(flags.contains('m'))
        .build()
        .map_err(|error| Error::str(format_args!("invalid regular expression {pattern:?}: {error}")))?;
    let names: Vec<Json> = regex.capture_names().map(|name| name.map_or(Json::Null, Json::text)).collect();
    let count = if flags.contains('g') { usize::MAX } else { 1 };
    Ok(regex.captures_iter(text).take(count).map(|captures| described(text, &names, &captures)).collect())
}

fn described(text: &str, names: &[Json], captures: &Captures<'_>) -> Json {
    let group = |index: usize| -> Object {
        let (offset, length, string) = match captures.get(index) {
            Some(found) => {
                let offset = text[..found.start()].chars().count();
                (offset.into(), found.as_str().chars().count().into(), Json::text(found.as_str()))
            }
            None => (Json::Int(-1), Json::Int(0), Json::Null),
        };
        Object::from([("offset".into(), offset), ("length".into(), length), ("string".into(), string)])
    };
    let groups = (1..names.len()).map(|index| {
        let mut group = group(index);
        group.insert("name".into(), names[index].clone());
        Json::Object(Rc::new(group))
    });
    let mut whole = group(0);
    whole.insert("captures".into(), groups.collect());
    Json::Object(Rc::new(whole))
}

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

fn base32_decoded(value: &Json) -> Result {
    decoded(text(value)?, BASE32, 5)
}

/// With or without padding.
fn base64_decoded(value: &Json) -> Result {
    decoded(text(value)?, BASE64, 6)
}

fn decoded(encoded: &str, alphabet: &[u8], width: u32) -> Result {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in encoded.trim_end_matches('=').bytes() {
        let digit = alphabet.iter().position(|digit| *digit == byte);
        let digit = digit.ok_or_else(|| Error::str(format_args!("cannot decode {encoded:?}")))?;
        bits = bits << width | digit as u32;
        count += width;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned().into())
}
