//! Executions that wait for one another (`spec.concurrency`): who may begin, and the wait until then.
//!
//! Where the others stand is kept by [`Groups`], which outlives engines and is shared by all of them. It asks [`standing`]
//! for the decision, so that every keeper decides alike.

use std::{io, time::Duration};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use testudo_core::{
    duration::GoDuration,
    plan::{Concurrency, Limits, Plan},
    run::{Event, Execution, StopHow},
};
use tokio::sync::mpsc;

use crate::{Audience, Clock, Control, News, drive::asked};

/// How often it is looked whether its turn has come, and while it runs whether another one is to take its place.
const LOOK: Duration = Duration::from_millis(200);

/// Keeps who of a group runs and who waits.
#[async_trait]
pub trait Groups: Send + Sync {
    /// Puts an execution that is limited in line; one that has begun has its place already. Nothing: it may begin, since
    /// an ancestor of it has a place in this group, which is for all that hangs below it, or they would wait for each other
    /// for ever.
    ///
    /// Its place falls free with the ticket, or with whoever holds it.
    async fn enter(&self, entering: Entering<'_>) -> io::Result<Option<Box<dyn Ticket>>>;
}

/// An execution that gets in line.
#[derive(Debug, Clone, Copy)]
pub struct Entering<'a> {
    pub plan: &'a Plan,
    pub limit: &'a Concurrency,
    /// Whether it has begun before.
    pub begun: bool,
    pub now: Timestamp,
}

/// A place in line.
#[async_trait]
pub trait Ticket: Send + Sync {
    /// Since when the execution has waited.
    fn since(&self) -> Timestamp;
    /// How things stand now. Its turn, once come, is not taken back.
    async fn look(&self) -> io::Result<Turn>;
}

/// How things stand for one execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The names of those that it waits for, first those that run.
    Wait(Vec<String>),
    /// It has a place.
    Go,
    /// It had one, and the execution of this name wants it.
    Yield(String),
}

/// One execution of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    pub since: Timestamp,
    pub id: String,
    pub name: String,
    /// Whether it has a place.
    pub running: bool,
}

/// What is to be done about an execution that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Go,
    /// The names of those that it waits for, and the ids of those that are to make room.
    Wait(Vec<String>, Vec<String>),
}

/// Whether it is somebody's turn. Strictly the oldest first: nobody overtakes, also not one whose own limit is wider.
pub fn standing(own: &Member, others: &[Member], limit: &Concurrency) -> Standing {
    let mut running: Vec<&Member> = others.iter().filter(|one| one.running).collect();
    let mut before: Vec<&Member> = others.iter().filter(|one| !one.running && *one < own).collect();
    if before.is_empty() && running.len() < limit.max {
        return Standing::Go;
    }
    running.sort();
    before.sort();
    // Whoever is not the next leaves it to those before to make room.
    let surplus = if limit.cancel_in_progress && before.is_empty() { running.len() + 1 - limit.max } else { 0 };
    let displaced = running.iter().take(surplus).map(|one| one.id.clone()).collect();
    Standing::Wait(running.iter().chain(&before).map(|one| one.name.clone()).collect(), displaced)
}

/// A place that an execution holds, if it needs one, and what was asked of it meanwhile: the beginning of its log.
pub(crate) type Admitted = (Option<Box<dyn Ticket>>, Vec<Event>);

