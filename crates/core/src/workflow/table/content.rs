//! What a run finds on disk: a repository, files, tarballs.

use super::container::VALUE_SOURCE;
use super::{Object, Shape, field, flag, object, text, texts};

pub static CONTENT: Object = Object::new(
    "`content`",
    &[&[
        object("git", &GIT, "One repository."),
        field("files", Shape::List(&Shape::Object(&FILE)), "Files with given text."),
        field("tarball", Shape::List(&Shape::Object(&TARBALL)), "Archives to download and unpack."),
    ]],
    "Files, a repository and archives for the steps.",
);

static GIT: Object = Object::new(
    "`git`",
    &[&[
        text("uri", "Repository: http(s), ssh, scp-like or `file://`.").template(),
        text("revision", "Branch, tag or commit; the default branch otherwise.").template(),
        text("username", "User name.").template(),
        object("usernameFrom", &VALUE_SOURCE, "User name from elsewhere; wins over `username`.").forced(),
        text("token", "Token or password.").template(),
        object("tokenFrom", &VALUE_SOURCE, "Token from elsewhere; wins over `token`.").forced(),
        text("sshKey", "Private key.").template(),
        object("sshKeyFrom", &VALUE_SOURCE, "Private key from elsewhere; wins over `sshKey`.").forced(),
        text("authType", "How the token is sent.").template().one_of(&["basic", "header", "github"]),
        text("mountPath", "Where it goes; `/data/repo` by default.").template(),
        flag("cone", "Sparse checkout in cone mode."),
        texts("paths", "Only these paths (sparse checkout).").template(),
        text("verbosity", "How much the clone says.").template().one_of(&["quiet", "normal", "verbose"]),
        object("retry", &GIT_RETRY, "Attempts inside the clone."),
    ]],
    "A repository to clone.",
);

static GIT_RETRY: Object = Object::new(
    "`git.retry`",
    &[&[
        field("count", Shape::Int32, "Attempts for transient failures; 5 by default.").range(1, 20),
        text("delay", "Base of a pause that grows, at most 30s; `100ms` by default.").template(),
    ]],
    "Attempts for transient failures.",
);

static FILE: Object = Object::new(
    "a file",
    &[&[
        text("path", "Absolute, or relative to the working directory.").template().required().not_empty(),
        text("content", "Text of the file; a template, so `{{` must be written `{{ \"{{\" }}`.").template(),
        object("contentFrom", &VALUE_SOURCE, "Text from elsewhere; wins over `content`.").forced(),
        field("mode", Shape::Int32, "Permission bits, decimal unless written octal."),
    ]],
    "A file with given text.",
);

pub static TARBALL: Object = Object::new(
    "a tarball",
    &[&[
        text("url", "Where to download it from.").template().required(),
        text("path", "Where to unpack it.").template().required(),
        flag("mount", "Whether a volume is mounted there; unset: if the path lies in none."),
    ]],
    "An archive to download and unpack.",
);
