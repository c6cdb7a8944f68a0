//! Events, one a line.

use testudo_engine::News;

use super::{Ending, Show, out::Out};

pub(super) struct Json {
    out: Out,
}

impl Json {
    pub(super) fn new() -> Self {
        Json { out: Out::stdout() }
    }
}

impl Show for Json {
    fn hear(&mut self, news: News<'_>) {
        let lines = match news {
            News::Events { execution, events } => {
                let name = &execution.plan().execution.name;
                events.iter().map(|event| serde_json::json!({ "execution": name, "event": event })).collect()
            }
            News::Queued { execution, behind } => {
                vec![serde_json::json!({ "execution": execution.plan().execution.name, "waitingFor": behind })]
            }
            News::Output { .. } => Vec::new(),
        };
        for line in lines {
            self.out.raw(format!("{line}\n").as_bytes());
        }
        self.out.flush();
    }

    fn tick(&mut self) {}

    fn end(&mut self, _: Ending) -> std::io::Result<()> {
        Ok(())
    }

    fn interrupt(&mut self, _: u32) {}
}
