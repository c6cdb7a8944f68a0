//! From the parser's events to trees: several documents a file, anchors, merges, and limits on all of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, StructureStyle, Tag};

use super::mistakes;
use super::scalars::kubernetes_bool;
use super::{Diagnostic, Key, Kind, Map, Node, Path, Scalars, Span};

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
            Some(Err(error)) => Err(self.syntax(&error)),
        }
    }

    fn syntax(&self, error: &ScanError) -> Stop {
        let at = error.marker().byte_offset().unwrap_or(self.text.len());
        let at = self.marks.original(at);
        Box::new(mistakes::explain(error, at, self.file, self.text).path(self.path.as_str()))
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

/// A text without the byte order marks in front of its documents, which the parser takes only at the very start,
/// and the way back to places in the text as it was.
struct Marks<'t> {
    text: Cow<'t, str>,
    /// Where marks were taken out, in bytes of what is left.
    removed: Vec<usize>,
}

const MARK: char = '\u{feff}';

impl<'t> Marks<'t> {
    fn strip(text: &'t str) -> Self {
        if !text.contains(MARK) {
            return Self { text: Cow::Borrowed(text), removed: Vec::new() };
        }
        let (mut clean, mut removed) = (String::with_capacity(text.len()), Vec::new());
        let mut fresh = true;
        for line in text.split_inclusive('\n') {
            let bare = line.strip_prefix(MARK).filter(|rest| fresh || rest.starts_with("---"));
            if bare.is_some() {
                removed.push(clean.len());
            }
            let line = bare.unwrap_or(line);
            clean.push_str(line);
            let said = line.trim();
            fresh = said == "---" || fresh && (said.is_empty() || said.starts_with('#'));
        }
        Self { text: Cow::Owned(clean), removed }
    }

