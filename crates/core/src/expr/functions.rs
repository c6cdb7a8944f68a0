//! The standard functions: their names, what they need, and which file has which.
//!
//! A function runs as soon as its arguments are finished. `date`, `jq` and paths relative to a working directory
//! need the world; of those only the arguments are checked here, the answer is a scope's.

mod casts;
mod collections;
mod data;
mod inner;
mod paths;
mod text;

use super::ExprError;
use super::limits::{MAX_CONTENT, MAX_CONTENT_TEXT, MAX_ITEMS, MAX_TEXT};
use super::node::{Arg, Node, Type};
use super::resolve::Work;
use super::value::Value;

pub(crate) use collections::at_key;
pub use data::jq_arguments;
pub use paths::{abspath, clean, makepath, relpath};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Abspath,
    Any,
    At,
    Bool,
    Ceil,
    Chunk,
    Date,
    Entries,
    Eval,
    Filter,
    Float,
    Floor,
    Int,
    Join,
    Jq,
    Json,
    Len,
    List,
    Makepath,
    Map,
    Range,
    Relpath,
    Round,
    Shellparse,
    Shellquote,
    Split,
    String,
    Tojson,
    Toyaml,
    Trim,
    Wildcard,
    Yaml,
}

/// What a function gives: a node, or nothing if only a scope can tell.
type Answer = Result<Option<Node>, ExprError>;

impl Function {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "abspath" => Self::Abspath,
            "any" => Self::Any,
            "at" => Self::At,
            "bool" => Self::Bool,
            "ceil" => Self::Ceil,
            "chunk" => Self::Chunk,
            "date" => Self::Date,
            "entries" => Self::Entries,
            "eval" => Self::Eval,
            "filter" => Self::Filter,
            "float" => Self::Float,
            "floor" => Self::Floor,
            "int" => Self::Int,
            "join" => Self::Join,
            "jq" => Self::Jq,
            "json" => Self::Json,
            "len" => Self::Len,
            "list" => Self::List,
            "makepath" => Self::Makepath,
            "map" => Self::Map,
            "range" => Self::Range,
            "relpath" => Self::Relpath,
            "round" => Self::Round,
            "shellparse" => Self::Shellparse,
            "shellquote" => Self::Shellquote,
            "split" => Self::Split,
            "string" => Self::String,
            "tojson" => Self::Tojson,
            "toyaml" => Self::Toyaml,
            "trim" => Self::Trim,
            "_wc" => Self::Wildcard,
            "yaml" => Self::Yaml,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Abspath => "abspath",
            Self::Any => "any",
            Self::At => "at",
            Self::Bool => "bool",
            Self::Ceil => "ceil",
            Self::Chunk => "chunk",
            Self::Date => "date",
            Self::Entries => "entries",
            Self::Eval => "eval",
            Self::Filter => "filter",
            Self::Float => "float",
            Self::Floor => "floor",
            Self::Int => "int",
            Self::Join => "join",
            Self::Jq => "jq",
            Self::Json => "json",
            Self::Len => "len",
            Self::List => "list",
            Self::Makepath => "makepath",
            Self::Map => "map",
            Self::Range => "range",
            Self::Relpath => "relpath",
            Self::Round => "round",
            Self::Shellparse => "shellparse",
            Self::Shellquote => "shellquote",
            Self::Split => "split",
            Self::String => "string",
            Self::Tojson => "tojson",
            Self::Toyaml => "toyaml",
            Self::Trim => "trim",
            Self::Wildcard => "_wc",
            Self::Yaml => "yaml",
        }
    }

    pub(crate) fn result_type(self) -> Type {
        match self {
            Self::String
            | Self::Join
            | Self::Tojson
            | Self::Toyaml
            | Self::Shellquote
            | Self::Trim
            | Self::Relpath
            | Self::Abspath
            | Self::Date
            | Self::Makepath => Type::Text,
            Self::Int | Self::Len | Self::Floor | Self::Ceil | Self::Round => Type::Int,
            Self::Bool => Type::Bool,
            Self::Float => Type::Float,
            Self::Any
            | Self::At
            | Self::Chunk
            | Self::Entries
            | Self::Eval
            | Self::Filter
            | Self::Jq
            | Self::Json
            | Self::List
            | Self::Map
            | Self::Range
            | Self::Shellparse
            | Self::Split
            | Self::Wildcard
            | Self::Yaml => Type::Unknown,
        }
    }

    pub(crate) fn run(self, args: &[Value], work: &Work) -> Answer {
        let value = match self {
            Self::String => casts::string(args)?,
            Self::Int => casts::int(args)?,
            Self::Float => casts::float(args)?,
            Self::Bool => casts::bool(args)?,
            Self::Floor => casts::rounded(self, args, f64::floor)?,
            Self::Ceil => casts::rounded(self, args, f64::ceil)?,
            Self::Round => casts::rounded(self, args, f64::round)?,
            Self::List => casts::list(args, work)?,
            Self::Join => text::join(args)?,
            Self::Split => text::split(args, work)?,
            Self::Trim => text::trim(args)?,
            Self::Shellquote => text::shellquote(args)?,
            Self::Shellparse => text::shellparse(args)?,
            Self::Len => collections::len(args)?,
            Self::At => collections::at(args)?,
            Self::Chunk => collections::chunk(args, work)?,
            Self::Entries => collections::entries(args, work)?,
            Self::Range => collections::range(args, work)?,
            Self::Filter => inner::filter(args, work)?,
            Self::Map | Self::Wildcard => return inner::map(self, args, work).map(Some),
            Self::Eval => return inner::eval(args, work).map(Some),
            Self::Json => data::json(args)?,
            Self::Yaml => data::yaml(args)?,
            Self::Tojson => data::tojson(args)?,
            Self::Toyaml => data::toyaml(args)?,
            Self::Jq => return jq_arguments(args).map(|_| None),
            Self::Date => {
                let ([] | [_]) = args else { return Err(wrong_count("0-1 arguments", args)) };
                return Ok(None);
            }
            Self::Makepath => paths::make(args)?,
            Self::Abspath | Self::Relpath => return paths::without_directory(self, args),
            // Looks at its arguments before they are finished, so it never gets here.
            Self::Any => args.first().cloned().unwrap_or_default(),
        };
        Ok(Some(Node::Static(value)))
    }
}

