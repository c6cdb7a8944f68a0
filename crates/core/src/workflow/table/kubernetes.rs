//! Parts that have Kubernetes' own shapes and are only carried: checked here, never interpreted.

use super::{Object, Shape, field, flag, object, text, texts};

pub(super) const QUANTITY: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

/// Numbers and flags in the parts that are free in shape (`affinity`, `topologySpreadConstraints`, `volumes`): there a
/// template gives text as well, and Kubernetes takes none.
pub static FREE_NUMBERS: &[&str] =
    &["weight", "maxSkew", "minDomains", "defaultMode", "mode", "expirationSeconds", "partition", "lun"];
pub static FREE_FLAGS: &[&str] = &["readOnly", "optional"];

pub(super) static SECURITY_CONTEXT: Object = Object::new(
    "a security context",
    &[&[
        flag("privileged", "All rights of the host."),
        field("runAsUser", Shape::IntOrText, "User id.").template().number(),
        field("runAsGroup", Shape::IntOrText, "Group id.").template().number(),
        flag("runAsNonRoot", "Refuse to run as root."),
        flag("readOnlyRootFilesystem", "Mount the image read-only."),
        flag("allowPrivilegeEscalation", "Whether a process may gain rights."),
        text("procMount", "Kind of `/proc`.").template(),
        object("capabilities", &CAPABILITIES, "Capabilities added and dropped.").forced(),
        object("seLinuxOptions", &SE_LINUX, "SELinux labels.").forced(),
        object("seccompProfile", &PROFILE, "Seccomp profile.").forced(),
        object("appArmorProfile", &PROFILE, "AppArmor profile.").forced(),
        object("windowsOptions", &WINDOWS, "Windows settings.").forced(),
    ]],
    "Kubernetes' container security context.",
);

pub(super) static POD_SECURITY_CONTEXT: Object = Object::new(
    "a pod security context",
    &[&[
        field("runAsUser", Shape::IntOrText, "User id.").template().number(),
        field("runAsGroup", Shape::IntOrText, "Group id.").template().number(),
        flag("runAsNonRoot", "Refuse to run as root."),
        field("fsGroup", Shape::IntOrText, "Group that owns volumes.").template().number(),
        text("fsGroupChangePolicy", "When volumes change their group.").template(),
        field("supplementalGroups", Shape::List(&Shape::Int64), "Further groups."),
        text("supplementalGroupsPolicy", "Where further groups come from.").template(),
        field("sysctls", Shape::List(&Shape::Object(&NAME_VALUE_REQUIRED)), "Kernel settings.").forced(),
        object("seccompProfile", &PROFILE, "Seccomp profile.").forced(),
        object("appArmorProfile", &PROFILE, "AppArmor profile.").forced(),
        object("seLinuxOptions", &SE_LINUX, "SELinux labels.").forced(),
        text("seLinuxChangePolicy", "How volumes are relabelled.").template(),
        object("windowsOptions", &WINDOWS, "Windows settings.").forced(),
    ]],
    "Kubernetes' pod security context.",
);

static CAPABILITIES: Object = Object::new(
    "capabilities",
    &[&[texts("add", "Capabilities added."), texts("drop", "Capabilities dropped.")]],
    "Capabilities added and dropped.",
);

static SE_LINUX: Object = Object::new(
    "SELinux options",
    &[&[text("user", "User."), text("role", "Role."), text("type", "Type."), text("level", "Level.")]],
    "SELinux labels.",
);

static PROFILE: Object = Object::new(
    "a profile",
    &[&[text("type", "Kind of profile.").required(), text("localhostProfile", "Profile on the node.")]],
    "A profile by kind and name.",
);

static WINDOWS: Object = Object::new(
    "Windows options",
    &[&[
        text("gmsaCredentialSpecName", "Name of the GMSA credential."),
        text("gmsaCredentialSpec", "The GMSA credential."),
        text("runAsUserName", "User name."),
        flag("hostProcess", "Run as a process of the host."),
    ]],
    "Windows settings.",
);

pub(super) static NAME_VALUE: Object =
    Object::new("a name and a value", &[&[text("name", "Name."), text("value", "Value.")]], "A name and a value.");

pub(super) static NAME_VALUE_REQUIRED: Object = Object::new(
    "a name and a value",
    &[&[text("name", "Name.").required(), text("value", "Value.").required()]],
    "A name and a value.",
);