    fn original(&self, at: usize) -> usize {
        at + MARK.len_utf8() * self.removed.partition_point(|removed| *removed <= at)
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

/// A map being read. Small ones are searched, larger ones indexed: a file may hold one map of a million keys.
#[derive(Default)]
struct Entries {
    map: Map,
    from_merge: Vec<bool>,
    index: HashMap<Arc<str>, usize>,
    merge_key: Option<Span>,
}

impl Entries {
    fn position(&mut self, key: &str) -> Option<usize> {
        if self.map.len() < 16 {
            return self.map.iter().position(|(k, _)| &*k.text == key);
        }
        for at in self.index.len()..self.map.len() {
            self.index.insert(self.map[at].0.text.clone(), at);
        }
        self.index.get(key).copied()
    }

    fn push(&mut self, key: Key, node: Node, merged: bool) {
        self.map.push((key, node));
        self.from_merge.push(merged);
    }

    /// Takes a written entry; the span of the first one if there is one already.
    fn own(&mut self, key: Key, node: Node) -> Option<Span> {
        match self.position(&key.text) {
            Some(at) if self.from_merge[at] => {
                self.from_merge[at] = false;
                self.map[at] = (key, node);
                None
            }
            Some(at) => Some(self.map[at].0.span),
            None => {
                self.push(key, node, false);
                None
            }
        }
    }

    /// Takes an entry of a merged map; the place of the own entry that keeps it out, if one does.
    fn merged(&mut self, key: Key, node: Node) -> Option<usize> {
        match self.position(&key.text) {
            Some(at) => (!self.from_merge[at]).then_some(at),
            None => {
                self.push(key, node, true);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Parsed {
        parse(0, text, Scalars::Kubernetes, Limits::default())
    }

    fn json(text: &str) -> String {
        let parsed = read(text);
        assert_eq!(parsed.diagnostics, []);
        serde_json::to_string(&parsed.documents).unwrap()
    }

    fn messages(text: &str) -> Vec<String> {
        read(text).diagnostics.into_iter().map(|found| found.message).collect()
    }

    #[test]
    fn a_file_may_hold_several_documents_and_an_empty_one() {
        assert_eq!(json("a: 1\n---\n---\nb: [x, 'y']\n"), r#"[{"a":1},null,{"b":["x","y"]}]"#);
    }

    #[test]
    fn marks_and_carriage_returns_are_no_matter() {
        assert_eq!(json("\u{feff}a: |\r\n  x\r\n  y\r\n---\r\n\u{feff}b: 2\r\n"), r#"[{"a":"x\ny\n"},{"b":2}]"#);
        let parsed = read("a: 1\n\u{feff}---\nb: 2\n");
        assert_eq!(parsed.documents.len(), 2);
        assert_eq!(parsed.documents[1].get("b").unwrap().span, Span::new(0, 15, 16));
    }

    #[test]
    fn the_next_document_is_read_after_an_error() {
        let parsed = read("a: b: c\n---\nd: 1\n---\ne: @\n---\nf: 1\n");
        assert_eq!(serde_json::to_string(&parsed.documents).unwrap(), r#"[{"d":1},{"f":1}]"#);
        assert_eq!(parsed.diagnostics.len(), 2);
    }

    #[test]
    fn anchors_are_copied_and_own_keys_win_over_merged_ones() {
        assert_eq!(json("a: &x {k: 1, l: 2}\nb: *x\n"), r#"[{"a":{"k":1,"l":2},"b":{"k":1,"l":2}}]"#);
        let text = "a: &x {k: 1, l: 2}\nc: {<<: *x, l: 3, m: 4}\n";
        assert_eq!(json(text), r#"[{"a":{"k":1,"l":2},"c":{"k":1,"l":3,"m":4}}]"#);
        let text = "a: &x {k: 1}\nb: &y {k: 2, z: 3}\nc: {<<: [*x, *y]}\n";
        assert_eq!(json(text), r#"[{"a":{"k":1},"b":{"k":2,"z":3},"c":{"k":1,"z":3}}]"#);
    }

    #[test]
    fn a_key_before_a_merge_wins_with_a_warning() {
        let parsed = read("a: &x {k: 1}\nc: {k: 2, <<: *x}\n");
        assert_eq!(serde_json::to_string(&parsed.documents).unwrap(), r#"[{"a":{"k":1},"c":{"k":2}}]"#);
        assert_eq!(parsed.diagnostics[0].code, "kubernetes-key");
    }

    #[test]
    fn keys_stay_text() {
        let parsed = read("on: 1\n5: 2\nnull: 3\n");
        assert_eq!(serde_json::to_string(&parsed.documents).unwrap(), r#"[{"on":1,"5":2,"null":3}]"#);
        assert_eq!(parsed.diagnostics.len(), 1);
    }

    #[test]
    fn an_alias_bomb_is_defused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            text += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        assert_eq!(messages(&text), ["aliases repeat more than 200000 values"]);
    }

    #[test]
    fn a_chain_of_anchors_cannot_nest_without_end() {
        let mut text = String::from("a0: &a0 x\n");
        for level in 1..600 {
            text += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        assert_eq!(messages(&text), ["with its aliases this is nested deeper than 250 levels"]);
    }

    #[test]
    fn an_alias_inside_its_anchor_is_refused() {
        assert_eq!(messages("a: &x [*x]\n"), ["this alias stands inside what it is an alias of"]);
    }

    #[test]
    fn nesting_has_a_limit() {
        let text = format!("{}{}", "[".repeat(400), "]".repeat(400));
        assert_eq!(messages(&text), ["nested too deeply"]);
    }

    #[test]
    fn ten_megabytes_are_read() {
        let line = "  - {name: abc, value: \"some text\", list: [1, 2, 3]}\n";
        let text = format!("items:\n{}", line.repeat(10_000_000 / line.len()));
        let parsed = read(&text);
        assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
        assert!(parsed.documents[0].get_items("items").len() > 100_000);
        let keys: String = (0..50_000).map(|i| format!("k{i}: a\n")).collect();
        assert_eq!(read(&keys).documents[0].entries().len(), 50_000);
    }

    #[test]
    fn spans_end_where_values_end() {
        let text = "a:\n  b: [1, 2]\n  c: |\n    x\n\nd: 1\n";
        let document = &read(text).documents[0];
        let slice = |node: &Node| &text[node.span.start as usize..node.span.end as usize];
        assert_eq!(slice(document.find("a.b").unwrap()), "[1, 2]");
        assert!(slice(document.find("a").unwrap()).starts_with("b: ["));
    }
}
