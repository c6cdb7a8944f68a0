//! The one table of fields: what may be written where, of what shape, and which text is evaluated how.
//!
//! It drives the shape check, the compile check of texts, the lint of braces in literal fields, the walk that puts
//! values in (`resolve`, `split`) and the JSON schema; there is no second list anywhere. Parts that are only carried
//! to a cluster have their entries here too and stay trees.

mod container;
mod content;
mod kubernetes;
mod operation;
mod other;
mod pod;
mod spec;
mod step;

pub use container::{CONTAINER, ENV_VAR, RUN, VALUE_SOURCE};
pub use content::{CONTENT, TARBALL};
pub use kubernetes::{FREE_FLAGS, FREE_NUMBERS};
pub use operation::{ARTIFACTS, EXECUTE, EXECUTE_TEST, EXECUTE_WORKFLOW, PARALLEL, SERVICE, TARBALL_PACK, TRANSFER};
pub use other::{EXECUTION_SPEC, TEST_TRIGGER, WEBHOOK, WEBHOOK_TEMPLATE, WORKFLOW_TRIGGER};
pub use pod::{JOB, POD, PVC};
pub use spec::{CRONJOB, METADATA, PARAMETER, SPEC, TARGET, TEMPLATE_REF};
pub use step::STEP;

/// A kind of map with known fields.
#[derive(Debug)]
pub struct Object {
    /// How messages call one: `a step`.
    pub noun: &'static str,
    /// Fields by group, so that objects can share them.
    pub groups: &'static [&'static [Field]],
    /// Whether other fields are let pass, as on `metadata`.
    pub open: bool,
    pub doc: &'static str,
}

/// One field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
    pub kind: FieldKind,
    /// The keys of the map are templates as well.
    pub keys: bool,
    pub required: bool,
    pub rule: Rule,
    /// Templates cannot include templates: the field does not exist in one.
    pub not_in_templates: bool,
    /// Not in the reference's schema (`portability`).
    pub ours: bool,
    /// Accepted without effect, with what an author should know.
    pub no_effect: Option<&'static str>,
    /// Literal text in which braces surprise nobody (descriptions, patterns).
    pub prose: bool,
    pub doc: &'static str,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Text,
    Bool,
    Int32,
    Int64,
    IntOrText,
    List(&'static Shape),
    Map(&'static Shape),
    Object(&'static Object),
    /// A list, or anything else standing for an expression that gives one.
    DynamicList,
    /// A word, or a map.
    TextOr(&'static Object),
    /// Anything at all.
    Free,
}

/// How the text of a field is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Never; on an object: its fields say it themselves.
    Literal,
    /// Text with `{{ }}` parts.
    Template,
    /// The whole text is an expression.
    Expression,
    /// Every text inside is a template, keys included.
    Forced,
}

/// What else must hold of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    None,
    NotEmpty,
    OneOf(&'static [&'static str]),
    /// A regular expression and how to say it.
    Pattern(&'static str, &'static str),
    Range(i64, i64),
    /// Text stands for a whole number once it is final.
    Number,
}

const fn field(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field {
        name,
        shape,
        kind: FieldKind::Literal,
        keys: false,
        required: false,
        rule: Rule::None,
        not_in_templates: false,
        ours: false,
        no_effect: None,
        prose: false,
        doc,
    }
}

const fn text(name: &'static str, doc: &'static str) -> Field {
    field(name, Shape::Text, doc)
}

const fn flag(name: &'static str, doc: &'static str) -> Field {
    field(name, Shape::Bool, doc)
}

const fn texts(name: &'static str, doc: &'static str) -> Field {
    field(name, Shape::List(&Shape::Text), doc)
}

const fn text_map(name: &'static str, doc: &'static str) -> Field {
    field(name, Shape::Map(&Shape::Text), doc)
}

const fn object(name: &'static str, object: &'static Object, doc: &'static str) -> Field {
    field(name, Shape::Object(object), doc)
}

impl Field {
    const fn template(mut self) -> Self {
        self.kind = FieldKind::Template;
        self
    }

    const fn expression(mut self) -> Self {
        self.kind = FieldKind::Expression;
        self
    }

    const fn forced(mut self) -> Self {
        self.kind = FieldKind::Forced;
        self
    }

    const fn keys(mut self) -> Self {
        self.keys = true;
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn not_empty(mut self) -> Self {
        self.rule = Rule::NotEmpty;
        self
    }

    const fn one_of(mut self, words: &'static [&'static str]) -> Self {
        self.rule = Rule::OneOf(words);
        self
    }

    const fn pattern(mut self, pattern: &'static str, said: &'static str) -> Self {
        self.rule = Rule::Pattern(pattern, said);
        self
    }

    const fn range(mut self, low: i64, high: i64) -> Self {
        self.rule = Rule::Range(low, high);
        self
    }

    const fn number(mut self) -> Self {
        self.rule = Rule::Number;
        self
    }

    const fn not_in_templates(mut self) -> Self {
        self.not_in_templates = true;
        self
    }

    const fn ours(mut self) -> Self {
        self.ours = true;
        self
    }

    const fn no_effect(mut self, said: &'static str) -> Self {
        self.no_effect = Some(said);
        self
    }

    const fn prose(mut self) -> Self {
        self.prose = true;
        self
    }
}

impl PartialEq for Object {
    /// There is one of each.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Object {
    const fn new(noun: &'static str, groups: &'static [&'static [Field]], doc: &'static str) -> Self {
        Self { noun, groups, open: false, doc }
    }

    const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }
}
