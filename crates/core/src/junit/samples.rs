//! What tools really write, and what becomes of it.

use std::fmt::Write;

use proptest::prelude::*;

use super::{Read, read};
use crate::run::CaseStatus;

/// Every case in a line, its message below, then what was lost.
fn shown(text: &str) -> String {
    let Read { cases, lost } = read(text.as_bytes());
    let mut shown = String::new();
    for case in cases {
        let status = match case.status {
            CaseStatus::Passed => "passed",
            CaseStatus::Failed => "failed",
            CaseStatus::Errored => "errored",
            CaseStatus::Skipped => "skipped",
        };
        let place = match (case.file, case.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file,
            (None, _) => "-".to_owned(),
        };
        let (suite, class, name, duration) = (case.suite, case.class, case.name, case.duration);
        let _ = writeln!(shown, "{status} [{suite}] [{class}] {name} {place} {duration}ms");
        for line in case.message.lines() {
            let _ = writeln!(shown, "  {line}");
        }
    }
    for lost in lost {
        let _ = writeln!(shown, "lost: {lost}");
    }
    shown
}

const PYTEST: &str = r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="2" tests="5" time="0.091" timestamp="2025-05-01T10:00:00.000000+00:00" hostname="box"><testcase classname="tests.test_cart" name="test_empty" time="0.001" /><testcase classname="tests.test_cart.TestTotals" name="test_total[eur]" time="0.002"><failure message="AssertionError: assert 10.0 == 9.99&#10;  +  where 10.0 = total()">self = &lt;tests.test_cart.TestTotals object&gt;

    def test_total(self):
&gt;       assert total() == 9.99
E       AssertionError: assert 10.0 == 9.99

tests/test_cart.py:41: AssertionError</failure></testcase><testcase classname="tests.test_cart" name="test_later" time="0.000"><skipped type="pytest.skip" message="not yet">/repo/tests/test_cart.py:7: not yet</skipped></testcase><testcase classname="tests.test_cart" name="test_known" time="0.000"><skipped type="pytest.xfail" message="" /></testcase><testcase classname="tests.test_db" name="test_query" time="0.010"><error message="failed on setup with &quot;OSError: no&quot;">tests/conftest.py:9: OSError</error><system-out>ignored &lt;failure/&gt;</system-out></testcase></testsuite></testsuites>"#;

#[test]
fn pytest_says_the_place_in_the_text_and_the_file_in_the_class() {
    assert_eq!(
        shown(PYTEST),
        "\
passed [pytest] [tests.test_cart] test_empty tests/test_cart.py 1ms
failed [pytest] [tests.test_cart.TestTotals] test_total[eur] tests/test_cart.py:41 2ms
  AssertionError: assert 10.0 == 9.99
    +  where 10.0 = total()
skipped [pytest] [tests.test_cart] test_later tests/test_cart.py 0ms
  not yet
skipped [pytest] [tests.test_cart] test_known tests/test_cart.py 0ms
  pytest.xfail
errored [pytest] [tests.test_db] test_query tests/test_db.py 10ms
  failed on setup with \"OSError: no\"
"
    );
}

#[test]
fn pytest_counts_lines_from_zero_in_the_older_family() {
    let text = r#"<testsuite name="pytest" tests="1"><testcase classname="tests.test_a" name="test_x" file="tests/test_a.py" line="3" time="0.1"/></testsuite>"#;
    assert_eq!(shown(text), "passed [pytest] [tests.test_a] test_x tests/test_a.py:4 100ms\n");
}

#[test]
fn playwright_repeats_the_case_and_says_what_went_wrong_below() {
    let text = r#"<testsuites id="" name="" tests="2" failures="1" skipped="0" errors="0" time="3.4">
<testsuite name="cart.spec.ts" timestamp="2025-05-01T10:00:00.000Z" hostname="chromium" tests="2" failures="1" skipped="0" time="3.2" errors="0">
<testcase name="cart › adds up" classname="cart.spec.ts" time="2.1">
<failure message="cart.spec.ts:12:5 cart › adds up" type="FAILURE">
<![CDATA[  [chromium] › cart.spec.ts:12:5 › cart › adds up ─────────────────

    Error: expect(received).toBe(expected) // Object.is equality

    Expected: 1
      at /repo/e2e/cart.spec.ts:14:20
]]>
</failure>
<system-out><![CDATA[ [[ATTACHMENT|shot.png]] ]]></system-out>
</testcase>
<testcase name="cart › empties" classname="cart.spec.ts" time="1.1"><properties><property name="fixme" value=""></property></properties><skipped></skipped></testcase>
</testsuite>
</testsuites>"#;
    assert_eq!(
        shown(text),
        "\
failed [cart.spec.ts] [cart.spec.ts] cart › adds up cart.spec.ts:12 2100ms
  Error: expect(received).toBe(expected) // Object.is equality
skipped [cart.spec.ts] [cart.spec.ts] cart › empties cart.spec.ts 1100ms
"
    );
}

