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
