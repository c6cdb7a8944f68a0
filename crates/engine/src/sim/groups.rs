//! Executions that wait for one another, kept in memory.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use jiff::Timestamp;
use testudo_core::plan::Concurrency;

use super::memory::lock;
use crate::{Entering, Groups, Member, Standing, Ticket, Turn, standing};

/// By group and id; with the name of whoever wants its place.
type Members = BTreeMap<(String, String), (Member, Option<String>)>;

/// Where executions of one simulation stand.
#[derive(Debug, Clone, Default)]
pub struct MemoryGroups(Arc<Mutex<Members>>);

#[async_trait]
impl Groups for MemoryGroups {
    async fn enter(&self, entering: Entering<'_>) -> io::Result<Option<Box<dyn Ticket>>> {
        let Entering { plan, limit, begun, now } = entering;
        let mut members = lock(&self.0);
        let covered = |id: &String| {
            let found = members.get(&(limit.group.clone(), id.clone()));
            found.is_some_and(|(member, _)| member.running)
        };
        if plan.execution.ancestors.iter().any(covered) {
            return Ok(None);
        }
        let member =
            Member { since: now, id: plan.execution.id.clone(), name: plan.execution.name.clone(), running: begun };
        let key = (limit.group.clone(), member.id.clone());
        members.insert(key.clone(), (member, None));
        Ok(Some(Box::new(MemoryTicket { groups: self.clone(), limit: limit.clone(), key, since: now })))
    }
}

struct MemoryTicket {
    groups: MemoryGroups,
    limit: Concurrency,
    key: (String, String),
    since: Timestamp,
}

#[async_trait]
impl Ticket for MemoryTicket {
    fn since(&self) -> Timestamp {
        self.since
    }

    async fn look(&self) -> io::Result<Turn> {
        let mut members = lock(&self.groups.0);
        let (mut own, wanted) = members.get(&self.key).cloned().ok_or(io::ErrorKind::NotFound)?;
        if own.running {
            return Ok(wanted.map_or(Turn::Go, Turn::Yield));
        }
        let others: Vec<Member> = members
            .iter()
            .filter(|(key, _)| key.0 == self.key.0 && **key != self.key)
            .map(|(_, (member, _))| member.clone())
            .collect();
        match standing(&own, &others, &self.limit) {
            Standing::Go => {
                own.running = true;
                members.insert(self.key.clone(), (own, None));
                Ok(Turn::Go)
            }
            Standing::Wait(behind, displaced) => {
                for id in displaced {
                    if let Some((_, wanted)) = members.get_mut(&(self.key.0.clone(), id)) {
                        wanted.get_or_insert_with(|| own.name.clone());
                    }
                }
                Ok(Turn::Wait(behind))
            }
        }
    }
}

impl Drop for MemoryTicket {
    fn drop(&mut self) {
        lock(&self.groups.0).remove(&self.key);
    }
}
