//! From the parser's events to trees: several documents a file, anchors, merges, and limits on all of them.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, StructureStyle, Tag};

use super::entries::Entries;
use super::marks::Marks;
use super::mistakes;
use super::scalars::kubernetes_bool;
use super::{Diagnostic, Key, Kind, Node, Path, Scalars, Span};

/// How much a file may ask for. What is written is bounded by the size of the file; what aliases repeat is not.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nodes in all documents of a file.
    pub nodes: usize,
    /// Nodes that exist only because of anchors and aliases.
    pub aliased: usize,
    /// Levels of lists and maps inside one another.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nodes: 5_000_000, aliased: 200_000, depth: 250 }
    }
}

/// What a file holds: its sound documents, and what is wrong with it. An empty document is `null`; one with an
/// error is left out.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    pub documents: Vec<Node>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads all documents of a text. After an error it goes on with the next document.
pub fn parse(file: u32, text: &str, scalars: Scalars, limits: Limits) -> Parsed {
    let marks = Marks::strip(text);
    let mut composer = Composer::new(file, text, &marks, scalars, limits);
    let mut documents = Vec::new();
    loop {
        let found = composer.diagnostics.len();
        match composer.document() {
            Ok(None) => break,
            Ok(Some(node)) => {
                if !composer.diagnostics[found..].iter().any(Diagnostic::is_error) {
                    documents.push(node);
                }
            }
            Err(stop) => {
                // One mistake, one finding: what follows on the same line is its echo.
                if !composer.diagnostics[found..].iter().any(|earlier| composer.same_line(earlier, &stop)) {
                    composer.diagnostics.push(*stop);
                }
                match composer.parser.proceed_next_document() {
                    Ok(true) => {}
                    Ok(false) | Err(_) => break,
                }
            }
        }
    }
    Parsed { documents, diagnostics: composer.diagnostics }
}

/// Reads the first document of a text and nothing after it.
pub fn parse_first(text: &str, scalars: Scalars) -> Result<Node, Diagnostic> {
    let marks = Marks::strip(text);
    let mut composer = Composer::new(0, text, &marks, scalars, Limits::default());
    let node = composer.document().map_err(|stop| *stop)?.unwrap_or_default();
    match composer.diagnostics.into_iter().find(Diagnostic::is_error) {
        Some(error) => Err(error),
        None => Ok(node),
    }
}

struct Composer<'t> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    marks: &'t Marks<'t>,
    file: u32,
    scalars: Scalars,
    limits: Limits,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    aliased: usize,
    path: Path,
    diagnostics: Vec<Diagnostic>,
}

struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

type Stop = Box<Diagnostic>;