#[test]
fn jest_has_no_message_but_a_text() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="2" failures="1" errors="0" time="1.5">
  <testsuite name="sum" errors="0" failures="1" skipped="0" timestamp="2025-05-01T10:00:00" time="0.9" tests="2" file="src/sum.test.js">
    <testcase classname="sum adds" name="sum adds" time="0.003">
    </testcase>
    <testcase classname="sum subtracts" name="sum subtracts" time="0.004">
      <failure>Error: expect(received).toBe(expected) // Object.is equality

Expected: 1
Received: 2
    at Object.toBe (/repo/src/sum.test.js:9:21)
    at Promise.then.completed (/repo/node_modules/jest-circus/build/utils.js:298:28)</failure>
    </testcase>
  </testsuite>
</testsuites>"#;
    assert_eq!(
        shown(text),
        "\
passed [sum] [sum adds] sum adds src/sum.test.js 3ms
failed [sum] [sum subtracts] sum subtracts src/sum.test.js:9 4ms
  Error: expect(received).toBe(expected) // Object.is equality
"
    );
}

#[test]
fn nextest_tells_flaky_cases_apart() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3" failures="1" errors="0" uuid="4b0f" timestamp="2025-05-01T10:00:00+00:00" time="0.5">
    <testsuite name="shop::cart" tests="3" disabled="0" errors="0" failures="1">
        <testcase name="tests::adds" classname="shop::cart" timestamp="2025-05-01T10:00:00+00:00" time="0.005">
            <failure message="thread 'tests::adds' panicked at crates/shop/src/cart.rs:10:9" type="test failure with exit code 101">thread 'tests::adds' panicked at crates/shop/src/cart.rs:10:9:
assertion `left == right` failed</failure>
            <rerunFailure timestamp="2025-05-01T10:00:00+00:00" time="0.004" message="again" type="test failure"/>
            <system-out>running 1 test</system-out>
        </testcase>
        <testcase name="tests::wobbles" classname="shop::cart" time="0.010">
            <flakyFailure time="0.008" message="timed out" type="test timeout"><system-err>no</system-err></flakyFailure>
        </testcase>
        <testcase name="tests::holds" classname="shop::cart" time="0.010"/>
    </testsuite>
</testsuites>"#;
    assert_eq!(
        shown(text),
        "\
failed [shop::cart] [shop::cart] tests::adds crates/shop/src/cart.rs:10 5ms
  thread 'tests::adds' panicked at crates/shop/src/cart.rs:10:9
passed [shop::cart] [shop::cart] tests::wobbles - 10ms
  passed after 1 failed attempt: timed out
passed [shop::cart] [shop::cart] tests::holds - 10ms
"
    );
}

#[test]
fn go_says_failed_and_then_why() {
    let text = r#"<testsuites tests="2" failures="1">
	<testsuite name="example.com/shop/cart" tests="2" failures="1" errors="0" id="0" hostname="box" time="0.004" timestamp="2025-05-01T10:00:00Z">
		<properties><property name="go.version" value="go1.24"></property></properties>
		<testcase name="TestTotal/eur" classname="example.com/shop/cart" time="0.000">
			<failure message="Failed"><![CDATA[    cart_test.go:41: got 10, want 9.99]]></failure>
		</testcase>
		<testcase name="TestSkip" classname="example.com/shop/cart" time="0.000">
			<skipped message="cart_test.go:9: not here"></skipped>
		</testcase>
	</testsuite>
</testsuites>"#;
    assert_eq!(
        shown(text),
        "\
failed [example.com/shop/cart] [example.com/shop/cart] TestTotal/eur cart_test.go:41 0ms
  cart_test.go:41: got 10, want 9.99
skipped [example.com/shop/cart] [example.com/shop/cart] TestSkip - 0ms
  cart_test.go:9: not here
"
    );
}

