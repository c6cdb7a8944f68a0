//! Output and the lines about it, whichever comes first.

use insta::assert_snapshot;
use testudo_core::run::UnitKey;

use super::record;
use crate::reporter::{
    out::Out,
    streams::{Meeting, Opener, Place, Shape, Streams},
};

#[test]
fn lines_about_a_step_stand_around_what_it_wrote_however_late_that_comes() {
    let (mut out, written) = Out::to_memory();
    let mut streams = Streams::new(false);
    let main = UnitKey::main();
    let worker: UnitKey = "tests/0".parse().unwrap();
    let meeting = |shape| Meeting { shape, filter: None, lead: None, opener: None };
    streams.meet("id", &main, meeting(Shape::Chunks));
    let lead = Some("[w] begins\n".to_owned());
    streams.meet("id", &worker, Meeting { lead, ..meeting(Shape::Lines("[w] ".to_owned())) });
    let say = |streams: &mut Streams, place, text: &str, out: &mut Out| {
        streams.line("id", &main, place, format!("{text}\n"), out);
    };
    say(&mut streams, Place::Opens(1), "one begins", &mut out);
    say(&mut streams, Place::Behind, "one ends", &mut out);
    say(&mut streams, Place::Opens(2), "two begins", &mut out);
    let first = record(1, b"of one\nno end");
    // A record may come in pieces.
    streams.output("id", &main, &first[..9], &mut out);
    streams.output("id", &main, &first[9..], &mut out);
    streams.output("id", &worker, &record(1, b"half "), &mut out);
    streams.output("id", &main, &record(2, b"of two\n"), &mut out);
    streams.output("id", &worker, &record(1, b"a line\nand"), &mut out);
    streams.settle(true, &mut out);
    out.flush();
    assert_snapshot!(String::from_utf8(written.lock().unwrap().clone()).unwrap(), @r"
    one begins
    of one
    no end
    [w] begins
    one ends
    two begins
    of two
    [w] half a line
    [w] and
    ");
}

#[test]
fn output_that_is_faster_than_the_event_of_its_step_waits_for_it() {
    let (mut out, written) = Out::to_memory();
    let mut streams = Streams::new(false);
    let main = UnitKey::main();
    let opener: Option<Opener> = Some(Box::new(|step, _| Some(format!("step {step}\n"))));
    streams.meet("id", &main, Meeting { shape: Shape::Chunks, filter: None, lead: None, opener });
    streams.open("id", &main, 1, 0, &mut out);
    let both = [record(1, b"of one\n"), record(2, b"of two\n"), record(3, b"of three\n")].concat();
    streams.output("id", &main, &both[..both.len() - 3], &mut out);
    streams.line("id", &main, Place::Behind, "one ends\n".to_owned(), &mut out);
    streams.open("id", &main, 2, 0, &mut out);
    streams.line("id", &main, Place::Behind, "two ends\n".to_owned(), &mut out);
    streams.output("id", &main, &both[both.len() - 3..], &mut out);
    // Nobody tells that the third begins, and it is shown all the same.
    streams.finish("id", &main, &mut out);
    out.flush();
    assert_snapshot!(String::from_utf8(written.lock().unwrap().clone()).unwrap(), @r"
    step 1
    of one
    one ends
    step 2
    of two
    two ends
    step 3
    of three
    ");
}
