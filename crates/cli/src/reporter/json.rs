//! Events, one a line.

use testudo_engine::News;

use super::{Ending, Show};

pub(super) struct Json;

impl Show for Json {
    fn hear(&mut self, news: News<'_>) {
        if let News::Events { execution, events } = news {
            for event in events {
                let line = serde_json::json!({
                    "execution": execution.plan().execution.name,
                    "event": event,
                });
                println!("{line}");
            }
        }
    }

    fn end(&mut self, _: Ending) -> std::io::Result<()> {
        Ok(())
    }

    fn interrupt(&mut self, _: u32) {}
}
