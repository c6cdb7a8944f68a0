//! `testudo logs`.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Write,
    time::Duration,
};

use anyhow::Context;
use testudo_core::{
    run::{Execution, UnitKey, UnitRun},
    summary::label_of,
};
use testudo_store::{Folder, Lines, OutputReader, stamp};

use crate::{args::LogsArgs, environment, exit, find::Absent};

/// How often a run that is followed is looked at.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) fn logs(args: &LogsArgs) -> anyhow::Result<u8> {
    let state = environment::state()?;
    let folder = state.find(args.execution.as_deref())?;
    let filter = args.grep.as_deref().map(regex::Regex::new).transpose().context("--grep")?;
    let mut shown =
        Shown { filter, tail: VecDeque::new(), limit: args.tail.filter(|_| !args.follow), printed: BTreeMap::new() };
    loop {
        let execution = folder.execution()?;
        let units = chosen(&execution, args)?;
        for unit in &units {
            shown.show(&folder, &execution, unit, args, units.len() > 1)?;
        }
        if !args.follow || execution.ended().is_some() || !folder.is_driven() {
            break;
        }
        std::thread::sleep(LOOK);
    }
    let mut out = std::io::stdout().lock();
    for line in shown.tail {
        out.write_all(&line)?;
    }
    Ok(exit::PASSED)
}

/// The units whose output is asked for.
fn chosen(execution: &Execution, args: &LogsArgs) -> anyhow::Result<Vec<UnitKey>> {
    let all: Vec<UnitKey> = execution.units().map(|(key, _)| key.clone()).collect();
    let Some(worker) = &args.worker else {
        return Ok(match &args.step {
            None => vec![UnitKey::main()],
            Some(name) => all.into_iter().filter(|unit| has(execution, unit, name)).collect(),
        });
    };
    let named: Vec<UnitKey> =
        all.iter().filter(|key| key.to_string() == *worker || label_of(execution, key) == *worker).cloned().collect();
    if named.is_empty() {
        let names: Vec<String> = all.iter().map(|key| format!("\"{}\"", label_of(execution, key))).collect();
        return Err(Absent(format!("there is no worker \"{worker}\"; there are {}", names.join(", "))).into());
    }
    Ok(named)
}

/// Whether a step, or a group around it, is called so.
fn is_within(run: &UnitRun, step: usize, name: &str) -> bool {
    let known = (step < run.plan().steps.len()).then_some(step);
    known.into_iter().chain(known.into_iter().flat_map(|step| run.ancestors(step))).any(|step| is(run, step, name))
}

fn is(run: &UnitRun, step: usize, name: &str) -> bool {
    run.step(step).label() == name || run.step(step).r#ref == name
}

/// Whether a unit, or one above it, is carried by a step of this name: then all of it belongs to the step.
fn hangs_in(execution: &Execution, unit: &UnitKey, name: &str) -> bool {
    let Some((carrier, step, ..)) = execution.unit(unit).and_then(|unit| unit.carrier.as_ref()) else { return false };
    execution.unit(carrier).is_some_and(|parent| is_within(&parent.run, *step, name))
        || hangs_in(execution, carrier, name)
}

/// Whether a unit has anything of a step of this name.
fn has(execution: &Execution, unit: &UnitKey, name: &str) -> bool {
    let Some(known) = execution.unit(unit) else { return false };
    hangs_in(execution, unit, name) || (0..known.run.plan().steps.len()).any(|step| is(&known.run, step, name))
}

struct Shown {
    filter: Option<regex::Regex>,
    tail: VecDeque<Vec<u8>>,
    limit: Option<usize>,
    /// Lines of each unit that have been looked at.
    printed: BTreeMap<UnitKey, usize>,
}

impl Shown {
    fn show(
        &mut self,
        folder: &Folder,
        execution: &Execution,
        unit: &UnitKey,
        args: &LogsArgs,
        prefixed: bool,
    ) -> anyhow::Result<()> {
        let Ok(mut reader) = OutputReader::open(&folder.output_path(unit)) else { return Ok(()) };
        let run = &execution.unit(unit).context("a unit without a plan")?.run;
        let hangs_in = args.step.as_ref().is_none_or(|name| hangs_in(execution, unit, name));
        let wanted = |step: u32| {
            hangs_in || args.step.as_ref().is_none_or(|name| is_within(run, usize::try_from(step).unwrap_or(0), name))
        };
        let prefix = if prefixed { format!("[{}] ", label_of(execution, unit)) } else { String::new() };
        let mut lines = Lines::default();
        let mut all: Vec<Vec<u8>> = Vec::new();
        let mut count = 0;
        let seen = self.printed.get(unit).copied().unwrap_or(0);
        let filter = self.filter.clone();
        let mut each = |step: u32, nanos: u64, line: &[u8]| {
            count += 1;
            let fits = filter.as_ref().is_none_or(|filter| filter.is_match(&String::from_utf8_lossy(line)));
            if count <= seen || !wanted(step) || !fits {
                return;
            }
            let mut text = prefix.clone().into_bytes();
            if args.timestamps {
                text.extend_from_slice(stamp(nanos).as_bytes());
                text.push(b' ');
            }
            text.extend_from_slice(line);
            text.push(b'\n');
            all.push(text);
        };
        while let Some((step, nanos, bytes)) = reader.read()? {
            lines.take(step, nanos, bytes, &mut each);
        }
        if execution.ended().is_some() || !args.follow {
            lines.finish(&mut each);
        }
        self.printed.insert(unit.clone(), count);
        let mut out = std::io::stdout().lock();
        for line in all {
            match self.limit {
                None => out.write_all(&line)?,
                Some(limit) => {
                    self.tail.push_back(line);
                    while self.tail.len() > limit {
                        self.tail.pop_front();
                    }
                }
            }
        }
        Ok(())
    }
}
