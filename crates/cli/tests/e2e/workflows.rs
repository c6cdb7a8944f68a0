//! The real binary carries out the workflows of `tests/workflows`.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::harness::{Place, files, until};

/// What is carried out here and on a cluster, and what only here and why.
macro_rules! carried_out {
    (everywhere { $($both:ident,)+ } only_here { $($here:ident: $reason:literal,)+ }) => {
        mod here {
            use super::Place;
            $(#[test] fn $both() { super::$both(&Place::new()); })+
            $(#[doc = $reason] #[test] fn $here() { super::$here(&Place::new()); })+
        }
        mod on_a_cluster {
            use super::Place;
            $(
                #[test]
                #[ignore = "needs a cluster"]
                fn $both() {
                    let place = Place::on_cluster();
                    super::$both(&place);
                    place.cluster().is_soon_empty();
                }
            )+
        }
    };
}

carried_out! {
    everywhere {
        a_repository_is_cloned_at_a_commit_and_sparsely,
        a_service_that_is_ready_late_is_waited_for_by_each_probe,
        a_service_that_crashes_during_the_tests_fails_the_step,
        a_service_that_is_never_ready_has_one_limit_however_often_it_is_started,
        the_innermost_block_binds_the_names_of_a_matrix,
        shards_are_found_in_cloned_content_and_results_come_back,
        a_secret_shows_nowhere,
        a_paused_step_is_resumed_from_elsewhere_and_its_clock_stood_still,
        each_child_of_a_matrix_runs_and_one_failure_fails_the_step,
        executions_of_a_family_share_values_and_files,
        what_a_family_does_not_have_is_told_with_what_there_is,
        an_execution_reads_nothing_outside_of_its_family,
        a_template_is_poured_in_three_ways,
        a_step_takes_its_daemons_with_it,
        two_hundred_megabytes_arrive_without_a_changed_byte,
        bytes_that_are_no_text_are_kept_as_they_came,
        a_secret_travels_to_workers_and_children_and_still_shows_nowhere,
        a_value_that_a_program_prints_is_read_by_a_later_step,
    }
    only_here {
        the_command_that_is_said_after_a_failure_runs_it_again: "its mark is a file of this machine",
        an_image_without_a_known_command_is_refused_before_anything_runs: "no registry has its image; an image's own command is known to a cluster",
    }
}

fn a_repository_is_cloned_at_a_commit_and_sparsely(place: &Place) {
    let (uri, commit) = place.repository();
    let ended = place.run("git-sparse-commit", &["-c", &format!("uri={uri}"), "-c", &format!("commit={commit}")]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let logs = place.logs(&[]);
    assert!(logs.contains("content: one"), "{logs}");
    assert!(logs.contains(&commit), "{logs}");
}

fn a_service_that_is_ready_late_is_waited_for_by_each_probe(place: &Place) {
    let ended = place.run("late-service", &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(place.logs(&[]).contains("all three answer: 1"));
}

fn a_service_that_crashes_during_the_tests_fails_the_step(place: &Place) {
    let ended = place.run("crashing-service", &[]);
    assert_eq!(ended.code, Some(1));
    let logs = place.logs(&[]);
    assert!(logs.contains("tests are fine") && logs.contains("unhealthy services detected: flaky/0"), "{logs}");
}

fn a_service_that_is_never_ready_has_one_limit_however_often_it_is_started(place: &Place) {
    let begun = Instant::now();
    let ended = place.run("never-ready", &[]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    // Two starts lie within it; without a limit the third would wait for ever.
    assert!(begun.elapsed() < Duration::from_secs(30));
    let logs = place.logs(&[]) + &place.logs(&["--worker", "with_service-services/slow/0"]);
    assert!(logs.contains("timed out: 2.5s elapsed") && !logs.contains("tests ran"), "{logs}");
}

fn the_innermost_block_binds_the_names_of_a_matrix(place: &Place) {
    let ended = place.run("nested-parallel", &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let seen: Vec<String> = place
        .artifacts("nested-parallel-1")
        .into_iter()
        .filter(|name| name.ends_with("seen.txt"))
        .map(|name| {
            let text = fs::read_to_string(place.path().join("artifacts/nested-parallel-1").join(&name)).unwrap();
            format!("{name}: {}", text.trim())
        })
        .collect();
    assert_eq!(
        seen,
        [
            "outer/1/inner/1/data/out/seen.txt: 0 chrome",
            "outer/1/inner/2/data/out/seen.txt: 1 firefox",
            "outer/2/inner/1/data/out/seen.txt: 0 chrome",
            "outer/2/inner/2/data/out/seen.txt: 1 firefox",
        ]
    );
}

fn shards_are_found_in_cloned_content_and_results_come_back(place: &Place) {
    let (uri, _) = place.repository();
    let ended = place.run("dynamic-shards", &["-c", &format!("uri={uri}")]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let merged = place.logs(&["--step", "merge"]);
    let expected = "/data/repo/wanted/four.txt: four\n/data/repo/wanted/one.txt: changed\n\
                    /data/repo/wanted/three.txt: three\n/data/repo/wanted/two.txt: two\n";
    assert_eq!(merged, expected);
}

fn a_secret_shows_nowhere(place: &Place) {
    const SECRET: &str = "sup3r-s3cr3t-t0ken";
    let ended = place.run("masked-secret", &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let logs = place.logs(&[]);
    assert!(logs.contains("the token is ****.\n****\n"), "{logs}");
    assert!(logs.contains("data/out/****/junit.xml"), "{logs}");
    let report = place.ok(&["report", "--format", "json"]).stdout;
    assert!(report.contains("knows ****"), "{report}");
    for text in [&ended.stdout, &ended.stderr, &logs, &report] {
        assert!(!text.contains(SECRET), "{text}");
    }
    for file in files(&place.path().join("state")) {
        let bytes = fs::read(&file).unwrap_or_default();
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{}", file.display());
    }
}

fn a_paused_step_is_resumed_from_elsewhere_and_its_clock_stood_still(place: &Place) {
    let file = crate::harness::fixture("paused");
    let child = place.start(&["run", file.to_str().unwrap()]);
    until("the run is paused", || place.end(&["ls", "-o", "json"]).stdout.contains("\"status\":\"paused\""));
    // Longer than the step's own timeout of two seconds.
    std::thread::park_timeout(std::time::Duration::from_millis(2500));
    place.ok(&["resume"]);
    let ended: crate::harness::Ended = child.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(place.logs(&[]).contains("resumed"));
}

fn each_child_of_a_matrix_runs_and_one_failure_fails_the_step(place: &Place) {
    let ended = place.run("execute-matrix", &[]);
    assert_eq!(ended.code, Some(1));
    let logs = place.logs(&["execute-matrix-1"]);
    for line in ["child: 3 executions requested", "• passed", "• failed", ": for bob", "the parent goes on"] {
        assert!(logs.contains(line), "{line}: {logs}");
    }
    let listed = place.ok(&["ls", "child"]).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");
}

fn executions_of_a_family_share_values_and_files(place: &Place) {
    let ended = place.run("family", &[]);
    let logs = place.logs(&["family-1"]);
    assert_eq!(ended.code, Some(0), "{}{}{logs}", ended.stdout, ended.stderr);
    for line in [
        "status passed version 1.2.3",
        "report all good",
        "all good\nmore\n",
        "2 files unpacked to /data/fetched",
        "warning: no artifacts were found for /data/nothing",
        "the verdict is read",
    ] {
        assert!(logs.contains(line), "{line}: {logs}");
    }
    let child = place.logs(&["builder-1"]);
    assert!(child.contains("color blue of family-1"), "{child}");
    assert!(child.contains("/data/sources/docs/two.txt\n/data/sources/one.txt\n"), "{child}");
    assert!(!child.contains("secret.bin"), "{child}");
}

fn what_a_family_does_not_have_is_told_with_what_there_is(place: &Place) {
    let head = |name: &str| {
        format!("apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata: {{name: {name}}}\nspec:\n")
    };
    let child = "  steps:\n  - shell: mkdir -p /data/o; echo x > /data/o/x.txt; head -c 1100000 /dev/zero > /data/o/big\n  \
                 - artifacts: {paths: [/data/o/*]}\n";
    let read = |name: &str, expression: &str| {
        let step = "  steps:\n  - execute: {workflows: [{name: child, as: child, count: 1}]}\n";
        let text =
            format!("{}{step}  - shell: echo '{{{{ {expression} }}}}'\n---\n{}{child}", head(name), head("child"));
        let file = place.write(&format!("{name}/all.yaml"), &text);
        let ended = place.end(&["run", file.to_str().unwrap()]);
        assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
        place.logs(&[&format!("{name}-1")])
    };
    let logs = read("absent", r#"read_artifact("child", "y.txt")"#);
    assert!(logs.contains("child-1 has no artifact y.txt; it has data/o/big, data/o/x.txt"), "{logs}");
    let logs = read("long", r#"read_artifact("child", "data/o/big")"#);
    assert!(logs.contains("it is longer than 1 MiB"), "{logs}");
    let logs = read("stranger", r#"read_artifact("other", "x")"#);
    assert!(logs.contains("no execution is called \"other\" here; there are child"), "{logs}");
    let logs = read("orphan", r#"execution("parent").name"#);
    assert!(logs.contains("no execution has started this one"), "{logs}");
}

fn an_execution_reads_nothing_outside_of_its_family(place: &Place) {
    place.run("family", &[]);
    let listed = place.ok(&["ls", "family", "-o", "json"]).stdout;
    let id = listed.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let text = format!(
        "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata: {{name: thief}}\nspec:\n  steps:\n  \
         - shell: echo '{{{{ read_artifact(\"{id}\", \"data/out/report.txt\") }}}}'\n"
    );
    let file = place.write("thief/thief.yaml", &text);
    assert_eq!(place.end(&["run", file.to_str().unwrap()]).code, Some(1));
    let logs = place.logs(&["thief-1"]);
    assert!(logs.contains("is neither ancestor nor descendant nor sibling of thief-1"), "{logs}");
}

fn the_command_that_is_said_after_a_failure_runs_it_again(place: &Place) {
    let text = "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata: {name: choosy}\nspec:\n  config:\n    \
                words: {type: string}\n    pin: {type: string, sensitive: true}\n  steps:\n  - shell: |\n      \
                test '{{ config.words }}' = 'two words' && test '{{ config.pin }}' = 4711-0815 && test -e \"$MARK\"\n";
    let file = place.write("choosy.yaml", text);
    let mark = place.path().join("mark");
    let env = format!("MARK={}", mark.display());
    let given = ["-c", "words=two words", "-cpin=4711-0815", "--env", &env];
    let args: Vec<&str> = ["run", file.to_str().unwrap()].into_iter().chain(given).collect();
    let ended = place.end(&args);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let again =
        ended.stdout.lines().find_map(|line| line.trim_start().strip_prefix("again")).unwrap().trim().to_owned();
    assert!(!again.contains("4711"), "{again}");
    fs::write(&mark, "").unwrap();
    let shell = |pin: Option<&str>| {
        let mut shell = std::process::Command::new("sh");
        let script = again.replacen("testudo", crate::harness::binary().to_str().unwrap(), 1);
        shell.arg("-c").arg(script).current_dir(place.path()).env("TESTUDO_STATE", place.path().join("state"));
        shell.env_remove("PIN").envs(pin.map(|pin| ("PIN", pin)));
        crate::harness::Ended::from(shell.output().unwrap())
    };
    let without = shell(None);
    assert!(without.code != Some(0) && without.stderr.contains("PIN"), "{}", without.stderr);
    let with = shell(Some("4711-0815"));
    assert_eq!(with.code, Some(0), "{}{}", with.stdout, with.stderr);
}

fn an_image_without_a_known_command_is_refused_before_anything_runs(place: &Place) {
    let ended = place.run("entrypoint", &[]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("entrypoint.yaml:9:7") && ended.stderr.contains("command:"), "{}", ended.stderr);
    assert_eq!(place.ok(&["ls"]).stdout, "");
    let given = place.run("entrypoint", &["--image-command", "example.org/own/tool:1=echo given"]);
    assert_eq!(given.code, Some(0), "{}", given.stderr);
    assert!(place.logs(&[]).contains("given --flag"));
}

fn a_template_is_poured_in_three_ways(place: &Place) {
    let ended = place.run("templates", &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let expected = "template says spec and spec\ntemplate says template and template\nown use\n\
                    template says use and use\n";
    assert_eq!(place.logs(&[]), expected);
}

fn a_step_takes_its_daemons_with_it(place: &Place) {
    let ended = place.run("daemons", &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

fn two_hundred_megabytes_arrive_without_a_changed_byte(place: &Place) {
    use std::io::Read;
    let ended = place.run("much-output", &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let digest = fs::read_to_string(place.path().join("artifacts/much-output-1/write/1/data/out/digest.txt")).unwrap();
    let mut logs =
        place.testudo(&["logs", "--worker", "write/0"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut text = Vec::new();
    logs.stdout.take().unwrap().read_to_end(&mut text).unwrap();
    assert!(logs.wait().unwrap().success());
    text.truncate(200 << 20);
    let found = testudo_core::frame::hex(&<sha2::Sha256 as sha2::Digest>::digest(&text));
    assert_eq!(found, digest);
}

fn bytes_that_are_no_text_are_kept_as_they_came(place: &Place) {
    assert_eq!(place.run("bytes", &[]).code, Some(0));
    let output = place.testudo(&["logs"]).output().unwrap().stdout;
    assert_eq!(output, b"latin \xe9\xe4 nul \0 carriage\rreturn \xff\xfe end\nno final line feed\nnext\n");
}

fn a_secret_travels_to_workers_and_children_and_still_shows_nowhere(place: &Place) {
    const SECRET: &str = "sup3r-s3cr3t-t0ken";
    let ended = place.run("secret-travels", &[]);
    let all = format!("{}{}{}", ended.stdout, ended.stderr, place.logs(&["secret-travels-1"]));
    assert_eq!(ended.code, Some(0), "{all}");
    assert!(place.logs(&["secret-child-1"]).contains("child has ****"));
    assert!(!all.contains(SECRET), "{all}");
    for file in files(&place.path().join("state")) {
        let bytes = fs::read(&file).unwrap_or_default();
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{}", file.display());
    }
}

fn a_value_that_a_program_prints_is_read_by_a_later_step(place: &Place) {
    let ended = place.run("printed-value", &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let logs = place.logs(&[]);
    // A hint about a step's state is nobody's but the agent's: it stays text.
    assert_eq!(logs, "before\nafter\n\u{1}\u{5}\u{6}prints\u{3}end\u{4}\"passed\"\u{3}\n3 by ada\n");
}

#[test]
fn the_examples_of_the_manual_on_matrix_and_sharding_are_planned_and_shown() {
    let corpus = crate::harness::fixture("x").with_file_name("../corpus/docs");
    for (name, code, parts) in [
        (
            "matrix-and-sharding__example-matrix-test-suite",
            0,
            &["2 executions, all at once", "https://docs.testkube.io"][..],
        ),
        ("matrix-and-sharding__example-sharded-playwright", 0, &["2 instances = 2 shards", "1/2", "--shard 1/2"][..]),
        ("matrix-and-sharding__example-matrix-services", 2, &["selenium/standalone-chrome", "command:"][..]),
        ("parallel__example-parallel-fail-fast", 0, &["4 instances = 4 shards", "end with the first failure"][..]),
        ("parallel__example-parallel-with-static-files-2", 0, &["k6 run /k6.js --iterations 100", "paused before"][..]),
        (
            "parallel__example-sharded-playwright-test-with-artifacts-fetch",
            0,
            &["hands back /data/out", "(always)"][..],
        ),
        ("parallel__example-sharded-playwright-test-with-artifacts", 0, &["Upload artifacts", "keeps **/*"][..]),
        ("parallel__example-distributed-k6", 2, &["template \"distribute/evenly\" not found", ":25:19"][..]),
    ] {
        let place = Place::new();
        let file = corpus.join(format!("articles.test-workflows-{name}.yaml"));
        let ended = place.end(&["plan", file.to_str().unwrap()]);
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(code), "{name}\n{all}");
        for part in parts {
            assert!(all.contains(part), "{part:?} is not in the plan of {name}\n{all}");
        }
    }
}
