//! The documents of a set of files.

use std::sync::Arc;

use super::table::{self, Object};
use crate::source::{Map, Node, Span};

/// What a document is. Only these are read; others are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    Workflow,
    Template,
    Execution,
    WorkflowTrigger,
    TestTrigger,
    Webhook,
    WebhookTemplate,
    Secret,
    ConfigMap,
}

impl DocumentKind {
    pub const ALL: [Self; 9] = [
        Self::Workflow,
        Self::Template,
        Self::Execution,
        Self::WorkflowTrigger,
        Self::TestTrigger,
        Self::Webhook,
        Self::WebhookTemplate,
        Self::Secret,
        Self::ConfigMap,
    ];

    /// The word under `kind`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Workflow => "TestWorkflow",
            Self::Template => "TestWorkflowTemplate",
            Self::Execution => "TestWorkflowExecution",
            Self::WorkflowTrigger => "WorkflowTrigger",
            Self::TestTrigger => "TestTrigger",
            Self::Webhook => "Webhook",
            Self::WebhookTemplate => "WebhookTemplate",
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }

    pub fn api_version(self) -> &'static str {
        match self {
            Self::Workflow | Self::Template | Self::Execution | Self::WorkflowTrigger => "testworkflows.testkube.io/v1",
            Self::TestTrigger => "tests.testkube.io/v1",
            Self::Webhook | Self::WebhookTemplate => "executor.testkube.io/v1",
            Self::Secret | Self::ConfigMap => "v1",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The shape of its `spec`; secrets and config maps have none.
    pub fn object(self) -> Option<&'static Object> {
        Some(match self {
            Self::Workflow | Self::Template => &table::SPEC,
            Self::Execution => &table::EXECUTION_SPEC,
            Self::WorkflowTrigger => &table::WORKFLOW_TRIGGER,
            Self::TestTrigger => &table::TEST_TRIGGER,
            Self::Webhook => &table::WEBHOOK,
            Self::WebhookTemplate => &table::WEBHOOK_TEMPLATE,
            Self::Secret | Self::ConfigMap => return None,
        })
    }
}

/// One document, read.
#[derive(Clone, Debug)]
pub struct Document {
    pub kind: DocumentKind,
    pub name: Arc<str>,
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    pub annotations: Vec<(Arc<str>, Arc<str>)>,
    pub description: Option<Arc<str>>,
    /// `spec` with its nulls taken out; of a secret or config map the whole document.
    pub spec: Node,
    /// Where the name stands.
    pub name_span: Span,
    /// The file it is from.
    pub file: Arc<str>,
}

impl Document {
    /// A workflow or template that comes from no file, e.g. out of a database or a test.
    pub fn new(kind: DocumentKind, name: impl Into<Arc<str>>, spec: Node) -> Self {
        Self {
            kind,
            name: name.into(),
            labels: Vec::new(),
            annotations: Vec::new(),
            description: None,
            spec,
            name_span: Span::NOWHERE,
            file: "".into(),
        }
    }

    pub fn is_template(&self) -> bool {
        self.kind == DocumentKind::Template
    }

    /// The entries of a secret or config map as text. A secret's `data` is base64; what is not text is left out.
    pub fn values(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let mut values: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        let texts = |map: &Map| -> Vec<(Arc<str>, Arc<str>)> {
            map.iter().filter_map(|(key, node)| Some((key.text.clone(), node.scalar_text()?))).collect()
        };
        for (key, text) in self.spec.get("data").and_then(Node::as_map).map(texts).unwrap_or_default() {
            if self.kind == DocumentKind::Secret {
                let decoded = base64(&text).and_then(|bytes| String::from_utf8(bytes).ok());
                values.extend(decoded.map(|text| (key, text.into())));
            } else {
                values.push((key, text));
            }
        }
        for (key, text) in self.spec.get("stringData").and_then(Node::as_map).map(texts).unwrap_or_default() {
            values.retain(|(known, _)| *known != key);
            values.push((key, text));
        }
        values
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0);
    for c in text.bytes().filter(|c| !c.is_ascii_whitespace() && *c != b'=') {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

/// All documents of a set of files, those with errors left out.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    pub workflows: Vec<Document>,
    pub templates: Vec<Document>,
    pub secrets: Vec<Document>,
    pub config_maps: Vec<Document>,
    /// Execution objects, triggers and webhooks.
    pub others: Vec<Document>,
    /// Names of workflows and templates that were seen but had errors, or that could not be read at all (`None`):
    /// rules that say something is missing must know.
    pub broken: Vec<Option<(DocumentKind, Arc<str>)>>,
}

impl Documents {
    pub fn push(&mut self, document: Document) {
        match document.kind {
            DocumentKind::Workflow => self.workflows.push(document),
            DocumentKind::Template => self.templates.push(document),
            DocumentKind::Secret => self.secrets.push(document),
            DocumentKind::ConfigMap => self.config_maps.push(document),
            _ => self.others.push(document),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Document> {
        let Self { workflows, templates, secrets, config_maps, others, broken: _ } = self;
        workflows.iter().chain(templates).chain(secrets).chain(config_maps).chain(others)
    }

    pub fn workflow(&self, name: &str) -> Option<&Document> {
        self.workflows.iter().find(|document| &*document.name == name)
    }

    /// A template by any of its spellings: `official/k6/v1` is `official--k6--v1`.
    pub fn template(&self, name: &str) -> Option<&Document> {
        let wanted = name.replace('/', "--");
        self.templates.iter().find(|document| document.name.replace('/', "--") == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_gives_its_values_as_text() {
        let spec: Node =
            serde_json::from_str(r#"{"data":{"a":"aGVsbG8=","b":"/w=="},"stringData":{"c":"x"}}"#).unwrap();
        let secret = Document::new(DocumentKind::Secret, "s", spec);
        let values: Vec<_> = secret.values().into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(values, ["a=hello", "c=x"]);
    }
}
