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

    use testudo_core::lint::{LintOptions, lint};
    use testudo_core::resolve::{Given, Phase, Request, resolve};
    use testudo_core::source::Node;
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
