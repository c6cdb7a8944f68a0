//! The other kinds: execution objects, triggers, webhooks. Checked as far as a typing mistake can go; what they mean
//! is decided where they are used.

use super::kubernetes::LABEL_SELECTOR;
use super::spec::TARGET;
use super::{Field, Object, Shape, field, flag, object, text, text_map, texts};

pub static EXECUTION_SPEC: Object = Object::new(
    "a spec",
    &[&[
        object("testWorkflow", &super::kubernetes::NAME, "Workflow to run."),
        object("executionRequest", &EXECUTION_REQUEST, "How to run it."),
    ]],
    "A run asked for by an object.",
);

static EXECUTION_REQUEST: Object = Object::new(
    "an execution request",
    &[&[
        text("name", "Name of the execution.").template(),
        field("config", Shape::Map(&Shape::IntOrText), "Config values.").template(),
        text_map("tags", "Tags.").template(),
        object("target", &TARGET, "Where to run."),
        flag("disableWebhooks", "No webhooks."),
        text("testWorkflowExecutionName", "Object that receives status updates.").template(),
        field("runningContext", Shape::Free, "Who asked."),
    ]],
    "How to run a workflow.",
)
.open();

static SELECTOR: Object = Object::new(
    "a selector",
    &[&[
        text("name", "By name."),
        text("nameRegex", "By name, as a regular expression.").prose(),
        text("namespace", "By namespace."),
        text("namespaceRegex", "By namespace, as a regular expression.").prose(),
        object("labelSelector", &LABEL_SELECTOR, "By labels."),
    ]],
    "Objects by name, namespace or labels.",
);

static RESOURCE_REF: Object = Object::new(
    "a resource",
    &[&[
        text("group", "API group."),
        text("version", "API version."),
        text("kind", "Kind.").required(),
        text("name", "By name."),
        text("namespace", "By namespace."),
    ]],
    "A kind of object.",
);

static FIELD_CONDITION: Object = Object::new(
    "a field condition",
    &[&[
        text("path", "Field, e.g. `.spec.replicas`.").required(),
        text("operator", "How it is compared.")
            .one_of(&["equals", "not_equals", "exists", "not_exists", "changed", "changed_to", "changed_from"])
            .required(),
        text("value", "What it is compared with."),
    ]],
    "A condition on a field of the object.",
);

static CONDITION: Object = Object::new(
    "a condition",
    &[&[
        text("type", "Condition of the object."),
        text("status", "Its status.").one_of(&["True", "False", "Unknown"]),
        text("reason", "Its reason."),
        field("ttl", Shape::Int32, "How old it may be, in seconds."),
    ]],
    "A condition the object must have.",
);

static PROBE: Object = Object::new(
    "a probe",
    &[&[
        text("scheme", "`http` or `https`."),
        text("host", "Host."),
        text("path", "Path."),
        field("port", Shape::Int32, "Port."),
        text_map("headers", "Headers."),
    ]],
    "A GET that must answer.",
);

static WAIT: &[Field] = &[
    field("timeout", Shape::Int32, "Longest wait, in seconds."),
    field("delay", Shape::Int32, "Pause between looks, in seconds."),
];

pub static TEST_TRIGGER: Object = Object::new(
    "a trigger",
    &[&[
        text("resource", "What to watch.").one_of(&[
            "pod",
            "deployment",
            "statefulset",
            "daemonset",
            "service",
            "ingress",
            "event",
            "configmap",
            "content",
        ]),
        object("resourceRef", &RESOURCE_REF, "Any kind to watch."),
        object("resourceSelector", &SELECTOR, "Which objects."),
        object("selector", &LABEL_SELECTOR, "By labels of the event."),
        text("event", "What happened.").required(),
        field("match", Shape::List(&Shape::Object(&FIELD_CONDITION)), "Conditions on fields."),
        object("listener", &TARGET, "Which agents may fire it."),
        object("conditionSpec", &CONDITION_SPEC, "Conditions to wait for."),
        object("probeSpec", &PROBE_SPEC, "Addresses to wait for."),
        field("contentSelector", Shape::Free, "A repository to watch."),
        text("action", "What to do.").one_of(&["run"]).required(),
        object("actionParameters", &PARAMETERS, "What the run is given."),
        text("execution", "What to run.").one_of(&["test", "testsuite", "testworkflow"]).required(),
        object("testSelector", &SELECTOR, "Workflows to run.").required(),
        text("concurrencyPolicy", "Against earlier runs.").one_of(&["allow", "forbid", "replace"]),
        text("delay", "Before starting."),
        flag("disabled", "Switched off."),
    ]],
    "Runs workflows when something happens.",
);

