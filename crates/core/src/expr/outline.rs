//! What an expression mentions, told from its text alone, for those who judge workflows before they run.

use std::ops::Range;

use super::parse::part;
use super::scan::Until;
use super::{ExprError, parse};

/// The names, calls and doubtful spots of one text, before anything is folded away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    pub names: Vec<Mention>,
    pub calls: Vec<Call>,
    /// Chains that mix `&&` and `||` without parentheses.
    pub mixed: Vec<Range<usize>>,
}

/// A variable, with its path as written (blanks dropped, wildcards kept).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    pub name: String,
    pub at: Range<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// The name alone.
    pub at: Range<usize>,
    pub args: usize,
}

/// The outline of an expression's text.
pub fn outline(text: &str) -> Result<Outline, ExprError> {
    let mut outline = Outline::default();
    parse::expression(text, Some(&mut outline))?;
    Ok(outline)
}

/// The outline of all expressions in a template's text.
pub fn outline_template(text: &str) -> Result<Outline, ExprError> {
    let mut outline = Outline::default();
    let mut pos = 0;
    while let Some(found) = text[pos..].find("{{") {
        pos = part(text, pos + found + 2, Until::Braces, Some(&mut outline))?.1;
    }
    Ok(outline)
}

impl Outline {
    pub(crate) fn name(&mut self, name: &str, at: Range<usize>) {
        self.names.push(Mention { name: name.to_owned(), at });
    }

    pub(crate) fn call(&mut self, name: &str, at: Range<usize>, args: usize) {
        self.calls.push(Call { name: name.to_owned(), at, args });
    }

    /// Expressions written as text inside others mention names too; their places are that of the text.
    pub(crate) fn inner_text(&mut self, function: &str, position: usize, text: &str, at: Range<usize>) {
        let (Some(wanted), own) = (match function {
            "eval" => (Some(0), ""),
            "map" | "filter" | "_wc" => (Some(1), "_"),
            _ => (None, ""),
        }) else {
            return;
        };
        if position != wanted {
            return;
        }
        // A text that is no expression is the function's to complain about.
        let Ok(inner) = outline(text) else { return };
        let foreign = |name: &str| own.is_empty() || name != own && !name.starts_with("_.");
        let names = inner.names.into_iter().filter(|mention| foreign(&mention.name));
        self.names.extend(names.map(|mention| Mention { at: at.clone(), ..mention }));
        self.calls.extend(inner.calls.into_iter().map(|call| Call { at: at.clone(), ..call }));
        if !inner.mixed.is_empty() {
            self.mixed.push(at);
        }
    }
}
