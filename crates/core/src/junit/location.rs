//! Where a failure happened, read off its text: most tools say it there and nowhere else.

use std::sync::LazyLock;

use regex::Regex;

/// Endings of files that people write tests in. A list, because `example.com:8080` looks like a place too.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?P<file>(?:[A-Za-z]:)?[\w./\\@+\[\]-]*\w\.(?:bats|cjs|clj|cpp|cs|cts|cxx|cc|c|dart|erl|exs|ex|feature|fs|go|groovy|hpp|h|java|jsx|js|kt|lua|mjs|mts|php|pl|py|rb|robot|rs|scala|sh|svelte|swift|tsx|ts|t|vue)):(?P<line>\d{1,7})\b",
    )
});

/// pytest ends each frame with its place, at the start of a line.
static PYTEST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^(?P<file>[^\s:"'()<>][^:"'()<>\n]*\.py):(?P<line>\d{1,7}): "#));

static TRACEBACK: LazyLock<Regex> = LazyLock::new(|| pattern(r#"File "(?P<file>[^"\n]+)", line (?P<line>\d{1,7})"#));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is written here")
}

/// Where code of others lives: a frame in there is not the place that failed.
const FOREIGN: &[&str] =
    &["node_modules/", "node:", "site-packages/", "dist-packages/", "/rustc/", ".cargo/registry/", "/usr/lib/"];

/// The place of a failure: in `file`, where that is known, else in the first or innermost file of the project.
pub(super) fn locate(text: &str, file: Option<&str>, class: &str) -> Option<(String, u32)> {
    let mine = |place: &(String, u32)| match file {
        Some(file) => ends_alike(&place.0, file),
        None => !FOREIGN.iter().any(|foreign| place.0.contains(foreign)) && is_of_class(&place.0, class),
    };
    let innermost = |pattern: &Regex| places(pattern, text).filter(mine).last();
    innermost(&PYTEST).or_else(|| innermost(&TRACEBACK)).or_else(|| places(&PLACE, text).find(mine))
}

/// Whether a name is that of a source file; some tools have it where others have a class.
pub(super) fn is_file(name: &str) -> bool {
    PLACE.find(&format!("{name}:1")).is_some_and(|found| found.len() == name.len() + 2)
}

fn places<'a>(pattern: &'a Regex, text: &'a str) -> impl Iterator<Item = (String, u32)> + 'a {
    pattern.captures_iter(text).filter_map(|found| Some((found["file"].to_owned(), found["line"].parse().ok()?)))
}

fn ends_alike(a: &str, b: &str) -> bool {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', '\\']))
}

/// A Java frame names a file without its folder, and the frames of the assertion library come first.
fn is_of_class(file: &str, class: &str) -> bool {
    let stem = file.strip_suffix(".java").or_else(|| file.strip_suffix(".kt"));
    stem.is_none_or(|stem| class.rsplit('.').next().is_some_and(|last| last.split('$').next() == Some(stem)))
}

#[cfg(test)]
mod tests {
    use super::locate;

    fn found(text: &str, file: Option<&str>, class: &str) -> String {
        locate(text, file, class).map_or_else(String::new, |(file, line)| format!("{file}:{line}"))
    }

    #[test]
    fn each_tool_says_the_place_in_its_own_way() {
        let pytest =
            "def test():\n>   check()\n\ntests/test_cart.py:12: \n_ _ _\n\nE   Assert\n\ntests/lib.py:4: Error";
        assert_eq!(found(pytest, None, ""), "tests/lib.py:4");
        assert_eq!(found(pytest, Some("tests/test_cart.py"), ""), "tests/test_cart.py:12");
        let python = "Traceback:\n  File \"/usr/lib/x.py\", line 3\n  File \"tests/a.py\", line 9, in test";
        assert_eq!(found(python, None, ""), "tests/a.py:9");
        assert_eq!(found("thread 't' panicked at crates/a/src/lib.rs:10:5:\nno", None, ""), "crates/a/src/lib.rs:10");
        assert_eq!(found("    cart_test.go:41: got 10", None, ""), "cart_test.go:41");
        let jest =
            "Error\n at x (/w/node_modules/expect/build/index.js:1:2)\n at Object.<anonymous> (src/a.test.js:7:3)";
        assert_eq!(found(jest, None, ""), "src/a.test.js:7");
        let java = "at org.junit.Assert.fail(Assert.java:89)\n at shop.CartTest.total(CartTest.java:41)";
        assert_eq!(found(java, None, "shop.CartTest"), "CartTest.java:41");
    }

    #[test]
    fn an_address_is_not_a_place() {
        assert_eq!(found("GET http://example.com:8080 and 127.0.0.1:80 failed", None, ""), "");
    }
}
