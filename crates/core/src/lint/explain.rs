//! What each code means, for whoever wants to know more than a message has room for.

/// Code and explanation, by code.
const TEXTS: &[(&str, &str)] = &[
    (
        "after-without-condition",
        "`after` is no \"finally\": its steps come after `steps` in one flat list and have the ordinary condition `passed`.\nAfter a failure they are skipped like any other step. A step that cleans up says `condition: always`.",
    ),
    (
        "artifacts-without-paths",
        "`artifacts` needs at least one pattern in `paths`; without one there is nothing to keep, and the run would fail.",
    ),
    (
        "as-taken",
        "`as` on an entry of `execute.workflows` is the name by which later steps read what the execution published, with\n`execution(\"name\")` and `read_artifact(\"name\", \"path\")`. Each name is given once a workflow, and `parent` means the\nexecution that started this one.",
    ),
    (
        "bad-default",
        "The default of a parameter is cast by its `type` and checked against its `enum`, `pattern` and bounds before each run,\nalso when another value is given. This one would fail every run.",
    ),
    (
        "barrier",
        "`paused` inside `parallel` is a barrier: workers wait there until all have come. With a `parallelism` below the\nnumber of workers some cannot start before others end, which wait for them: nobody gets on.",
    ),
    (
        "boolean-word",
        "A boolean parameter is false for `false`, `0`, `off` and the empty text, and true for everything else: `no` and\n`FALSE` are true. That is how the reference reads them. Write `\"true\"` or `\"false\"`.",
    ),
    (
        "command-not-inherited",
        "A command belongs to an image. Where an inner level (a step's `container`, a `run`) names another image, the\n`command` and `args` from further out stop, and the image's own are used.",
    ),
    (
        "concurrency-replaced",
        "`concurrency` is merged as a whole: if the workflow has one, that of a template counts for nothing, fields included\nthat the workflow leaves unset. Repeat what should stay.",
    ),
    (
        "condition-not-inherited",
        "A condition on a step with nested steps is applied to each of its own operations. Nested steps keep theirs, and the\nordinary one is `passed`, which looks at the whole history: after an earlier failure they are skipped all the same.\nWith `condition: failed` outside they can never run.",
    ),
    (
        "config-value",
        "A config value could not be cast to the type of its parameter, or breaks its `enum`, `pattern` or bounds.",
    ),
    (
        "count-ignored",
        "With `maxCount`, the number of instances is the smaller of `maxCount` and the shortest shard list; `count` counts\nonly if it is greater than `maxCount`, which then is the fixed number of instances.",
    ),
    (
        "default-cycle",
        "Defaults may use other parameters, but not each other in a circle: no value could ever be found.",
    ),
    (
        "duplicate-key",
        "A key stands twice in one map. Readers disagree on which of the two counts, so neither does here.",
    ),
    (
        "duration",
        "A length of time is a sequence of numbers with units, such as `90s`, `1m30s` or `1.5h`. There is no unit for days.",
    ),
    (
        "empty-list",
        "A list of `matrix` or `shards` was computed and came out empty, so no test would run. `whenEmpty` says what that\nmeans: `fail` (the default), `skip`, or `run` as the reference does. An empty list that is written as `[]` is fine.",
    ),
    ("empty-value", "The field must hold some text."),
    (
        "entrypoint",
        "A step without `command` and `shell` runs what its image starts with. Where units are processes there are no images:\nthe command comes from a table of well-known images, from `--image-command IMAGE=COMMAND`, or from `command:`.",
    ),
    (
        "expansion",
        "The instances of a block could not be told: a list or a count is not known, no list, no number, or too large.",
    ),
    (
        "expression",
        "A template (text with `{{ }}`) or an expression (a field such as `condition`, which takes none) does not compile or\nhas no value. A literal `{{` is written `{{ \"{{\" }}`.",
    ),
    (
        "fetch-without-waiting",
        "`fetch` takes artifacts of an execution into the unit of the step that started it, when it has ended. A step with\n`async: true` does not wait for that.",
    ),
    (
        "instance",
        "A block of `parallel` or `services` has an instance that cannot be made. What is wrong is told of the first of them;\nit is known before the run because the block's lists are.",
    ),
    (
        "kubernetes-key",
        "Kubernetes tooling reads some keys otherwise: unquoted `on`, `yes`, `n` and the like become \"true\" and \"false\", and\na merge (`<<`) wins over a key that stands before it. Quote the key, or put the merge first.",
    ),
    ("literal-braces", "The value of this field is taken as it is, also when it holds `{{ }}`."),
    (
        "max-count-without-shards",
        "`maxCount` is lowered to the length of the shortest shard list. Without one it is simply the number of instances,\nwhich `count` says better.",
    ),
    ("missing-field", "The field must be there."),
    (
        "mixed-logic",
        "`&&` and `||` have the same rank and are read from left to right: `a || b && c` is `(a || b) && c`.",
    ),
    ("no-effect", "The field is accepted for the sake of older files and does nothing."),
    ("nothing-to-execute", "`execute` needs `workflows`, and each entry a `name` or a `selector`."),
    ("nothing-to-run", "The workflow has no steps and uses no template that could bring some."),
    (
        "object-name",
        "Names of objects hold lower-case letters, digits, `-` and `.`, start and end with a letter or digit, and have at most\n253 characters. Here the name does no harm; a cluster refuses the object.",
    ),
    (
        "only-legacy-tests",
        "`execute.tests` names tests of an older kind that no longer exist. The step does nothing and passes.",
    ),
    ("out-of-range", "The number is outside of what the field takes."),
    (
        "portability",
        "The field is testudo's own. Other runners of this file refuse it, or ignore it. `lint --strict-testkube` makes it an\nerror; annotations under `testudo.dev/` are always portable.",
    ),
    ("probe-port", "The port of a readiness probe is a number between 1 and 65535; names of ports mean nothing here."),
    (
        "retry-without-effect",
        "`retry` is handed to single operations (`run`, `shell`, `execute`, `artifacts`, content). Groups of steps and\n`parallel` are not repeated: write it on the nested steps, or inside the block for each worker's first step.",
    ),
    (
        "schedule",
        "A schedule is five fields (minute, hour, day of the month, month, day of the week), a word such as `@daily`, or\n`@every` with a length of time. The time zone is an IANA name.",
    ),
    (
        "secret-in-args",
        "Arguments of a process can be read by everyone on the machine, and are shown in lists of pods. An environment\nvariable is the better way to hand over a secret.",
    ),
    (
        "service-template",
        "A template used for a service may bring container settings, content, pod settings and claims, but neither steps nor\nservices: a service runs one command.",
    ),
    (
        "shell-and-command",
        "`shell` is a command of its own (a script in the tool's shell), so `command` and `args` beside it contradict it.",
    ),
    (
        "short-secret",
        "Secrets are replaced in logs. One or two bytes would be found everywhere, so such a value is not replaced at all.",
    ),
    (
        "step-id",
        "An id is made of lower-case letters, digits and `_`, and is given once in a workflow. Each `parallel` block has ids\nof its own.",
    ),
    (
        "tarball-mount",
        "With `mount: false` the path must lie in a volume that exists anyway (such as `/data`), since the download happens in\nanother container than the step that needs it.",
    ),
    ("template-in-template", "Templates cannot include templates. Include both where this one is used."),
    (
        "template-without-steps",
        "A step's `template` runs the steps of a template. One with only container settings has none: `use` merges it in.",
    ),
    (
        "too-large",
        "The file asks for more than any real one does: too many values, too many repeated by aliases, nested too deeply.",
    ),
    (
        "undeclared-config",
        "A value was given for a parameter that the workflow does not declare. It can be used as `config.<name>`, but looks\nlike a typing mistake.",
    ),
    ("unknown-field", "The object has no such field. Other tools drop unknown fields silently, mostly where it hurts."),
    ("unknown-function", "There is no function of that name."),
    ("unknown-kind", "The kind or its `apiVersion` is not one of those that are read here."),
    (
        "unknown-step",
        "`step.<id>` refers to a step by its `id`, or by its name in lower case with `_` for everything that is no letter or\ndigit. The workflow has none of that id.",
    ),
    (
        "unknown-template",
        "No template of that name was given. `official/k6/v1` and `official--k6--v1` are the same name.",
    ),
    ("unknown-value", "The field takes only certain words."),
    (
        "unknown-workflow",
        "`execute` names a workflow that none of the given files has. It may exist elsewhere, for instance on a server.",
    ),
    (
        "unreachable-name",
        "In an expression a name ends at a `-` (it is a minus) and at most other characters, so `config.report-dir` means\n`config.report - dir`. Use letters, digits and `_`.",
    ),
    ("wrong-format", "The text is not of the form that the field takes."),
    (
        "wrong-type",
        "The value has another type than the field takes. Unquoted `5`, `true`, `yes` and the like are numbers and booleans;\nwhere text is expected they must be quoted.",
    ),
    ("yaml", "The file is not well-formed YAML, or would surely not be read as it was meant."),
];

/// The explanation of a code.
pub fn explain(code: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

/// All codes.
pub fn codes() -> impl Iterator<Item = &'static str> {
    TEXTS.iter().map(|(code, _)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_in_kebab_case() {
        assert!(TEXTS.is_sorted_by_key(|(code, _)| *code));
        assert!(codes().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }
}