#[test]
fn surefire_has_times_of_its_locale_and_reruns() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.0" name="shop.CartTest" time="1,234.5" tests="3" errors="1" skipped="0" failures="0">
  <properties><property name="java.version" value="21"/></properties>
  <testcase name="total" classname="shop.CartTest" time="1,230.25">
    <error message="no &lt;cart&gt;" type="java.lang.IllegalStateException"><![CDATA[java.lang.IllegalStateException: no <cart>
	at org.junit.Assert.fail(Assert.java:89)
	at shop.CartTest.total(CartTest.java:41)
]]></error>
    <rerunError message="no" type="java.lang.IllegalStateException"><stackTrace>again</stackTrace><system-out>x</system-out></rerunError>
  </testcase>
  <testcase name="wobbles" classname="shop.CartTest" time="0,25">
    <flakyFailure message="was 1" type="org.opentest4j.AssertionFailedError"><stackTrace><![CDATA[at shop.CartTest]]></stackTrace></flakyFailure>
    <flakyFailure message="was 2" type="org.opentest4j.AssertionFailedError"/>
  </testcase>
  <testcase name="quick" classname="shop.CartTest"/>
</testsuite>"#;
    assert_eq!(
        shown(text),
        "\
errored [shop.CartTest] [shop.CartTest] total CartTest.java:41 1230250ms
  no <cart>
passed [shop.CartTest] [shop.CartTest] wobbles - 250ms
  passed after 2 failed attempts: was 1
passed [shop.CartTest] [shop.CartTest] quick - 0ms
"
    );
}

#[test]
fn suites_in_suites_name_their_cases_together() {
    let text = r#"<testsuites><testsuite name="cart"><testsuite name="totals" file="test/cart.mjs">
<testcase name="adds" classname="test" time="0.1"/></testsuite><testcase name="empty" classname="test" time="0.1"/>
<testsuite name="cart"><testcase name="same"/></testsuite></testsuite></testsuites>"#;
    assert_eq!(
        shown(text),
        "\
passed [cart / totals] [test] adds test/cart.mjs 100ms
passed [cart] [test] empty - 100ms
passed [cart] [] same - 0ms
"
    );
}

#[test]
fn googletest_says_in_attributes_what_did_not_run() {
    let text = r#"<testsuites><testsuite name="Cart" tests="3"><testcase name="Adds" file="cart_test.cc" line="12" status="run" result="completed" time="0." classname="Cart"/>
<testcase name="Off" status="notrun" result="suppressed" classname="Cart"/><testcase name="Bad" status="fail" classname="Cart"/></testsuite></testsuites>"#;
    assert_eq!(
        shown(text),
        "\
passed [Cart] [Cart] Adds cart_test.cc:12 0ms
skipped [Cart] [Cart] Off - 0ms
failed [Cart] [Cart] Bad - 0ms
"
    );
}

#[test]
fn a_suite_that_failed_as_a_whole_counts_as_a_case() {
    let text = r#"<testsuite name="cart"><error message="cannot import"/><testcase name="adds"/></testsuite>"#;
    assert_eq!(shown(text), "errored [cart] [] cart - 0ms\n  cannot import\npassed [cart] [] adds - 0ms\n");
}

#[test]
fn any_root_will_do_and_names_may_have_prefixes() {
    let text = r#"noise <?xml version="1.0"?><report><u:TestSuite xmlns:u="x" Name="a"><u:testcase NAME="b"/></u:TestSuite></report>"#;
    assert_eq!(shown(text), "passed [a] [] b - 0ms\n");
    assert_eq!(shown("<html><p>none</p></html>"), "lost: there is no test suite in it\n");
    assert_eq!(shown(""), "lost: there is no test suite in it\n");
}

#[test]
fn the_gravest_of_several_verdicts_counts() {
    let text = r#"<testsuite name="a"><testcase name="b"><skipped message="s"/><failure message="one">1</failure><failure message="two">2</failure></testcase></testsuite>"#;
    assert_eq!(shown(text), "failed [a] [] b - 0ms\n  one\n");
    assert_eq!(read(text.as_bytes()).cases[0].details, "1\n\n2");
}

#[test]
fn a_message_that_nobody_escaped_is_still_a_message() {
    let text = r#"<testsuite name="a"><testcase name="b"><failure message="x & y < z">expected Vec<String> & got a < b </i> &amp; &nothing;</failure></testcase><testcase name="c"/></testsuite>"#;
    let read = read(text.as_bytes());
    assert_eq!(read.cases[0].message, "x & y < z");
    assert_eq!(read.cases[0].details, "expected Vec<String> & got a < b </i> & &nothing;");
    assert_eq!((read.cases.len(), read.lost.len()), (2, 0));
}

