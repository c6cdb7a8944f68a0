//! POSIX paths as text. Nothing here looks at a file system.

use super::{Answer, Function, one_or_two, wrong_count};
use crate::expr::ExprError;
use crate::expr::node::Node;
use crate::expr::value::Value;

/// The shortest path that means the same: no `.`, no `x/..`, no doubled or trailing slash; `.` if nothing is left.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if rooted => {}
            segment => kept.push(segment),
        }
    }
    match (rooted, kept.is_empty()) {
        (true, _) => format!("/{}", kept.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => kept.join("/"),
    }
}

fn join(base: &str, path: &str) -> String {
    match (base, path) {
        ("", "") => String::new(),
        ("", path) => clean(path),
        (base, path) => clean(&format!("{base}/{path}")),
    }
}

/// `path` seen from `directory`.
pub fn abspath(directory: &str, path: &str) -> String {
    if path.starts_with('/') { clean(path) } else { join(directory, path) }
}

/// The way from `base` to `path`. Both must be cleaned, and both absolute or both relative.
pub fn relpath(path: &str, base: &str) -> String {
    let segments = |path: &'_ str| -> Vec<String> {
        path.split('/').filter(|segment| !matches!(*segment, "" | ".")).map(str::to_owned).collect()
    };
    let (path, base) = (segments(path), segments(base));
    let shared = path.iter().zip(&base).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", base.len() - shared);
    let way: Vec<&str> = up.chain(path[shared..].iter().map(String::as_str)).collect();
    if way.is_empty() { ".".to_owned() } else { way.join("/") }
}

/// `path` below `base`, but an absolute path and one without a base stay as they are.
pub fn makepath(base: &str, path: &str) -> String {
    if path.starts_with('/') || base.is_empty() { path.to_owned() } else { join(base, path) }
}

pub(super) fn make(args: &[Value]) -> Result<Value, ExprError> {
    let [base, path] = args else { return Err(wrong_count("2 argument", args)) };
    Ok(makepath(&base.string_form(), &path.string_form()).into())
}

/// The answer where it does not depend on the working directory.
pub(super) fn without_directory(function: Function, args: &[Value]) -> Answer {
    let (path, base) = one_or_two(args)?;
    let path = path.string_form();
    let base = base.map(Value::string_form);
    let absolute = |path: &str| path.starts_with('/');
    // Relative paths that stay below their start lie to each other as they would anywhere.
    let inside = |path: &str| !absolute(path) && !clean(path).starts_with("..");
    let answer = match (function, base) {
        (Function::Abspath, _) if absolute(&path) => clean(&path),
        (Function::Abspath, Some(base)) if absolute(&base) => abspath(&base, &path),
        (Function::Relpath, Some(base))
            if absolute(&path) == absolute(&base) && (absolute(&path) || inside(&path) && inside(&base)) =>
        {
            relpath(&clean(&path), &clean(&base))
        }
        (Function::Relpath, None) if inside(&path) => clean(&path),
        _ => return Ok(None),
    };
    Ok(Some(Node::Static(answer.into())))
}

pub(super) fn with_directory(function: Function, args: &[Value], directory: &str) -> Result<Value, ExprError> {
    let (path, base) = one_or_two(args)?;
    let path = path.string_form();
    let base = base.map_or_else(|| clean(directory), |base| abspath(directory, &base.string_form()));
    Ok(match function {
        Function::Abspath => abspath(&base, &path),
        _ => relpath(&abspath(directory, &path), &base),
    }
    .into())
}
