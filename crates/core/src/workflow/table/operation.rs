//! Operations that start other units, and what they share: strategy, transfers, artifacts.

use super::container::{CONTAINER_FIELDS, SHELL};
use super::content::CONTENT;
use super::kubernetes::{LABEL_SELECTOR, PROBE};
use super::pod::{POD, PVC};
use super::spec::{SPEC_FIELDS, TARGET, TEMPLATE_REF};
use super::step::SHORT_FIELDS;
use super::{Field, Object, Shape, field, flag, object, text, text_map, texts};

static STRATEGY: &[Field] = &[
    field("matrix", Shape::Map(&Shape::DynamicList), "Every combination is a group of instances.").forced(),
    field("count", Shape::IntOrText, "Instances per combination.").expression(),
    field("maxCount", Shape::IntOrText, "Upper bound, lowered to the shortest shard list.").expression(),
    field("shards", Shape::Map(&Shape::DynamicList), "Data split over the instances of a combination.").forced(),
];

static WHEN_EMPTY: &[Field] =
    &[text("whenEmpty", "What a computed list that comes out empty means.").one_of(&["fail", "skip", "run"]).ours()];

pub static SERVICE: Object = Object::new(
    "a service",
    &[SERVICE_FIELDS, STRATEGY, WHEN_EMPTY, CONTAINER_FIELDS, SHELL],
    "A side service, in as many instances as its strategy gives.",
);

static SERVICE_FIELDS: &[Field] = &[
    field("use", Shape::List(&Shape::Object(&TEMPLATE_REF)), "Templates merged into this service.").not_in_templates(),
    text("description", "Shown beside each instance.").template(),
    text("logs", "Save logs when true; `failed` by default.").expression(),
    text("timeout", "Longest time until ready.").template(),
    field("transfer", Shape::List(&Shape::Object(&TRANSFER)), "Files from the parent."),
    object("content", &CONTENT, "Files, repository and archives."),
    object("pod", &POD, "Settings of its pod."),
    text("restartPolicy", "`OnFailure` (default) or `Never`.").template(),
    object("readinessProbe", &PROBE, "How readiness is found out.").forced(),
    field("pvcs", Shape::Map(&Shape::Object(&PVC)), "Volume claims, by name.").forced().keys(),
    text("onFailure", "Whether a failure fails the step at once.").one_of(&["fail", "ignore"]).ours(),
];

pub static PARALLEL: Object = Object::new(
    "`parallel`",
    &[PARALLEL_FIELDS, STRATEGY, WHEN_EMPTY, SHORT_FIELDS, SPEC_FIELDS],
    "Workers: a workflow in miniature, in as many instances as its strategy gives.",
);

static PARALLEL_FIELDS: &[Field] = &[
    field("parallelism", Shape::Int32, "Workers at once; 1000 by default."),
    flag("failFast", "Stop the others after the first failure."),
    text("description", "Shown beside each worker.").template(),
    text("logs", "Save logs when true; always by default.").expression(),
    field("transfer", Shape::List(&Shape::Object(&TRANSFER)), "Files from the parent."),
    field("fetch", Shape::List(&Shape::Object(&FETCH)), "Files back to the parent."),
    field("balance", Shape::TextOr(&BALANCE), "How shards are cut.").one_of(&["count", "duration"]).ours(),
    object("distribute", &DISTRIBUTE, "Hand tests out one by one.").ours(),
    field("maxFailures", Shape::Int32, "Stop after so many failures over all workers.")
        .range(1, i32::MAX as i64)
        .ours(),
];

static BALANCE: Object = Object::new(
    "`balance`",
    &[&[text("by", "The shard list whose durations decide.").required()]],
    "Cut by predicted duration.",
);

static DISTRIBUTE: Object = Object::new(
    "`distribute`",
    &[&[
        text("tool", "Which tool runs the tests.").template().required(),
        texts("args", "The tool's own arguments.").template(),
        field("items", Shape::DynamicList, "What `tool: files` hands out.").forced(),
        text("target", "Choose the number of workers that meets this time.").template(),
        text("order", "Which items first.").template().one_of(&["longest-first", "failed-first", "declared"]),
        object("retry", &ITEM_RETRY, "Further attempts of an item."),
        text("quarantine", "File with items whose result does not count.").template(),
        field("groups", Shape::List(&Shape::Object(&ITEM_GROUP)), "Items that belong together or exclude each other."),
        object("collect", &COLLECT, "How the list of items is made."),
        text("report", "Report the outcomes are read from.").template(),
    ]],
    "Hand tests out to workers as they become free.",
);

static ITEM_RETRY: Object = Object::new(
    "`distribute.retry`",
    &[&[
        field("failed", Shape::Int32, "Further attempts of a failed item."),
        flag("isolate", "Retry alone in a fresh process."),
        flag("last", "Retry when all else has run."),
    ]],
    "Further attempts of an item.",
);