/// The answer of a path function once the working directory is known; nothing for any other function.
pub(crate) fn in_directory(function: Function, args: &[Value], directory: &str) -> Answer {
    match function {
        Function::Abspath | Function::Relpath => {
            paths::with_directory(function, args, directory).map(|path| Some(Node::Static(path)))
        }
        _ => Ok(None),
    }
}

/// The first argument that is known already; a spread one offers its first item.
pub(crate) fn any(args: &[Arg]) -> Answer {
    for Arg { node, spread } in args {
        let Node::Static(value) = node else { continue };
        if !*spread {
            return Ok(Some(node.clone()));
        }
        if let Some(first) = spread_items(value)?.first() {
            return Ok(Some(Node::Static(first.clone())));
        }
    }
    Ok(args.iter().all(|arg| arg.node.is_static()).then_some(Node::NONE))
}

/// Finished arguments as one list, the spread ones item by item.
pub(crate) fn spread(args: &[Arg]) -> Result<Vec<Value>, ExprError> {
    let mut values = Vec::with_capacity(args.len());
    for Arg { node, spread } in args {
        match node {
            Node::Static(value) if *spread => values.extend_from_slice(spread_items(value)?),
            Node::Static(value) => values.push(value.clone()),
            Node::Name(_) | Node::Tree(_) => {}
        }
    }
    Ok(values)
}

fn spread_items(value: &Value) -> Result<&[Value], ExprError> {
    match value {
        Value::None => Ok(&[]),
        Value::List(items) => Ok(items),
        _ => Err(ExprError::new(format!("spread operator (...) used against non-list parameter: {}", value.excerpt()))),
    }
}

fn wrong_count(wanted: &str, args: &[Value]) -> ExprError {
    ExprError::new(format!("function expects {wanted}, {} provided", args.len()))
}

fn one(args: &[Value]) -> Result<&Value, ExprError> {
    match args {
        [only] => Ok(only),
        _ => Err(wrong_count("1 argument", args)),
    }
}

fn two(args: &[Value]) -> Result<(&Value, &Value), ExprError> {
    match args {
        [first, second] => Ok((first, second)),
        _ => Err(wrong_count("2 arguments", args)),
    }
}

fn one_or_two(args: &[Value]) -> Result<(&Value, Option<&Value>), ExprError> {
    match args {
        [first] => Ok((first, None)),
        [first, second] => Ok((first, Some(second))),
        _ => Err(wrong_count("1-2 arguments", args)),
    }
}

fn only_text(args: &[Value]) -> Result<&str, ExprError> {
    let value = one(args)?;
    value.as_str().ok_or_else(|| ExprError::new(format!("argument should be a string, {} provided", value.excerpt())))
}

fn within_items(count: usize) -> Result<usize, ExprError> {
    if count > MAX_ITEMS {
        return Err(ExprError::new(format!("list is too long (more than {MAX_ITEMS} items)")));
    }
    Ok(count)
}

/// Refuses a list whose items share so much that written out it would be endless.
fn within_content(items: &[Value], work: &Work) -> Result<(), ExprError> {
    fn count(values: &[Value], left: &mut (usize, usize)) -> Option<()> {
        for value in values {
            count_one(value, left)?;
        }
        Some(())
    }
    fn count_one(value: &Value, left: &mut (usize, usize)) -> Option<()> {
        left.0 = left.0.checked_sub(1)?;
        match value {
            Value::Str(text) => left.1 = left.1.checked_sub(text.len())?,
            Value::List(items) => count(items, left)?,
            Value::Map(entries) => entries.values().try_for_each(|value| count_one(value, left))?,
            _ => {}
        }
        Some(())
    }
    let mut left = (MAX_CONTENT, MAX_CONTENT_TEXT);
    let counted = count(items, &mut left);
    work.spend(MAX_CONTENT - left.0)?;
    counted.ok_or_else(|| ExprError::new("list is too large, counting all that is in it"))
}

fn within_text(text: String) -> Result<Value, ExprError> {
    if text.len() > MAX_TEXT {
        return Err(ExprError::new(format!("text is too long (more than {MAX_TEXT} bytes)")));
    }
    Ok(text.into())
}
