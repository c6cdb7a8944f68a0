//! No text takes the process down.

use super::{evaluated, filled, resolved};
use crate::expr::{Value, Vars, compile, compile_template, outline};

/// As small as stacks get where expressions are resolved.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1536 << 10).spawn(test);
    thread.unwrap().join().unwrap();
}

#[test]
fn nesting_has_a_limit_and_the_stack_survives() {
    on_a_small_stack(|| {
        let many = 100_000;
        for text in [
            "(".repeat(many),
            "!".repeat(many),
            "-".repeat(many),
            "f(".repeat(many),
            "a ? ".repeat(many),
            "a ? b : ".repeat(many),
            "[".repeat(many),
            format!("{}1{}", "(".repeat(many), ")".repeat(many)),
            "1+(1*(1**(1==(1&&(".repeat(many / 5),
        ] {
            assert!(compile(&text).is_err());
            assert!(compile_template(&format!("{{{{{text}}}}}")).is_err());
            assert!(outline(&text).is_err());
        }
        let nested = |n: usize| format!("{}a{}", "(1+(1*(!f(".repeat(n), "))))".repeat(n));
        let deep = compile(&nested(51)).unwrap();
        assert_eq!(compile(&deep.text()).unwrap(), deep);
        assert!(compile(&nested(52)).unwrap_err().message.contains("nested too deeply"));
    });
}

#[test]
fn long_chains_are_fine_up_to_a_limit() {
    on_a_small_stack(|| {
        let chain = |n: usize| vec!["a"; n].join("-");
        let long = compile(&chain(500)).unwrap();
        assert_eq!(long.text(), chain(500));
        let one = Vars::one("a", Value::Int(1));
        assert_eq!(long.resolve(&[&one]).unwrap().text(), "-498");
        assert!(compile(&chain(100_000)).unwrap_err().message.contains("nested too deeply"));
        let parts = "{{ a }}-".repeat(10_000);
        assert_eq!(compile_template(&parts).unwrap().template().len(), 6 * 10_000);
    });
}

#[test]
fn lists_have_a_limit() {
    assert_eq!(evaluated("len(range(1000000))"), "1000000");
    assert!(evaluated("range(1000001)").contains("list is too long"));
    assert!(evaluated("range(1e18)").contains("list is too long"));
    assert!(evaluated("range(-9e18, 9e18)").contains("list is too long"));
}

#[test]
fn text_has_a_limit() {
    let doubling: Vars = (1..64).map(|n| (format!("a{n}"), compile(&format!("a{0} + a{0}", n - 1)).unwrap())).collect();
    let doubling = doubling.with("a0", Value::from("0123456789"));
    assert_eq!(resolved("len(a10)", &[&doubling]), "10240");
    assert!(resolved("len(a63)", &[&doubling]).starts_with("error"));
    assert!(evaluated("len(join(range(1000000), '0123456789012345678901234567890'))").contains("text is too long"));
}

#[test]
fn work_has_a_limit() {
    assert!(evaluated(r#"map(range(1000), "len(range(100000 + _.value))")"#).contains("too much work"));
}

#[test]
fn lists_of_shared_lists_have_a_limit() {
    assert!(evaluated(r#"map(range(1000000), "map(range(1000000), \"_.value\")")"#).contains("list is too large"));
    assert!(evaluated(r#"map(range(1000), "range(10000)")"#).contains("list is too large"));
}

#[test]
fn expressions_that_evaluate_themselves_end() {
    on_a_small_stack(|| {
        let again = Vars::one("code", Value::from("eval(code)"));
        assert!(resolved("eval(code)", &[&again]).contains("maximum call stack exceeded"));
        let growing = Vars::one("code", Value::from("1 + eval(code)"));
        assert!(resolved("eval(code)", &[&growing]).contains("maximum call stack exceeded"));
        let spreading = Vars::one("code", Value::from("list(map([1,2], code)..., map([1,2], code)...)"));
        assert!(resolved("map([1], code)", &[&spreading]).starts_with("error"));
    });
}

#[test]
fn syntax_errors_know_their_place() {
    for (text, at) in
        [("1 + * 2", "*"), ("a ¿", "¿"), ("list(1 2)", "2"), ("'x", "'"), ("a ? b", ""), ("x [1,]", "[1,")]
    {
        let error = compile(text).unwrap_err();
        assert_eq!(&text[error.at.clone().unwrap()], at, "{error}");
    }
    let text = "é {{ a b }}";
    assert_eq!(&text[compile_template(text).unwrap_err().at.unwrap()], "b");
    assert!(filled("{{ a", &[]).contains("expression not closed"));
}

#[test]
fn what_cannot_be_read_is_reported_before_what_cannot_be_parsed() {
    assert!(evaluated("1 2 #").contains("unknown character"));
    assert!(filled("{{ 1 2 # }}", &[]).contains("tokenizer error"));
}
