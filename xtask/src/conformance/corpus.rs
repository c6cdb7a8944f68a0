//! Real documents: each gets the verdict of the decode and shape layers that its index has. Fragments, which have
//! none, are put into the smallest document that can hold them and must be sound in their texts too.

use std::fs;

use testudo_core::source::{Diagnostic, SourceFile, Sources};
use testudo_core::workflow::{Layer, Reading, load};

use super::{Case, Verdict};

/// The one fragment with a mistake in it, and the text the finding must point at.
const BROKEN: (&str, &str) = ("matrix-and-sharding-09-steps.yaml", "\",)}}");

pub(crate) fn check(case: &Case<'_>) -> Verdict {
    let name = case.json["file"].as_str().ok_or("  bad case: no file")?;
    let path = case.file.with_file_name(name);
    let text = fs::read_to_string(&path).map_err(|error| format!("  cannot read {}: {error}", path.display()))?;
    match case.json["fragment"].as_str() {
        Some(kind) => fragment(name, kind, &text),
        None => verdict(name, text, case.json["valid"] == true && case.json["deep_valid"] == true),
    }
}

fn verdict(name: &str, text: String, wanted: bool) -> Verdict {
    let sources = Sources::new([SourceFile::new(name, text)]);
    let (_, found) = load(&sources, Reading { upto: Layer::Shape, lenient: false });
    if found.iter().any(Diagnostic::is_error) != wanted {
        return Ok(());
    }
    Err(format!("  wanted {}\n{}", if wanted { "valid" } else { "invalid" }, listed(&found)))
}

fn fragment(name: &str, kind: &str, text: &str) -> Verdict {
    let (around, indent) = match kind {
        "spec" => ("", 2),
        "list of steps" => ("  steps:\n", 2),
        "member of a step" => ("  steps:\n  - name: fragment\n", 4),
        "strategy members" => ("  steps:\n  - parallel:\n", 6),
        other => return Err(format!("  bad case: unknown fragment {other}")),
    };
    let mut whole = String::from(
        "apiVersion: testworkflows.testkube.io/v1\nkind: TestWorkflow\nmetadata:\n  name: fragment\nspec:\n",
    );
    whole.push_str(around);
    for line in text.lines() {
        whole.push_str(&" ".repeat(indent));
        whole.push_str(line);
        whole.push('\n');
    }
    let sources = Sources::new([SourceFile::new(name, whole.as_str())]);
    let (_, found) = load(&sources, Reading { upto: Layer::Text, lenient: false });
    let errors: Vec<&Diagnostic> = found.iter().filter(|found| found.is_error()).collect();
    let fits = match errors.as_slice() {
        [] => name != BROKEN.0,
        [one] => name == BROKEN.0 && one.at.is_some_and(|at| whole[at.start as usize..].starts_with(BROKEN.1)),
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("  {} errors\n{}", errors.len(), listed(&found))) }
}

