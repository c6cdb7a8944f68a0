//! Container settings, `run`, and environment variables.

use super::kubernetes::{SECURITY_CONTEXT, VOLUME_MOUNT};
use super::{Field, Object, Shape, field, flag, object, text, texts};

pub static CONTAINER: Object =
    Object::new("a container", &[CONTAINER_FIELDS], "Defaults for commands: image, environment, limits.");

pub static RUN: Object = Object::new("`run`", &[CONTAINER_FIELDS, SHELL], "One command in a container.");

pub(super) static SHELL: &[Field] =
    &[text("shell", "Script for the tool's shell; excludes `command` and `args` beside it.").template()];

pub(super) static CONTAINER_FIELDS: &[Field] = &[
    text("image", "Image to run in; unset: the one from further out, at last the built-in tool image.").template(),
    text("imagePullPolicy", "`Always`, `IfNotPresent` (default) or `Never`.").template(),
    text("workingDir", "Where commands start; a relative one joins the outer one.").template(),
    field("env", Shape::List(&Shape::Object(&ENV_VAR)), "Environment variables; the last of a name wins.").forced(),
    field("envFrom", Shape::List(&Shape::Object(&ENV_FROM)), "Environment from whole secrets and config maps.")
        .forced(),
    texts("command", "Entry point; `[]` means the image's own.").template(),
    texts("args", "Arguments of the command.").template(),
    object("resources", &RESOURCES, "What the container asks for and may use at most."),
    object("securityContext", &SECURITY_CONTEXT, "User, rights and profiles of the container."),
    field("volumeMounts", Shape::List(&Shape::Object(&VOLUME_MOUNT)), "Volumes of the pod, by path.").forced(),
];

pub static ENV_VAR: Object = Object::new(
    "an environment variable",
    &[&[
        text("name", "Name of the variable.").required(),
        text("value", "Value; may use other variables as `{{ env.NAME }}`."),
        object("valueFrom", &VALUE_SOURCE, "Where the value comes from instead."),
        flag("global", "Also set it in services that start later."),
    ]],
    "A name and a value, or where the value comes from.",
);

static ENV_FROM: Object = Object::new(
    "an `envFrom` entry",
    &[&[
        text("prefix", "Put in front of every name."),
        object("configMapRef", &OBJECT_REF, "All entries of a config map."),
        object("secretRef", &OBJECT_REF, "All entries of a secret."),
    ]],
    "All entries of a secret or config map as variables.",
);

static OBJECT_REF: Object = Object::new(
    "a reference",
    &[&[text("name", "Name of the object."), flag("optional", "Missing is no error.")]],
    "A secret or config map by name.",
);

static KEY_REF: Object = Object::new(
    "a key reference",
    &[&[
        text("name", "Name of the object."),
        text("key", "Key in it.").required(),
        flag("optional", "Missing is no error."),
    ]],
    "One entry of a secret or config map.",
);

pub static VALUE_SOURCE: Object = Object::new(
    "a value source",
    &[&[
        object("configMapKeyRef", &KEY_REF, "An entry of a config map."),
        object("secretKeyRef", &KEY_REF, "An entry of a secret."),
        object("fieldRef", &FIELD_REF, "A field of the pod."),
        object("resourceFieldRef", &RESOURCE_FIELD_REF, "A limit or request of a container."),
        object("fileKeyRef", &FILE_KEY_REF, "An entry of a file in a volume."),
    ]],
    "Exactly one place a value is taken from.",
);

static FIELD_REF: Object = Object::new(
    "a field reference",
    &[&[
        text("apiVersion", "Version of the schema the path is written for."),
        text("fieldPath", "Path in the pod.").required(),
    ]],
    "A field of the pod.",
);

static RESOURCE_FIELD_REF: Object = Object::new(
    "a resource reference",
    &[&[
        text("containerName", "Container, by name."),
        text("resource", "Which resource.").required(),
        field("divisor", Shape::IntOrText, "Unit of the result.")
            .pattern(super::kubernetes::QUANTITY, "a quantity like `500m` or `1Gi`"),
    ]],
    "A limit or request of a container.",
);

static FILE_KEY_REF: Object = Object::new(
    "a file reference",
    &[&[
        text("volumeName", "Volume with the file.").required(),
        text("path", "File in the volume.").required(),
        text("key", "Key in the file.").required(),
        flag("optional", "Missing is no error."),
    ]],
    "An entry of a file in a volume.",
);

pub(super) static RESOURCES: Object = Object::new(
    "resources",
    &[&[
        field("requests", Shape::Map(&Shape::IntOrText), "What is set aside, e.g. `cpu: 500m`.").template().keys(),
        field("limits", Shape::Map(&Shape::IntOrText), "What may be used at most.").template().keys(),
    ]],
    "Requests and limits by resource name.",
);
