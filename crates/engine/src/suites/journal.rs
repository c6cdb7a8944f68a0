//! What every [`Journal`] has to do.

use std::sync::Arc;

use jiff::Timestamp;
use testudo_core::run::{Event, StopHow};

use crate::{Journal, JournalError};

/// Where a log lies.
pub trait Shelf {
    /// Opens the log as somebody does who has forgotten everything; the first time it is empty.
    fn open(&self) -> Arc<dyn Journal>;

    /// Adds bytes behind the log, past everybody. For logs that are bytes.
    fn scrawl(&self, bytes: &[u8]) {
        let _ = bytes;
    }
}

/// Tests that a journal is one: `journal_suite!(name, shelf)`, and `journal_suite!(name, shelf, in_bytes)` for one
/// whose last line a death can tear.
#[macro_export]
macro_rules! journal_suite {
    ($name:ident, $shelf:expr) => {
        mod $name {
            use super::*;
            $crate::journal_suite!(@each $shelf;
                what_was_appended_is_read_in_order,
                an_append_that_does_not_meet_the_end_is_refused_and_changes_nothing,
                whoever_opened_the_log_before_another_wrote_to_it_is_stale,
            );
        }
    };
    ($name:ident, $shelf:expr, in_bytes) => {
        $crate::journal_suite!($name, $shelf);
        mod in_bytes {
            use super::*;
            $crate::journal_suite!(@each $shelf;
                a_last_line_that_a_death_has_torn_is_cut_off,
                a_line_that_does_not_parse_is_said,
            );
        }
    };
    (@each $shelf:expr; $($behavior:ident,)+) => {
        $(
            #[test]
            fn $behavior() {
                let shelf = $shelf;
                $crate::sim::on_virtual_time($crate::suites::journal::$behavior(&shelf));
            }
        )+
    };
}

/// Events that can be told apart.
fn events(reasons: &[&str]) -> Vec<Event> {
    let event = |reason: &&str| Event::StopRequested {
        how: StopHow::Abort,
        reason: (*reason).to_owned(),
        at: Timestamp::UNIX_EPOCH,
    };
    reasons.iter().map(event).collect()
}

async fn read(shelf: &dyn Shelf) -> Vec<Event> {
    shelf.open().read().await.expect("the log can be read")
}

pub async fn what_was_appended_is_read_in_order(shelf: &dyn Shelf) {
    let journal = shelf.open();
    assert_eq!(journal.read().await.expect("an empty log can be read"), []);
    journal.append(0, &events(&["a", "b"])).await.expect("the log is empty");
    journal.append(2, &events(&["c\n"])).await.expect("the log has two events");
    assert_eq!(journal.read().await.expect("the log can be read"), events(&["a", "b", "c\n"]));
    assert_eq!(read(shelf).await, events(&["a", "b", "c\n"]));
}

pub async fn an_append_that_does_not_meet_the_end_is_refused_and_changes_nothing(shelf: &dyn Shelf) {
    let journal = shelf.open();
    journal.append(0, &events(&["a", "b"])).await.expect("the log is empty");
    for offset in [0, 1, 3] {
        let refused = journal.append(offset, &events(&["x"])).await;
        let Err(JournalError::Stale { expected, found }) = refused else { panic!("at {offset}: {refused:?}") };
        assert_eq!((expected, found), (offset, 2));
    }
    assert_eq!(read(shelf).await, events(&["a", "b"]));
}

pub async fn whoever_opened_the_log_before_another_wrote_to_it_is_stale(shelf: &dyn Shelf) {
    let (first, second) = (shelf.open(), shelf.open());
    first.append(0, &events(&["a"])).await.expect("the log is empty");
    assert_eq!(second.read().await.expect("the log can be read"), events(&["a"]));
    second.append(1, &events(&["b", "c"])).await.expect("the log has one event");
    let refused = first.append(1, &events(&["x"])).await;
    assert!(matches!(refused, Err(JournalError::Stale { expected: 1, found: 3 })), "{refused:?}");
    assert_eq!(read(shelf).await, events(&["a", "b", "c"]));
}

pub async fn a_last_line_that_a_death_has_torn_is_cut_off(shelf: &dyn Shelf) {
    shelf.open().append(0, &events(&["a"])).await.expect("the log is empty");
    shelf.scrawl(b"{\"event\":\"sto");
    let journal = shelf.open();
    assert_eq!(journal.read().await.expect("a torn log can be read"), events(&["a"]));
    journal.append(1, &events(&["b"])).await.expect("the log has one event");
    assert_eq!(read(shelf).await, events(&["a", "b"]));
}

pub async fn a_line_that_does_not_parse_is_said(shelf: &dyn Shelf) {
    shelf.open().append(0, &events(&["a"])).await.expect("the log is empty");
    shelf.scrawl(b"nonsense\n");
    let journal = shelf.open();
    for refused in [journal.read().await.map(drop), journal.append(1, &events(&["b"])).await] {
        assert!(matches!(refused, Err(JournalError::Corrupt { offset: 1, .. })), "{refused:?}");
    }
}