fn listed(found: &[Diagnostic]) -> String {
    found.iter().map(|found| format!("  {found}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use testudo_core::expr::{Expr, ExprError, Scope};
    use testudo_core::lint::{LintOptions, lint};
    use testudo_core::plan::{self, Context, Place, Plan, Platform};
    use testudo_core::resolve::{Given, Identity, Phase, Request, resolve};
    use testudo_core::run::Work;
    use testudo_core::source::{Node, Scalars, parse_first};
    use testudo_core::workflow::{Document, DocumentKind};

    use super::*;

    fn corpus() -> Sources {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
        let folders = ["docs", "testkube"].map(|folder| root.join(folder));
        let mut paths: Vec<_> = folders
            .iter()
            .flat_map(|folder| fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        let yaml = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        Sources::new(yaml.map(|path| SourceFile::new(path.to_string_lossy(), fs::read_to_string(path).unwrap())))
    }

    /// Templates that are not in the corpus are taken for empty ones.
    fn with_stand_ins(templates: &[Document], failure: &testudo_core::resolve::Failure) -> Vec<Document> {
        let names = failure.diagnostics.iter().filter_map(|found| found.message.split('"').nth(1));
        let stand_ins =
            names.map(|name| Document::new(DocumentKind::Template, name.replace('/', "--"), Node::map::<String>([])));
        templates.iter().cloned().chain(stand_ins).collect()
    }

    #[test]
    fn every_sound_workflow_resolves_and_stays_what_it_became() {
        let (documents, _) = load(&corpus(), Reading::default());
        let given = Given::default();
        let mut resolved_count = 0;
        for document in &documents.workflows {
            let mut templates = documents.templates.clone();
            let mut outcome = resolve(Request::new(document, &templates, &given));
            if let Err(failure) = &outcome
                && failure.phase == Phase::Fetch
            {
                templates = with_stand_ins(&templates, failure);
                outcome = resolve(Request::new(document, &templates, &given));
            }
            match outcome {
                Ok(resolved) => {
                    resolved_count += 1;
                    let again = Document::new(DocumentKind::Workflow, &*document.name, resolved.spec.clone());
                    let request = Request { resolved_before: true, ..Request::new(&again, &[], &given) };
                    assert_eq!(resolve(request).unwrap().spec, resolved.spec, "{}", document.file);
                }
                // A parameter without a value, or a template that cannot do without one.
                Err(failure) => assert!(
                    failure.diagnostics.iter().all(|found| found.message.contains("unknown variable")),
                    "{} {failure:#?}",
                    document.file
                ),
            }
        }
        assert!(resolved_count > 200, "{resolved_count}");
    }

    fn planned(spec: &Node, place: Place) -> Result<Plan, Vec<Diagnostic>> {
        let execution = plan::Identity { id: "e1".to_owned(), ..plan::Identity::default() };
        let platform = Platform { place, ..Platform::default() };
        plan::build(spec, &Context { execution, platform, ..Context::default() })
    }

    #[test]
    fn what_can_be_planned_for_processes_can_be_planned_for_a_cluster() {
        let (documents, _) = load(&corpus(), Reading::default());
        let given = Given::default();
        let identity = Identity { id: "e1".into(), ..Identity::default() };
        let mut planned_count = 0;
        for document in &documents.workflows {
            let request =
                |templates| Request { identity: Some(&identity), ..Request::new(document, templates, &given) };
            let mut outcome = resolve(request(&documents.templates));
            if let Err(failure) = &outcome
                && failure.phase == Phase::Fetch
            {
                outcome = resolve(request(&with_stand_ins(&documents.templates, failure)));
            }
            let Ok(resolved) = outcome else { continue };
            let (process, kube) = (planned(&resolved.spec, Place::Process), planned(&resolved.spec, Place::Kube));
            assert_eq!(process.as_ref().err(), kube.as_ref().err(), "{}", document.file);
            let Ok(plan) = kube else { continue };
            planned_count += 1;
            let written = serde_json::to_string(&plan).unwrap();
            let read: Plan = serde_json::from_str(&written).unwrap();
            assert_eq!(plan::shape(&read.main), plan::shape(&plan.main), "{}", document.file);
        }
        assert!(planned_count > 200, "{planned_count}");
    }

    /// The manual's fragments on job and pod, on whole workflows and on blocks.
    #[test]
    fn fragments_on_pods_are_carried_to_a_cluster() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/snippets");
        for (name, expected) in [
            ("01-single-execution-per-node", r#""sync-execution":"wf-execution""#),
            ("02-distribute-evenly", r#""distribute-evenly":"e1-worker""#),
            ("03-pvc", r#""claimName":"e1-somename-"#),
        ] {
            let text = fs::read_to_string(root.join(format!("job-and-pod-{name}.yaml"))).unwrap();
            let fragment = parse_first(&text, Scalars::Kubernetes).unwrap();
            let step = parse_first("{parallel: {count: 2, shell: make}}", Scalars::Kubernetes).unwrap();
            let mut whole = fragment.clone();
            whole.set("steps", Node::list([step.clone()]));
            let mut block = step;
            for (key, value) in fragment.entries() {
                block.get_mut("parallel").unwrap().set(key, value.clone());
            }
            for (spec, on_main) in [(whole, true), (Node::map([("steps", Node::list([block]))]), false)] {
                let document = Document::new(DocumentKind::Workflow, "wf", spec);
                let given = Given::default();
                let identity = Identity { id: "e1".into(), ..Identity::default() };
                let request = Request { identity: Some(&identity), ..Request::new(&document, &[], &given) };
                let plan = planned(&resolve(request).unwrap().spec, Place::Kube).unwrap();
                assert_eq!(serde_json::to_string(&plan.main.pod).unwrap().contains(expected), on_main, "{name}");
                let parallel = plan.main.steps.iter().find_map(|step| match &step.operation {
                    Some(plan::Operation::Parallel(parallel)) => Some(parallel),
                    _ => None,
                });
                let workers = plan::foresee_parallel(parallel.unwrap(), &Nothing, &plan.platform).unwrap();
                let Work::Unit(worker) = &workers[0].work else { panic!("{name}: {:?}", workers[0].work) };
                let expected = if on_main { expected } else { expected.split(":\"e1-some").next().unwrap() };
                assert!(serde_json::to_string(&worker.pod).unwrap().contains(expected), "{name}: {:?}", worker.pod);
            }
        }
    }

    struct Nothing;

    impl Scope for Nothing {
        fn get(&self, _: &str) -> Result<Option<Expr>, ExprError> {
            Ok(None)
        }
    }

    #[test]
    fn rules_find_only_known_errors_in_real_documents() {
        let sources = corpus();
        let (documents, _) = load(&sources, Reading::default());
        let found = lint(&documents, &sources, LintOptions::default());
        let errors: Vec<&str> =
            found.iter().filter(|found| found.is_error()).map(|found| found.code.as_str()).collect();
        assert_eq!(errors, ["nothing-to-run", "nothing-to-run"]);
    }
}