#[test]
fn what_is_left_open_is_closed_by_what_follows() {
    let text = r#"<testsuite name="a"><testcase name="b"><failure message="m"><testcase name="c"></testsuite>"#;
    assert_eq!(shown(text), "failed [a] [] b - 0ms\n  m\npassed [a] [] c - 0ms\nlost: 3 elements are not closed\n");
}

#[test]
fn a_file_that_ends_early_keeps_what_it_said_until_then() {
    let whole = r#"<testsuites><testsuite name="a" tests="3"><testcase name="b" time="1"/><testcase name="c"><failure message="m"><![CDATA[first line"#;
    assert_eq!(
        shown(whole),
        "passed [a] [] b - 1000ms\nfailed [a] [] c - 0ms\n  m\nlost: the file ends early\nlost: `a` promises 3 tests and has 2\n"
    );
    assert_eq!(read(whole.as_bytes()).cases[1].details, "first line");
    let unknown = r#"<testsuite name="a" tests="2"><testcase name="b"/><testcase name="c"><system-out>at"#;
    assert_eq!(
        shown(unknown),
        "passed [a] [] b - 0ms\nlost: the file ends early\nlost: the file does not say how `c` ended\n"
    );
    let tag = r#"<testsuite name="a"><testcase name="b"/><testcase name="c" tim"#;
    assert_eq!(shown(tag), "passed [a] [] b - 0ms\nlost: the file ends early\n");
}

#[test]
fn entities_never_make_a_file_larger() {
    let mut text = String::from("<!DOCTYPE x [<!ENTITY a \"ha\">");
    for (from, to) in "abcdefghij".chars().zip("bcdefghijk".chars()) {
        let _ = write!(text, "<!ENTITY {to} \"{}\">", format!("&{from};").repeat(10));
    }
    text.push_str("]><testsuite name='&k;'><testcase name='b'><failure>&k;</failure></testcase></testsuite>");
    let read = read(text.as_bytes());
    assert_eq!(read.cases[0].details, "&k;");
    assert_eq!(read.cases[0].suite, "&k;");
}

#[test]
fn what_cannot_be_kept_is_said() {
    let long = "x".repeat(200_000);
    let text = format!("<testsuite name='a'><testcase time='soon'><failure>{long}</failure></testcase></testsuite>");
    let read = read(text.as_bytes());
    assert_eq!(read.cases[0].name, "case 1");
    assert!(read.cases[0].details.len() < 70_000);
    assert_eq!(read.lost, ["1 case has no name", "1 time is no number: `soon`", "1 long text is cut"]);
    let deep = format!("{}<testcase name='b'/>{}", "<testsuite>".repeat(5000), "</testsuite>".repeat(5000));
    assert_eq!(shown(&deep), "passed [] [] b - 0ms\n");
}

#[test]
fn a_wrong_encoding_costs_characters_and_no_cases() {
    let read = read(b"<testsuite name='caf\xE9'><testcase name='a\x01\x1b[31mb'/></testsuite>");
    assert_eq!((read.cases[0].suite.as_str(), read.cases[0].name.as_str()), ("caf\u{FFFD}", "ab"));
    assert_eq!(read.lost, ["1 place is not valid UTF-8"]);
}

/// Pieces that meet in broken files more often than chance would have it.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<testsuite name='a' tests='2'>"),
        Just("</testsuite>"),
        Just("<testsuites>"),
        Just("</testsuites>"),
        Just("<testcase name='b' time='1,5'>"),
        Just("<testcase/>"),
        Just("</testcase>"),
        Just("<failure message='&lt;x'>"),
        Just("</failure>"),
        Just("<skipped/>"),
        Just("<system-out>"),
        Just("</system-out>"),
        Just("<stackTrace>"),
        Just("<![CDATA["),
        Just("]]>"),
        Just("<!--"),
        Just("-->"),
        Just("&#x1b;[3"),
        Just("&"),
        Just("<"),
        Just("é\" ="),
        Just("<!DOCTYPE"),
        Just("<?xml encoding='latin1'"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        read(&bytes);
    }

    #[test]
    fn any_order_of_pieces_can_be_read(text in pieces()) {
        read(text.as_bytes());
    }

    #[test]
    fn a_file_may_end_anywhere(end in 0..PYTEST.len()) {
        let part = read(&PYTEST.as_bytes()[..end]);
        let whole = read(PYTEST.as_bytes()).cases;
        prop_assert!(part.cases.len() <= whole.len());
        prop_assert!(!part.lost.is_empty());
        for (part, whole) in part.cases.iter().zip(&whole) {
            prop_assert_eq!((&part.name, part.status), (&whole.name, whole.status));
        }
    }
}