pub(super) static VOLUME_MOUNT: Object = Object::new(
    "a volume mount",
    &[&[
        text("name", "Volume of the pod.").required(),
        text("mountPath", "Where it goes; a relative one joins the working directory.").required(),
        text("subPath", "Only this path of the volume."),
        text("subPathExpr", "As `subPath`, with `$(VARIABLES)`."),
        flag("readOnly", "Mount it read-only."),
        text("recursiveReadOnly", "Whether mounts below are read-only too."),
        text("mountPropagation", "Whether mounts are seen by the host."),
    ]],
    "A volume of the pod at a path.",
);

pub(super) static PROBE: Object = Object::new(
    "a probe",
    &[&[
        object("exec", &PROBE_EXEC, "Ready when a command ends well."),
        object("httpGet", &PROBE_HTTP, "Ready when a GET answers below 400."),
        object("tcpSocket", &PROBE_TCP, "Ready when a port accepts."),
        object("grpc", &PROBE_GRPC, "Ready when the gRPC health service says so."),
        field("initialDelaySeconds", Shape::Int32, "Before the first try."),
        field("periodSeconds", Shape::Int32, "Between tries; 10 by default."),
        field("timeoutSeconds", Shape::Int32, "For one try; 1 by default."),
        field("successThreshold", Shape::Int32, "Successes in a row until ready; 1 by default."),
        field("failureThreshold", Shape::Int32, "Failures in a row until not ready; 3 by default."),
        field("terminationGracePeriodSeconds", Shape::Int64, "Grace when it fails for good."),
    ]],
    "How readiness is found out.",
);

static PROBE_EXEC: Object =
    Object::new("an exec probe", &[&[texts("command", "The command.")]], "Ready when a command ends well.");

static PROBE_HTTP: Object = Object::new(
    "an HTTP probe",
    &[&[
        text("path", "Path of the URL."),
        field("port", Shape::IntOrText, "Port, by number or name.").required(),
        text("host", "Host; the instance itself by default."),
        text("scheme", "`HTTP` or `HTTPS`."),
        field("httpHeaders", Shape::List(&Shape::Object(&NAME_VALUE_REQUIRED)), "Headers."),
    ]],
    "Ready when a GET answers below 400.",
);

static PROBE_TCP: Object = Object::new(
    "a TCP probe",
    &[&[
        field("port", Shape::IntOrText, "Port, by number or name.").required(),
        text("host", "Host; the instance itself by default."),
    ]],
    "Ready when a port accepts.",
);

static PROBE_GRPC: Object = Object::new(
    "a gRPC probe",
    &[&[field("port", Shape::Int32, "Port.").required(), text("service", "Service to ask about.")]],
    "Ready when the gRPC health service says so.",
);

pub(super) static LABEL_SELECTOR: Object = Object::new(
    "a label selector",
    &[&[
        field("matchLabels", Shape::Map(&Shape::Text), "Labels with their values."),
        field("matchExpressions", Shape::List(&Shape::Object(&MATCH_EXPRESSION)), "Conditions on labels."),
    ]],
    "Objects by their labels.",
);

static MATCH_EXPRESSION: Object = Object::new(
    "a match expression",
    &[&[
        text("key", "Label.").required(),
        text("operator", "`In`, `NotIn`, `Exists` or `DoesNotExist`.").required(),
        texts("values", "Values for `In` and `NotIn`."),
    ]],
    "A condition on a label.",
);

pub(super) static NAME: Object = Object::new("a name", &[&[text("name", "Name.")]], "An object by name.");

pub(super) static TOLERATION: Object = Object::new(
    "a toleration",
    &[&[
        text("key", "Taint."),
        text("operator", "`Exists` or `Equal`."),
        text("value", "Value of the taint."),
        text("effect", "Effect that is tolerated."),
        field("tolerationSeconds", Shape::Int64, "How long it is tolerated."),
    ]],
    "A taint that is tolerated.",
);

pub(super) static HOST_ALIAS: Object = Object::new(
    "a host alias",
    &[&[text("ip", "Address.").required(), texts("hostnames", "Names for it.")]],
    "Names for an address.",
);

pub(super) static DNS_CONFIG: Object = Object::new(
    "DNS settings",
    &[&[
        texts("nameservers", "Servers to ask."),
        texts("searches", "Domains to search."),
        field("options", Shape::List(&Shape::Object(&NAME_VALUE)), "Resolver options."),
    ]],
    "DNS settings of the pod.",
);

pub(super) static SCHEDULING_GATE: Object =
    Object::new("a scheduling gate", &[&[text("name", "Name.").required()]], "What holds a pod back.");

pub(super) static RESOURCE_CLAIM: Object = Object::new(
    "a resource claim",
    &[&[
        text("name", "Name in the pod.").required(),
        text("resourceClaimName", "Claim by name."),
        text("resourceClaimTemplateName", "Claim made from a template."),
    ]],
    "A claim on a device.",
);
