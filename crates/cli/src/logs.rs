//! `testudo logs`.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Write,
    time::Duration,
};

use anyhow::Context;
use testudo_core::{
    run::{Execution, UnitKey},
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
        return Ok(if args.step.is_some() { all } else { vec![UnitKey::main()] });
    };
    let named: Vec<UnitKey> =
        all.iter().filter(|key| key.to_string() == *worker || label_of(execution, key) == *worker).cloned().collect();
    if named.is_empty() {
        let names: Vec<String> = all.iter().map(|key| format!("\"{}\"", label_of(execution, key))).collect();
        return Err(Absent(format!("there is no worker \"{worker}\"; there are {}", names.join(", "))).into());
    }
    Ok(named)
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
        let steps = &run.plan().steps;
        let wanted = |step: u32| {
            args.step.as_ref().is_none_or(|name| {
                let mut at = usize::try_from(step).ok().filter(|step| *step < steps.len());
                while let Some(step) = at {
                    if steps[step].label() == name || steps[step].r#ref == *name {
                        return true;
                    }
                    at = steps[step].parent;
                }
                // A whole worker belongs to the step that it hangs in.
                unit.place.split('/').any(|part| part == name)
                    || execution.unit(unit).and_then(|unit| unit.carrier.as_ref()).is_some_and(|(carrier, step, ..)| {
                        execution.unit(carrier).is_some_and(|carrier| carrier.run.step(*step).label() == name)
                    })
            })
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
        while let Some((step, nanos, bytes)) = reader.next()? {
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
