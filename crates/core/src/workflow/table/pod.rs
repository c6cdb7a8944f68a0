//! Pod, job and claims: settings of the place a run lives in.

use super::container::RESOURCES;
use super::kubernetes::{
    DNS_CONFIG, HOST_ALIAS, LABEL_SELECTOR, NAME, POD_SECURITY_CONTEXT, RESOURCE_CLAIM, SCHEDULING_GATE, TOLERATION,
};
use super::{Object, Shape, field, flag, object, text, text_map, texts};

pub static JOB: Object = Object::new(
    "`job`",
    &[&[
        text_map("labels", "Labels of the job.").template().keys(),
        text_map("annotations", "Annotations of the job.").template().keys(),
        text("namespace", "Where to run.").template(),
        field("activeDeadlineSeconds", Shape::Int64, "Wall-clock limit of the whole run."),
    ]],
    "Settings of the job a run is.",
);

pub static POD: Object = Object::new(
    "`pod`",
    &[&[
        text("serviceAccountName", "Service account.").template(),
        text("nodeName", "Node to run on.").template(),
        text("hostname", "Host name.").template(),
        text("subdomain", "Subdomain.").template(),
        text("priorityClassName", "Priority class.").template(),
        text("dnsPolicy", "DNS policy.").template(),
        text("preemptionPolicy", "Whether others make room.").template(),
        text_map("labels", "Labels of the pod.").template().keys(),
        text_map("annotations", "Annotations of the pod.").template().keys(),
        text_map("nodeSelector", "Labels a node must have.").template().keys(),
        field("imagePullSecrets", Shape::List(&Shape::Object(&NAME)), "Secrets for registries.").forced(),
        field("volumes", Shape::List(&Shape::Free), "Kubernetes volumes.").forced(),
        field("affinity", Shape::Free, "Kubernetes affinity.").forced(),
        field("tolerations", Shape::List(&Shape::Object(&TOLERATION)), "Taints that are tolerated.").forced(),
        field("hostAliases", Shape::List(&Shape::Object(&HOST_ALIAS)), "Names for addresses.").forced(),
        field("topologySpreadConstraints", Shape::List(&Shape::Free), "How pods spread.").forced(),
        field("schedulingGates", Shape::List(&Shape::Object(&SCHEDULING_GATE)), "What holds the pod back.").forced(),
        field("resourceClaims", Shape::List(&Shape::Object(&RESOURCE_CLAIM)), "Claims on devices.").forced(),
        object("dnsConfig", &DNS_CONFIG, "DNS settings.").forced(),
        field("activeDeadlineSeconds", Shape::Int64, "Wall-clock limit, as on `job`."),
        field("priority", Shape::Int32, "Priority."),
        object("securityContext", &POD_SECURITY_CONTEXT, "User, groups and profiles of the pod."),
        flag("disableFsGroupDefaulting", "Do not invent an `fsGroup`."),
        flag("hostPID", "See the processes of the node; refused unless the server allows it."),
    ]],
    "Settings of the pod a run lives in.",
);

pub static PVC: Object = Object::new(
    "a volume claim",
    &[&[
        texts("accessModes", "Access modes."),
        object("resources", &RESOURCES, "Size asked for."),
        text("storageClassName", "Storage class."),
        text("volumeMode", "`Filesystem` or `Block`."),
        text("volumeName", "A certain volume."),
        text("volumeAttributesClassName", "Attributes class."),
        object("selector", &LABEL_SELECTOR, "Volumes by labels."),
        object("dataSource", &DATA_SOURCE, "What the volume starts with."),
        object("dataSourceRef", &DATA_SOURCE, "What the volume starts with."),
    ]],
    "A claim made for one execution and removed with it.",
);

static DATA_SOURCE: Object = Object::new(
    "a data source",
    &[&[
        text("apiGroup", "API group."),
        text("kind", "Kind.").required(),
        text("name", "Name.").required(),
        text("namespace", "Namespace."),
    ]],
    "What a volume starts with.",
);
