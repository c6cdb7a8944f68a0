//! Findings as text, and `testudo lint`.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use testudo_core::{
    lint::{self as rules, LintOptions},
    source::{Diagnostic, Severity, Sources, Span},
};

use crate::{
    args::{LintArgs, Output},
    documents::Read,
    exit,
};

/// Shows findings; whether any is an error.
pub(crate) fn report_errors(sources: &Sources, findings: &[Diagnostic]) -> bool {
    report(sources, findings);
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    if errors > 0 {
        anstream::eprintln!("{}", summary(findings));
    }
    errors > 0
}

/// Shows findings on standard error.
pub(crate) fn report(sources: &Sources, findings: &[Diagnostic]) {
    for finding in findings {
        anstream::eprintln!("{}\n", text(sources, finding));
    }
}

fn summary(findings: &[Diagnostic]) -> String {
    let count = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let noun =
        |count: usize, noun: &str| (count > 0).then(|| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }));
    let parts: Vec<String> = [
        noun(count(Severity::Error), "error"),
        noun(count(Severity::Warning), "warning"),
        noun(count(Severity::Hint), "hint"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let code = findings.iter().max_by_key(|finding| finding.severity).map(|finding| finding.code.as_str());
    match code {
        Some(code) => format!("{} · `testudo lint --explain {code}` tells more", parts.join(", ")),
        None => "nothing to mend".to_owned(),
    }
}

/// One finding, with the place it is about.
pub(crate) fn text(sources: &Sources, finding: &Diagnostic) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Hint => Level::NOTE.with_name("hint"),
    };
    let title = level.primary_title(&*finding.message).id(&*finding.code);
    let place = finding.at.and_then(Span::known).and_then(|span| sources.file(span.file).map(|file| (span, file)));
    let mut group = match &place {
        None => Group::with_title(title),
        Some((span, file)) => {
            let help = finding.help.as_deref().unwrap_or_default();
            let end = (span.end as usize).min(file.text.len());
            let start = (span.start as usize).min(end);
            // A long block is shown by its first line.
            let end = file.text[start..end].find('\n').map_or(end, |line| start + line);
            let annotation = AnnotationKind::Primary.span(start..end).label(help);
            title.element(Snippet::source(&*file.text).path(&*file.name).annotation(annotation))
        }
    };
    if place.is_none()
        && let Some(help) = &finding.help
    {
        group = group.element(Level::HELP.message(&**help));
    }
    if place.is_none() && !finding.path.is_empty() {
        group = group.element(Level::NOTE.message(format!("at {}", finding.path)));
    }
    Renderer::styled().render(&[group])
}

/// `testudo lint`.
pub(crate) fn lint(args: &LintArgs) -> anyhow::Result<u8> {
    if let Some(code) = &args.explain {
        return match rules::explain(code) {
            Some(text) => {
                anstream::println!("{text}");
                Ok(exit::PASSED)
            }
            None => anyhow::bail!("there is no finding called {code}"),
        };
    }
    let read = Read::named(&args.files)?;
    let mut findings = read.findings.clone();
    if !findings.iter().any(Diagnostic::is_error) {
        let known = Read::named(&args.files)?.with_neighbours(&args.files);
        let zone = |name: &str| jiff::tz::TimeZone::get(name).is_ok();
        let options = LintOptions { strict_testkube: args.strict_testkube, is_zone: Some(&zone) };
        findings.extend(rules::lint(&known.documents, &read.sources, options));
    }
    match args.output {
        Output::Json => {
            for finding in &findings {
                println!("{}", serde_json::to_string(&read.sources.finding(finding))?);
            }
        }
        Output::Pretty => {
            report(&read.sources, &findings);
            anstream::eprintln!("{}", summary(&findings));
        }
    }
    Ok(if findings.iter().any(Diagnostic::is_error) { exit::USAGE } else { exit::PASSED })
}
