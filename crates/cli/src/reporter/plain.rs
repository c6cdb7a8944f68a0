//! Plain lines.

use std::{collections::BTreeMap, io::Write, sync::Arc};

use testudo_core::{
    frame::record,
    run::{Status, UnitKey},
};
use testudo_engine::News;
use testudo_store::{Folder, Lines};

use super::{Ending, Show};
use crate::args::View;

pub(super) struct Plain {
    folder: Arc<Folder>,
    outputs: BTreeMap<(String, UnitKey), (Vec<u8>, Lines)>,
}

impl Plain {
    pub(super) fn new(_: View, folder: Arc<Folder>) -> Self {
        Plain { folder, outputs: BTreeMap::new() }
    }
}

impl Show for Plain {
    fn hear(&mut self, news: News<'_>) {
        match news {
            News::Events { .. } => {}
            News::Output { execution, unit, records, .. } => {
                let (rest, lines) = self.outputs.entry((execution.to_owned(), unit.clone())).or_default();
                rest.extend_from_slice(records);
                let mut at = rest.as_slice();
                let mut out = std::io::stdout().lock();
                while let Some((one, after)) = record::split(at) {
                    lines.take(one.step, one.nanos, one.bytes, |_, _, line| {
                        let _ = write!(out, "[{unit}] ");
                        let _ = out.write_all(line);
                        let _ = out.write_all(b"\n");
                    });
                    at = after;
                }
                let taken = rest.len() - at.len();
                rest.drain(..taken);
            }
        }
    }

    fn end(&mut self, ending: Ending) -> std::io::Result<()> {
        if let Ending::Over(status) = ending {
            let mark = if status == Status::Passed { "✓" } else { "✗" };
            println!("{mark} {status} · {}", self.folder.meta.name);
        }
        Ok(())
    }

    fn interrupt(&mut self, _: u32) {}
}
