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
        if let News::Events { execution, events } = news {
            for event in events {
                let line = serde_json::json!({
                    "execution": execution.plan().execution.name,
                    "event": event,
                });
                self.out.raw(format!("{line}\n").as_bytes());
            }
            self.out.flush();
        }
    }

    fn tick(&mut self) {}

    fn end(&mut self, _: Ending) -> std::io::Result<()> {
        Ok(())
    }

    fn interrupt(&mut self, _: u32) {}
}