static ITEM_GROUP: Object = Object::new(
    "a group of items",
    &[&[
        text("match", "Pattern of the items.").template().required(),
        text("lease", "Name of what they share.").template(),
        field("max", Shape::Int32, "So many at once.").range(1, i32::MAX as i64),
        flag("together", "Never split over workers."),
    ]],
    "Items that belong together or exclude each other.",
);

static COLLECT: Object = Object::new(
    "`distribute.collect`",
    &[&[
        flag("verify", "Every worker collects and must find the same."),
        text("shrink", "What a much shorter list means.").one_of(&["fail", "warn", "ignore"]),
    ]],
    "How the list of items is made.",
);

pub static TRANSFER: Object = Object::new(
    "a transfer",
    &[PACK_FIELDS, &[flag("mount", "Whether a volume is mounted there; unset: if the path lies in none.")]],
    "Files given to an instance.",
);

static FETCH: Object = Object::new("a fetch", &[PACK_FIELDS], "Files taken back from a worker.");

static PACK_FIELDS: &[Field] = &[
    text("from", "Folder they are in.").template().required(),
    text("to", "Folder they go to; the same by default.").template(),
    field("files", Shape::DynamicList, "Patterns; everything by default.").forced(),
];

pub static TARBALL_PACK: Object = Object::new(
    "a tarball",
    &[&[
        text("from", "Folder they are in.").template().required(),
        field("files", Shape::DynamicList, "Patterns; everything by default.").forced(),
    ]],
    "Files packed and offered as `tarball.<key>.url`.",
);

pub static ARTIFACTS: Object = Object::new(
    "`artifacts`",
    &[&[
        texts("paths", "Patterns, relative to the working directory or absolute.").template(),
        text("workingDir", "Where relative patterns start.").template(),
        object("compress", &COMPRESS, "Keep one archive instead of single files."),
    ]],
    "Files to keep.",
);

static COMPRESS: Object = Object::new(
    "`compress`",
    &[&[text("name", "Name of the archive.").template().required().not_empty()]],
    "One archive instead of single files.",
);

pub static EXECUTE: Object = Object::new(
    "`execute`",
    &[&[
        field("parallelism", Shape::Int32, "Runs at once; 100 by default."),
        flag("async", "Do not wait for results."),
        field("workflows", Shape::List(&Shape::Object(&EXECUTE_WORKFLOW)), "Workflows to run."),
        field("tests", Shape::List(&Shape::Object(&EXECUTE_TEST)), "Legacy tests; accepted, never run."),
        text("onAbort", "What happens to children when the parent is stopped.").one_of(&["cancel", "leave"]).ours(),
    ]],
    "Other workflows.",
);

pub static EXECUTE_WORKFLOW: Object = Object::new(
    "an entry of `execute.workflows`",
    &[EXECUTE_FIELDS, TARBALL_FIELDS, STRATEGY, WHEN_EMPTY],
    "A workflow to run, by name or labels.",
);

static EXECUTE_FIELDS: &[Field] = &[
    text("name", "Workflow by name.").template(),
    object("selector", &LABEL_SELECTOR, "Workflows by labels."),
    text("description", "Shown beside the run.").template(),
    text("executionName", "Name of the execution.").template(),
    field("config", Shape::Map(&Shape::IntOrText), "Config values for the run.").template(),
    object("target", &TARGET, "Where it runs."),
    text("as", "Name under which later steps read its outputs.").ours(),
    field("fetch", Shape::List(&Shape::Object(&FETCH_ARTIFACTS)), "Artifacts taken into the parent.").ours(),
];

static TARBALL_FIELDS: &[Field] =
    &[field("tarball", Shape::Map(&Shape::Object(&TARBALL_PACK)), "Files packed and offered by URL.").keys()];

static FETCH_ARTIFACTS: Object = Object::new(
    "a fetch of artifacts",
    &[&[texts("paths", "Patterns.").template().required(), text("to", "Folder they go to.").template().required()]],
    "Artifacts of a child, taken into the parent.",
);

pub static EXECUTE_TEST: Object = Object::new(
    "an entry of `execute.tests`",
    &[EXECUTE_TEST_FIELDS, TARBALL_FIELDS, STRATEGY, WHEN_EMPTY],
    "A legacy test; never run.",
);

static EXECUTE_TEST_FIELDS: &[Field] = &[
    text("name", "Test by name.").template(),
    text("description", "Shown beside the run.").template(),
    object("executionRequest", &LEGACY_REQUEST, "Settings of the legacy test."),
];

static LEGACY_REQUEST: Object = Object::new(
    "a legacy request",
    &[&[text("name", "Name.").template(), text_map("executionLabels", "Labels.").template().keys()]],
    "Settings of a legacy test; not interpreted.",
)
.open();