/// Waits until an execution may begin, or shall not any more: then a stop is the last of what was asked.
pub(crate) async fn admitted(
    groups: &dyn Groups,
    audience: &dyn Audience,
    clock: Clock,
    execution: &Execution,
    controls: &mut mpsc::Receiver<Control>,
) -> io::Result<Admitted> {
    let plan = execution.plan();
    let Some(limit) = &plan.concurrency else { return Ok((None, Vec::new())) };
    if execution.ended().is_some() {
        return Ok((None, Vec::new()));
    }
    let begun = execution.offset() > 0;
    let ticket = groups.enter(Entering { plan, limit, begun, now: clock.now() }).await?;
    let Some(ticket) = ticket else { return Ok((None, Vec::new())) };
    let (patience, reason) = patience(plan);
    let deadline = ticket.since().saturating_add(patience).unwrap_or(Timestamp::MAX);
    let (mut events, mut told, mut open) = (Vec::new(), Vec::new(), true);
    loop {
        match ticket.look().await? {
            Turn::Go | Turn::Yield(_) => return Ok((Some(ticket), events)),
            Turn::Wait(behind) if behind != told => {
                audience.hear(News::Queued { execution, behind: &behind });
                told = behind;
            }
            Turn::Wait(_) => {}
        }
        tokio::select! {
            biased;
            control = controls.recv(), if open => match control {
                Some(control) => {
                    let stops = matches!(control, Control::Stop(..));
                    events.push(asked(control, clock.now()));
                    if stops {
                        return Ok((None, events));
                    }
                }
                None => open = false,
            },
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = clock.now();
        if now >= deadline {
            events.push(Event::StopRequested { how: StopHow::Abort, reason, at: now });
            return Ok((None, events));
        }
    }
}

/// How long an execution waits, and what is said when it does not any more.
fn patience(plan: &Plan) -> (SignedDuration, String) {
    let millis = i64::try_from(plan.limits.queue.unwrap_or(Limits::QUEUE)).unwrap_or(i64::MAX);
    let limit = GoDuration::from_nanos(millis.saturating_mul(1_000_000));
    (SignedDuration::from_millis(millis), format!("its turn did not come within {limit}"))
}

/// Resolves when the holder of a place is to make room, with why.
pub(crate) async fn displaced(ticket: Option<&dyn Ticket>) -> String {
    let Some(ticket) = ticket else { return std::future::pending().await };
    loop {
        // What cannot be read now may be later; nothing depends on it but how soon another one begins.
        if let Ok(Turn::Yield(name)) = ticket.look().await {
            return format!("{name} takes its place");
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, since: i64, running: bool) -> Member {
        let since = Timestamp::from_second(since).expect("it is a time");
        Member { since, id: format!("id-{name}"), name: name.to_owned(), running }
    }

    #[track_caller]
    fn check(own: &Member, others: &[Member], max: usize, cancel_in_progress: bool, expected: &str) {
        let limit = Concurrency { group: "g".to_owned(), max, cancel_in_progress };
        let text = match standing(own, others, &limit) {
            Standing::Go => "go".to_owned(),
            Standing::Wait(behind, displaced) => {
                format!("behind {}; displaces {}", behind.join(" "), displaced.join(" "))
            }
        };
        assert_eq!(text.trim_end(), expected);
    }

    #[test]
    fn the_oldest_that_waits_goes_as_soon_as_there_is_room() {
        let (a, b, c) = (member("a", 1, true), member("b", 2, false), member("c", 3, false));
        check(&b, &[], 1, false, "go");
        check(&b, &[c.clone(), a.clone()], 1, false, "behind a; displaces");
        check(&c, &[b.clone(), a.clone()], 1, false, "behind a b; displaces");
        check(&b, &[c.clone(), a.clone()], 2, false, "go");
        check(&c, &[b.clone(), a.clone()], 3, false, "behind a b; displaces");
        check(&c, &[a], 2, false, "go");
        check(&b, &[c], 1, false, "go");
    }

    #[test]
    fn the_oldest_that_run_make_room_for_the_next_one_only() {
        let running = [member("b", 2, true), member("a", 1, true)];
        let (c, d) = (member("c", 3, false), member("d", 4, false));
        check(&c, &running, 3, true, "go");
        check(&c, &running, 2, true, "behind a b; displaces id-a");
        check(&c, &running, 1, true, "behind a b; displaces id-a id-b");
        check(&d, &[running.to_vec(), vec![c]].concat(), 2, true, "behind a b c; displaces");
    }
}
