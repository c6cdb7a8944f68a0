//! A step: nested steps, what holds for all its operations, and the operations themselves.

use super::container::{CONTAINER, RUN};
use super::content::CONTENT;
use super::operation::{ARTIFACTS, EXECUTE, PARALLEL, SERVICE};
use super::spec::TEMPLATE_REF;
use super::{Field, Object, Shape, field, flag, object, text};

pub static STEP: Object = Object::new("a step", &[OWN_FIELDS, SHORT_FIELDS], "One unit of work, or a group of them.");

/// Descending units and no fractions: what the reference's schema lets pass for a delay.
const DELAY: &str = r"^((0|[1-9][0-9]*)h)?((0|[1-9][0-9]*)m)?((0|[1-9][0-9]*)s)?((0|[1-9][0-9]*)ms)?$";

static OWN_FIELDS: &[Field] = &[
    text("id", "For `step.<id>.outputs`; derived from the name otherwise."),
    text("name", "What people see.").template(),
    text("condition", "Run only if true; `passed` by default.").expression(),
    flag("pure", "May share a container with its neighbours."),
    field("use", Shape::List(&Shape::Object(&TEMPLATE_REF)), "Templates merged into this step.").not_in_templates(),
    object("content", &CONTENT, "Files, repository and archives for this step."),
    field("services", Shape::Map(&Shape::Object(&SERVICE)), "Side services for the duration of this step.").keys(),
    object("container", &CONTAINER, "Defaults for this step and what is nested in it."),
    text("workingDir", "Where commands start.").template(),
    field("setup", Shape::List(&Shape::Object(&STEP)), "Nested steps before the operations."),
    object("parallel", &PARALLEL, "Workers."),
    field("steps", Shape::List(&Shape::Object(&STEP)), "Nested steps after the operations."),
    text("terminationGrace", "Time between asking to end and killing.").ours(),
];

/// What a `parallel` block may say in short instead of a first step.
pub(super) static SHORT_FIELDS: &[Field] = &[
    text("delay", "Sleep first.").pattern(DELAY, "a time like `1m30s`: units in descending order, no fractions"),
    text("shell", "Script for the tool's shell.").template(),
    object("run", &RUN, "One command in a container."),
    object("execute", &EXECUTE, "Other workflows."),
    object("artifacts", &ARTIFACTS, "Files to keep."),
    flag("negative", "Invert the result."),
    flag("optional", "The result does not count."),
    flag("paused", "Wait for a resume before starting."),
    object("retry", &RETRY, "Further attempts."),
    text("timeout", "Limit for the step with all its operations.").template(),
    object("template", &TEMPLATE_REF, "A template run as an isolated nested step.").not_in_templates(),
];

static RETRY: Object = Object::new(
    "`retry`",
    &[&[
        field("count", Shape::Int32, "Further attempts.").range(1, i32::MAX as i64).required(),
        text("until", "Stop as soon as true; `passed` by default.").expression(),
        text("delay", "Pause between attempts.").ours(),
    ]],
    "Further attempts of an operation.",
);
