//! The spec of a workflow or template, its parameters, events and other top-level parts.

use super::container::CONTAINER;
use super::content::CONTENT;
use super::operation::SERVICE;
use super::pod::{JOB, POD, PVC};
use super::step::STEP;
use super::{Field, Object, Shape, field, flag, object, text, text_map, texts};

pub static METADATA: Object = Object::new(
    "`metadata`",
    &[&[
        text("name", "Name of the object."),
        text("generateName", "Start of a name that the cluster completes."),
        text("namespace", "Namespace."),
        text_map("labels", "Labels; visible to expressions as `labels.<key>`.").prose(),
        text_map("annotations", "Annotations.").prose(),
    ]],
    "Name, labels and annotations.",
)
.open();

pub static SPEC: Object =
    Object::new("a spec", &[SPEC_FIELDS, CONCURRENCY_FIELD], "Everything a workflow or template does.");

/// What a `parallel` block has of a spec: all but `concurrency`.
pub(super) static SPEC_FIELDS: &[Field] = &[
    field("use", Shape::List(&Shape::Object(&TEMPLATE_REF)), "Templates merged into the whole.").not_in_templates(),
    field("events", Shape::List(&Shape::Object(&EVENT)), "Automatic triggers."),
    object("system", &SYSTEM, "How operations are packed and kept."),
    field("config", Shape::Map(&Shape::Object(&PARAMETER)), "Parameters, by name."),
    object("content", &CONTENT, "Files, repository and archives for all steps."),
    object("container", &CONTAINER, "Defaults for all steps."),
    object("job", &JOB, "Settings of the job."),
    object("pod", &POD, "Settings of the pod."),
    object("notifications", &NOTIFICATIONS, "Has no effect any more.")
        .no_effect("`notifications` has no effect; `execution.silent: true` switches webhooks off"),
    object("execution", &EXECUTION, "Tags and target of executions."),
    object("timeouts", &TIMEOUTS, "Limits before the first step."),
    field("services", Shape::Map(&Shape::Object(&SERVICE)), "Side services for the whole run, by name.").keys(),
    field("setup", Shape::List(&Shape::Object(&STEP)), "Steps before `steps`."),
    field("steps", Shape::List(&Shape::Object(&STEP)), "The work."),
    field(
        "after",
        Shape::List(&Shape::Object(&STEP)),
        "Steps after `steps`; skipped after a failure without a condition.",
    ),
    field("pvcs", Shape::Map(&Shape::Object(&PVC)), "Volume claims for one execution, by name.").forced().keys(),
];

static CONCURRENCY_FIELD: &[Field] = &[object("concurrency", &CONCURRENCY, "How many executions at once.")];

pub static TEMPLATE_REF: Object = Object::new(
    "a template reference",
    &[&[
        text("name", "Template, e.g. `official/k6/v1`.").required(),
        field("config", Shape::Map(&Shape::IntOrText), "Arguments for its parameters.").template(),
    ]],
    "A template by name, with arguments.",
);

static EVENT: Object =
    Object::new("an event", &[&[object("cronjob", &CRONJOB, "A schedule.")]], "What starts the workflow by itself.");

pub static CRONJOB: Object = Object::new(
    "a schedule",
    &[&[
        text("cron", "Five fields, or `@daily` and the like, or `@every 1h`.").required(),
        text("timezone", "IANA name; the server's zone otherwise."),
        field("config", Shape::Map(&Shape::IntOrText), "Config values for the run."),
        text_map("labels", "Has no effect any more.")
            .no_effect("`cronjob.labels` has no effect: no CronJob is created"),
        text_map("annotations", "Has no effect any more.")
            .no_effect("`cronjob.annotations` has no effect: no CronJob is created"),
        object("target", &TARGET, "Where it runs."),
    ]],
    "When to start by the clock.",
);

static SYSTEM: Object = Object::new(
    "`system`",
    &[&[
        flag("pureByDefault", "Treat every step as `pure: true` unless it says otherwise."),
        flag("isolatedContainers", "Never merge neighbouring operations into one container."),
        text("terminationGrace", "Time between asking to end and killing.").ours(),
        field("onDisruption", Shape::TextOr(&DISRUPTION), "What happens to a unit that was taken away.")
            .one_of(&["abort", "rerun"])
            .ours(),
        text("keepPod", "Leave the unit for inspection.").one_of(&["never", "onFailure", "always"]).ours(),
        text("stopWindow", "How long `always` operations may run after a stop.").ours(),
        text("layout", "Containers of a pod at once or one by one.").one_of(&["together", "sequential"]).ours(),
        text("status", "How `passed` is found.").one_of(&["tree", "reference"]).ours(),
    ]],
    "How operations are packed and kept.",
);

static DISRUPTION: Object = Object::new(
    "`onDisruption`",
    &[&[field("rerun", Shape::Int32, "How often at most.").range(0, i32::MAX as i64).required()]],
    "How often a unit that was taken away starts again.",
);

pub static PARAMETER: Object = Object::new(
    "a parameter",
    &[&[
        text("description", "For people.").prose(),
        text("type", "Cast of the value; `string` by default.").one_of(&["string", "integer", "number", "boolean"]),
        texts("enum", "Allowed values."),
        field("example", Shape::IntOrText, "For people.").prose(),
        field("default", Shape::IntOrText, "Used when no value is given; none means required.").template(),
        flag("sensitive", "Kept in a secret, never in documents or logs."),
        text("format", "Named format, for people.").prose(),
        text("pattern", "Regular expression, unanchored.").prose(),
        field("minLength", Shape::Int64, "Least number of characters."),
        field("maxLength", Shape::Int64, "Greatest number of characters."),
        field("minimum", Shape::Int64, "Least value."),
        field("maximum", Shape::Int64, "Greatest value."),
        field("exclusiveMinimum", Shape::Int64, "The value is greater."),
        field("exclusiveMaximum", Shape::Int64, "The value is less."),
        field("multipleOf", Shape::Int64, "The value is a multiple of this."),
    ]],
    "A named value that is given when a run starts.",
);

static CONCURRENCY: Object = Object::new(
    "`concurrency`",
    &[&[
        field("max", Shape::Int64, "Executions at once; 0 means no limit."),
        text("group", "Share the limit between workflows."),
        flag("cancelInProgress", "When full, cancel the oldest for the newest."),
    ]],
    "How many executions at once.",
);

static EXECUTION: Object = Object::new(
    "`execution`",
    &[&[
        text_map("tags", "Default tags of executions.").template().keys(),
        object("target", &TARGET, "Where to run."),
        flag("silent", "No webhooks, no metrics, no health."),
    ]],
    "Tags and target of executions.",
);

static TIMEOUTS: Object = Object::new(
    "`timeouts`",
    &[&[
        text("queue", "Longest wait before starting.").template(),
        text("initialization", "Longest time between assignment and the first step.").template(),
    ]],
    "Limits before the first step.",
);

static NOTIFICATIONS: Object =
    Object::new("`notifications`", &[&[flag("disableWebhooks", "Has no effect any more.")]], "Has no effect any more.");

pub static TARGET: Object = Object::new(
    "a target",
    &[&[
        field("match", Shape::Map(&Shape::List(&Shape::Text)), "A runner has one of the values for each label."),
        field("not", Shape::Map(&Shape::List(&Shape::Text)), "Runners that are left out."),
        texts("replicate", "Once for each distinct value of these labels."),
        text("schedulerPolicy", "No execution at all when no runner matches.").one_of(&["OnlyWhenMatches"]),
    ]],
    "Which runners may run it.",
);
