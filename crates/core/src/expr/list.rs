//! Lists of templates, whose items may become several or none.

use std::borrow::Cow;

use super::{Expr, ExprError, Scope, Value, compile, compile_template, escape};

/// What became of (a part of) an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListItem {
    /// Plain text if `settled` and the list was resolved without escaping, template text otherwise.
    pub text: String,
    /// Nothing in it waits for a later stage.
    pub settled: bool,
}

/// One pass over a list of template texts.
///
/// An item that is nothing but one expression is replaced by its value: a list by its elements, none by nothing.
/// With `escape` the results are template text for a later pass, so that values are never evaluated again.
pub fn resolve_list<T: AsRef<str>>(
    items: impl IntoIterator<Item = T>,
    scopes: &[&dyn Scope],
    escape: bool,
) -> Result<Vec<ListItem>, ExprError> {
    let mut results = Vec::new();
    for item in items {
        let text = item.as_ref();
        if !text.contains("{{") {
            results.push(ListItem { text: text.to_owned(), settled: true });
        } else if let Some(value) = pure(text).and_then(|expression| spliced(expression, scopes)) {
            match value {
                Value::None => {}
                Value::List(elements) => results.extend(elements.iter().map(|element| settled(element, escape))),
                single => results.push(settled(&single, escape)),
            }
        } else {
            let resolved = compile_template(text)?.resolve(scopes)?;
            results.push(match resolved.value() {
                Some(value) => settled(value, escape),
                None => ListItem { text: resolved.template(), settled: false },
            });
        }
    }
    Ok(results)
}

fn settled(value: &Value, escaped: bool) -> ListItem {
    let text = value.string_form();
    ListItem { text: if escaped { escape(&text) } else { Cow::into_owned(text) }, settled: true }
}

/// The text between the braces of an item that consists of nothing else.
fn pure(item: &str) -> Option<&str> {
    let inner = item.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}") && !inner.trim().is_empty()).then_some(inner)
}

/// The value to put in an item's place. Errors are left to the template, which says where it is.
fn spliced(expression: &str, scopes: &[&dyn Scope]) -> Option<Value> {
    let compiled = compile(expression).ok()?;
    // Users hand these to programs that want `ip1,ip2`.
    if compiled.is_bare_wildcard() {
        return None;
    }
    compiled.resolve(scopes).ok().as_ref().and_then(Expr::value).cloned()
}