static CONDITION_SPEC: Object = Object::new(
    "conditions",
    &[&[field("conditions", Shape::List(&Shape::Object(&CONDITION)), "The conditions.")], WAIT],
    "Conditions to wait for.",
);

static PROBE_SPEC: Object = Object::new(
    "probes",
    &[&[field("probes", Shape::List(&Shape::Object(&PROBE)), "The probes.")], WAIT],
    "Addresses to wait for.",
);

static PARAMETERS: Object = Object::new(
    "parameters",
    &[&[
        text_map("config", "Config values.").prose(),
        text_map("tags", "Tags.").prose(),
        object("target", &TARGET, "Where to run."),
    ]],
    "What the run is given.",
);

pub static WORKFLOW_TRIGGER: Object = Object::new(
    "a trigger",
    &[&[
        object("watch", &WATCH, "What to watch."),
        object("when", &WHEN, "What happened.").required(),
        field("match", Shape::List(&Shape::Object(&FIELD_CONDITION)), "Conditions on fields."),
        object("wait", &WAIT_FOR, "What to wait for."),
        object("run", &RUN_WHAT, "What to run.").required(),
        flag("disabled", "Switched off."),
    ]],
    "Runs workflows when something happens.",
);

static WATCH: Object = Object::new(
    "`watch`",
    &[&[object("resource", &RESOURCE_REF, "The kind."), object("selector", &SELECTOR, "Which objects.")]],
    "What to watch.",
);

static WHEN: Object = Object::new(
    "`when`",
    &[&[text("event", "What happened.").one_of(&["created", "modified", "deleted"]).required()]],
    "What happened.",
);

static WAIT_FOR: Object = Object::new(
    "`wait`",
    &[&[object("conditions", &WAIT_CONDITIONS, "Conditions."), object("probes", &WAIT_PROBES, "Addresses.")]],
    "What to wait for.",
);

static WAIT_CONDITIONS: Object = Object::new(
    "conditions",
    &[&[field("items", Shape::List(&Shape::Object(&CONDITION)), "The conditions.")], WAIT],
    "Conditions to wait for.",
);

static WAIT_PROBES: Object = Object::new(
    "probes",
    &[&[field("items", Shape::List(&Shape::Object(&PROBE)), "The probes.")], WAIT],
    "Addresses to wait for.",
);

static RUN_WHAT: Object = Object::new(
    "`run`",
    &[&[
        object("workflow", &SELECTOR, "Workflows to run.").required(),
        object("parameters", &PARAMETERS, "What the run is given."),
        object("target", &TARGET, "Where to run."),
        text("concurrencyPolicy", "Against earlier runs.").one_of(&["allow", "forbid", "replace"]),
        text("delay", "Before starting."),
    ]],
    "What to run.",
);

static HOOK: &[Field] = &[
    text("uri", "Where to POST.").prose(),
    texts("events", "Which events."),
    text("selector", "Labels of the workflow, e.g. `a=b,c!=d`.").prose(),
    text("payloadTemplate", "Body; the event as JSON otherwise.").prose(),
    text("payloadObjectField", "Put the JSON into this field."),
    text_map("headers", "Headers.").prose(),
    flag("disabled", "Switched off."),
    field("config", Shape::Map(&Shape::Free), "Values for the templates.").prose(),
    field("parameters", Shape::List(&Shape::Object(&HOOK_PARAMETER)), "Parameters of the templates."),
];

static HOOK_PARAMETER: Object = Object::new(
    "a parameter",
    &[&[
        text("name", "Name.").required(),
        text("description", "For people.").prose(),
        flag("required", "Must be given."),
        text("example", "For people.").prose(),
        text("default", "Used when no value is given.").prose(),
        text("pattern", "Regular expression.").prose(),
    ]],
    "A parameter of a webhook.",
);

pub static WEBHOOK: Object = Object::new(
    "a webhook",
    &[
        HOOK,
        &[
            text("payloadTemplateReference", "Deprecated."),
            flag("onStateChange", "Has no effect any more.")
                .no_effect("`onStateChange` has no effect; use the `become-…` events"),
            object("webhookTemplateRef", &super::kubernetes::NAME, "Take over from a template."),
            object("target", &TARGET, "Which agent delivers."),
        ],
    ],
    "POSTs events somewhere.",
);

pub static WEBHOOK_TEMPLATE: Object = Object::new(
    "a webhook template",
    &[HOOK, &[text("payloadTemplateReference", "Deprecated."), object("target", &TARGET, "Which agent delivers.")]],
    "What webhooks can take over.",
);
