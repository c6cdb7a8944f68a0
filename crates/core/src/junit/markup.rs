//! Markup that is none: tools that paste a message into XML without escaping it.

/// The text with every `<` that cannot begin any markup written as `&lt;`.
pub(super) fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match opaque(rest) {
            Some(length) => length,
            None if begins_markup(rest) => 1,
            None => {
                mended.push_str("&lt;");
                rest = &rest[1..];
                continue;
            }
        };
        mended.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    mended.push_str(rest);
    mended
}

/// The length of a section in which `<` means itself.
fn opaque(text: &str) -> Option<usize> {
    [("<![CDATA[", "]]>"), ("<!--", "-->")].into_iter().find_map(|(start, end)| {
        let inside = text.strip_prefix(start)?;
        Some(inside.find(end).map_or(text.len(), |at| start.len() + at + end.len()))
    })
}

fn begins_markup(text: &str) -> bool {
    let name = text[1..].strip_prefix('/').unwrap_or(&text[1..]);
    name.starts_with(|first: char| first.is_alphabetic() || matches!(first, '_' | ':' | '?'))
        || name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("!DOCTYPE"))
}

#[cfg(test)]
mod tests {
    use super::mend;

    #[test]
    fn only_what_cannot_be_markup_is_escaped() {
        assert_eq!(mend("<a>1 < 2 <= 3 <</a>"), "<a>1 &lt; 2 &lt;= 3 &lt;</a>");
        assert_eq!(mend("<!DOCTYPE a><?x?><!oops>"), "<!DOCTYPE a><?x?>&lt;!oops>");
    }

    #[test]
    fn sections_that_mean_themselves_stay_as_they_are() {
        let text = "<a><![CDATA[1 < 2]]><!-- 1 < 2 --></a>";
        assert_eq!(mend(text), text);
        assert_eq!(mend("<![CDATA[1 < 2"), "<![CDATA[1 < 2");
    }
}