impl<'t> Composer<'t> {
    fn new(file: u32, text: &'t str, marks: &'t Marks<'t>, scalars: Scalars, limits: Limits) -> Self {
        let options = granit_parser::options! {
            emit_comments: false,
            block_nesting_limit: limits.depth,
            flow_nesting_limit: limits.depth,
        };
        Self {
            parser: Parser::new_from_str_with_options(&marks.text, options),
            text,
            marks,
            file,
            scalars,
            limits,
            anchors: HashMap::new(),
            nodes: 0,
            aliased: 0,
            path: Path::default(),
            diagnostics: Vec::new(),
        }
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Stop> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => {
                let (start, end) = span.byte_range().map_or((0, 0), |range| (range.start, range.end));
                Ok(Some((event, Span::new(self.file, self.marks.original(start), self.marks.original(end)))))
            }
            Some(Err(error)) => Err(Box::new(self.syntax(&error))),
        }
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let at = error.marker().byte_offset().unwrap_or(self.text.len());
        let at = self.marks.original(at);
        mistakes::explain(error, at, self.file, self.text).path(self.path.as_str())
    }

    fn same_line(&self, a: &Diagnostic, b: &Diagnostic) -> bool {
        let (Some(a), Some(b)) = (a.at, b.at) else { return false };
        let (first, last) = (a.start.min(b.start) as usize, a.start.max(b.start) as usize);
        self.text.get(first..last).is_some_and(|between| !between.contains('\n'))
    }

    fn expect(&mut self) -> Result<(Event<'t>, Span), Stop> {
        self.next()?.ok_or_else(|| Box::new(Diagnostic::error("yaml", "the document ends too early")))
    }

    fn document(&mut self) -> Result<Option<Node>, Stop> {
        self.anchors.clear();
        self.path = Path::default();
        loop {
            match self.next()? {
                None | Some((Event::StreamEnd, _)) => return Ok(None),
                Some((Event::StreamStart | Event::DocumentEnd, _)) => {}
                Some((Event::DocumentStart(..), _)) => {
                    let (event, span) = self.expect()?;
                    if event == Event::DocumentEnd {
                        return Ok(Some(Node::new(span, Kind::Null)));
                    }
                    let node = self.node(event, span, 0)?;
                    // The end belongs to the document: what stands before it and fits nothing spoils it.
                    self.expect()?;
                    return Ok(Some(node));
                }
                Some((_, span)) => {
                    return Err(Box::new(Diagnostic::error("yaml", "no document starts here").at(span)));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Stop> {
        self.count(1, span)?;
        if depth > self.limits.depth {
            return Err(Box::new(
                Diagnostic::error("too-large", format!("nested deeper than {} levels", self.limits.depth)).at(span),
            ));
        }
        match event {
            Event::Alias(id) => self.alias(id, span, depth),
            Event::Scalar(text, style, anchor, tag) => {
                let kind = self.scalar(&text, style, tag.as_deref(), span);
                let node = Node::new(span, kind);
                self.remember(anchor, &node, span)?;
                Ok(node)
            }
            Event::SequenceStart(style, anchor, _) => {
                let node = self.list(style, span, depth)?;
                self.remember(anchor, &node, span)?;
                Ok(node)
            }
            Event::MappingStart(style, anchor, _) => {
                let node = self.map(style, span, depth)?;
                self.remember(anchor, &node, span)?;
                Ok(node)
            }
            _ => Err(Box::new(Diagnostic::error("yaml", "a value is missing here").at(span))),
        }
    }

    fn list(&mut self, style: StructureStyle, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut items = Vec::new();
        let start = self.at_dash(style, start);
        loop {
            let (event, span) = self.expect()?;
            if event == Event::SequenceEnd {
                let end = extent(style, start, span, items.last());
                return Ok(Node::new(end, Kind::List(items)));
            }
            let mark = self.path.index(items.len());
            let item = self.node(event, span, depth + 1)?;
            self.path.leave(mark);
            items.push(item);
        }
    }

    /// A list that is not indented starts for the parser behind its first `-`.
    fn at_dash(&self, style: StructureStyle, start: Span) -> Span {
        let before = self.text.get(..start.start as usize).unwrap_or("").trim_end_matches([' ', '\t']);
        match before.strip_suffix('-') {
            Some(before) if style == StructureStyle::Block && !self.text[start.start as usize..].starts_with("- ") => {
                Span { start: before.len() as u32, ..start }
            }
            _ => start,
        }
    }

    fn map(&mut self, style: StructureStyle, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut entries = Entries::default();
        loop {
            let (event, span) = self.expect()?;
            if event == Event::MappingEnd {
                let end = extent(style, start, span, entries.map.last().map(|(_, node)| node));
                return Ok(Node::new(end, Kind::Map(entries.map)));
            }
            let Some((key, plain)) = self.map_key(event, span, start, depth)? else {
                let (event, span) = self.expect()?;
                self.node(event, span, depth + 1)?;
                continue;
            };
            let mark = self.path.key(&key.text);
            let (event, span) = self.expect()?;
            let node = self.node(event, span, depth + 1)?;
            if plain && &*key.text == "<<" {
                self.merge(&mut entries, &key, node)?;
            } else {
                if plain && self.scalars == Scalars::Kubernetes && kubernetes_bool(&key.text).is_some() {
                    self.lint_boolean_key(&key);
                }
                if let Some(first) = entries.own(key.clone(), node) {
                    self.duplicate(&key, first);
                }
            }
            self.path.leave(mark);
        }
    }

    /// The key of an entry and whether it is a plain scalar; none after a mistake that has been reported.
    fn map_key(&mut self, event: Event<'t>, span: Span, map: Span, depth: usize) -> Result<Option<(Key, bool)>, Stop> {
        self.count(1, span)?;
        let fault = match event {
            Event::Scalar(text, style, anchor, _) => {
                let key = Key::at(&*text, span);
                self.remember(anchor, &Node::new(span, Kind::Str(key.text.clone())), span)?;
                return Ok(Some((key, style == ScalarStyle::Plain)));
            }
            Event::Alias(id) => {
                if let Some(text) = self.alias(id, span, depth)?.as_str() {
                    return Ok(Some((Key::at(text, span), false)));
                }
                Diagnostic::error("yaml", "a key must be text, and this alias stands for something else").at(span)
            }
            other => {
                let whole = self.node(other, span, depth + 1)?.span;
                if self.text[map.start as usize..].starts_with("{{") {
                    mistakes::unquoted_template(map.file, self.text, map.start as usize)
                } else {
                    Diagnostic::error("yaml", "a key must be text, and this is a list or a map").at(whole)
                }
            }
        };
        self.diagnostics.push(fault.path(self.path.as_str()));
        Ok(None)
    }

    /// `<<`: everything a map (or several) has that the map at hand has not.
    fn merge(&mut self, entries: &mut Entries, key: &Key, node: Node) -> Result<(), Stop> {
        if let Some(first) = entries.merge_key.replace(key.span) {
            self.duplicate(key, first);
            return Ok(());
        }
        let maps = match node.kind {
            Kind::Map(map) => vec![map],
            Kind::List(items) if items.iter().all(|item| item.as_map().is_some()) => items
                .into_iter()
                .filter_map(|item| if let Kind::Map(map) = item.kind { Some(map) } else { None })
                .collect(),
            _ => {
                let message = "`<<` merges a map or a list of maps, usually aliases like `*name`";
                return Err(Box::new(Diagnostic::error("yaml", message).at(node.span).path(self.path.as_str())));
            }
        };
        let before = entries.map.len();
        for (merged, node) in maps.into_iter().flatten() {
            if let Some(at) = entries.merged(merged, node)
                && at < before
                && self.scalars == Scalars::Kubernetes
            {
                let own = entries.map[at].0.clone();
                let message = format!(
                    "`{}` stands before a merge that has it too: it wins here, the merge wins for Kubernetes tooling",
                    own.text
                );
                let finding = Diagnostic::warning("kubernetes-key", message).at(own.span).path(self.path.as_str());
                self.diagnostics.push(finding.help("write the merge first"));
            }
        }
        Ok(())
    }

    fn lint_boolean_key(&mut self, key: &Key) {
        let message = format!("Kubernetes tooling reads the key `{}` as a boolean", key.text);
        let finding = Diagnostic::warning("kubernetes-key", message).at(key.span).path(self.path.as_str());
        self.diagnostics.push(finding.help(format!("write \"{}\"", key.text)));
    }

    /// An item whose dash is too deep becomes a part of the text above it without any error.
    fn lint_continued_dash(&mut self, span: Span) {
        let Some(text) = self.text.get(span.start as usize..span.end as usize) else { return };
        for (at, _) in text.match_indices('\n') {
            let line = text[at + 1..].lines().next().unwrap_or("");
            let from = span.start as usize + at + 1 + line.len() - line.trim_start().len();
            if line.trim_start().starts_with("- ") {
                let message = "this line continues the text above, it is no item of a list";
                let finding = Diagnostic::warning("yaml", message).at(Span::new(span.file, from, from + 1));
                let help = "align the `-` with the items above, or quote the text if it is meant";
                self.diagnostics.push(finding.path(self.path.as_str()).help(help));
                return;
            }
        }
    }

    fn duplicate(&mut self, key: &Key, first: Span) {
        let line = self.text[..first.start as usize].matches('\n').count() + 1;
        let finding = Diagnostic::error("duplicate-key", format!("the key `{}` stands here twice", key.text))
            .at(key.span)
            .path(self.path.as_str());
        let help = if &*key.text == "<<" {
            "merge several maps with `<<: [*a, *b]`".to_owned()
        } else {
            format!("the first one is in line {line}: put both together, or remove one")
        };
        self.diagnostics.push(finding.help(help));
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Kind {
        let wanted = tag.and_then(Tag::core_suffix);
        let quoted = style != ScalarStyle::Plain;
        let kind = match wanted {
            Some("str") => Kind::Str(text.into()),
            Some("int" | "float" | "bool" | "null") => self.scalars.resolve(text),
            _ if quoted || tag.is_some_and(|tag| tag.original() == "!") => Kind::Str(text.into()),
            _ => self.scalars.resolve(text),
        };
        let fits = match (wanted, &kind) {
            (Some("int"), kind) => matches!(kind, Kind::Int(_)),
            (Some("float"), kind) => matches!(kind, Kind::Int(_) | Kind::Float(_)),
            (Some("bool"), kind) => matches!(kind, Kind::Bool(_)),
            (Some("null"), kind) => matches!(kind, Kind::Null),
            _ => true,
        };
        if !fits {
            let message = format!("`{text}` is not what its tag says");
            self.diagnostics.push(Diagnostic::error("yaml", message).at(span).path(self.path.as_str()));
        }
        if !quoted && self.scalars == Scalars::Kubernetes {
            self.lint_continued_dash(span);
        }
        if let Kind::Float(value) = kind
            && self.scalars == Scalars::Kubernetes
            && !value.is_finite()
        {
            let finding = Diagnostic::error("yaml", format!("`{text}` is a number that JSON does not have")).at(span);
            self.diagnostics.push(finding.path(self.path.as_str()).help(format!("write \"{text}\" for the text")));
        }
        kind
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Result<Node, Stop> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(Box::new(
                Diagnostic::error("yaml", "this alias stands inside what it is an alias of")
                    .at(span)
                    .path(self.path.as_str()),
            ));
        };
        let (node, nodes, deep) = (anchored.node.clone(), anchored.nodes, anchored.depth);
        if depth + deep > self.limits.depth {
            let message = format!("with its aliases this is nested deeper than {} levels", self.limits.depth);
            return Err(Box::new(Diagnostic::error("too-large", message).at(span).path(self.path.as_str())));
        }
        self.count_aliased(nodes, span)?;
        Ok(node)
    }

    fn remember(&mut self, anchor: usize, node: &Node, span: Span) -> Result<(), Stop> {
        if anchor == 0 {
            return Ok(());
        }
        let (nodes, depth) = measure(node);
        self.count_aliased(nodes, span)?;
        self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, depth });
        Ok(())
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes > self.limits.nodes {
            let message = format!("the file holds more than {} values", self.limits.nodes);
            return Err(Box::new(Diagnostic::error("too-large", message).at(span)));
        }
        Ok(())
    }

    fn count_aliased(&mut self, nodes: usize, span: Span) -> Result<(), Stop> {
        self.aliased += nodes;
        if self.aliased > self.limits.aliased {
            let message = format!("aliases repeat more than {} values", self.limits.aliased);
            let finding = Diagnostic::error("too-large", message).at(span).path(self.path.as_str());
            return Err(Box::new(finding.help("write less with aliases, or split the file")));
        }
        self.count(nodes, span)
    }
}

fn measure(node: &Node) -> (usize, usize) {
    let below = |(nodes, depth): (usize, usize), node: &Node| {
        let (n, d) = measure(node);
        (nodes + n, depth.max(d))
    };
    match &node.kind {
        Kind::List(items) => {
            let (nodes, depth) = items.iter().fold((1, 0), below);
            (nodes, depth + 1)
        }
        Kind::Map(map) => {
            let (nodes, depth) = map.iter().map(|(_, node)| node).fold((1, 0), below);
            (nodes + map.len(), depth + 1)
        }
        _ => (1, 0),
    }
}

/// A block ends for the parser where the next thing starts; for a reader where its last value ends.
fn extent(style: StructureStyle, start: Span, end: Span, last: Option<&Node>) -> Span {
    let end = match (style, last) {
        (StructureStyle::Flow, _) => end.end,
        (StructureStyle::Block, Some(node)) if node.span.start >= start.start => node.span.end,
        (StructureStyle::Block, _) => start.end,
    };
    Span { end: end.max(start.start), ..start }
}

#[cfg(test)]
mod tests;
