//! Tokens into a tree, by precedence climbing. Nothing is evaluated here.

use std::sync::Arc;

use super::ExprError;
use super::functions::Function;
use super::limits::MAX_DEPTH;
use super::node::{Arg, Callee, Node, Op};
use super::outline::Outline;
use super::scan::{Scanner, Token, Until};
use super::value::Value;

/// The tree of a text that is one expression; none for a blank one.
pub(crate) fn expression(text: &str, outline: Option<&mut Outline>) -> Result<Node, ExprError> {
    Ok(part(text, 0, Until::EndOfText, outline)?.0.unwrap_or(Node::NONE))
}

/// One expression starting at `pos`, and where the text goes on behind it. A blank one gives no node.
pub(crate) fn part(
    text: &str,
    pos: usize,
    until: Until,
    outline: Option<&mut Outline>,
) -> Result<(Option<Node>, usize), ExprError> {
    let mut parser =
        Parser { scan: Scanner::new(text, pos, until), token: Token::End, start: pos, end: pos, depth: 0, outline };
    let parsed = parser.input();
    match parsed {
        Ok(node) => Ok((node, parser.scan.pos)),
        Err(error) if parser.scan.failed => Err(error),
        Err(error) => Err(parser.unreadable_rest().unwrap_or(error)),
    }
}

struct Parser<'s, 'o> {
    scan: Scanner<'s>,
    token: Token<'s>,
    /// Where `token` starts.
    start: usize,
    /// Where the token before it ended.
    end: usize,
    depth: usize,
    outline: Option<&'o mut Outline>,
}

impl<'s> Parser<'s, '_> {
    fn input(&mut self) -> Result<Option<Node>, ExprError> {
        self.advance()?;
        if self.token == Token::End {
            return Ok(None);
        }
        let node = self.expression()?;
        if self.token != Token::End {
            return Err(self.unexpected(""));
        }
        Ok(Some(node))
    }

    fn advance(&mut self) -> Result<Token<'s>, ExprError> {
        self.end = self.scan.pos;
        self.scan.skip_blanks();
        self.start = self.scan.pos;
        let next = self.scan.token()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// What cannot even be scanned is reported before what cannot be parsed, wherever it stands.
    fn unreadable_rest(&mut self) -> Option<ExprError> {
        while self.token != Token::End {
            if let Err(error) = self.advance() {
                return Some(error);
            }
        }
        None
    }

    fn unexpected(&self, wanted: &str) -> ExprError {
        let found = match self.token {
            Token::End => "premature end of expression",
            _ => "unexpected token",
        };
        let end = if self.token == Token::End { self.start } else { self.scan.pos };
        let message = match wanted {
            "" => format!("parser error: {found} at index {}", self.start),
            _ => format!("parser error: {found} at index {}: {wanted}", self.start),
        };
        ExprError::at(message, self.start..end)
    }

    fn expect(&mut self, token: &Token<'_>, wanted: &str) -> Result<(), ExprError> {
        if self.token != *token {
            return Err(self.unexpected(wanted));
        }
        self.advance()?;
        Ok(())
    }

    /// Refuses what nests too deeply before the stack does.
    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Result<Node, ExprError>) -> Result<Node, ExprError> {
        if self.depth >= MAX_DEPTH {
            let message = format!("parser error: nested too deeply (more than {MAX_DEPTH} levels)");
            return Err(ExprError::at(message, self.start..self.scan.pos));
        }
        self.depth += 1;
        let node = inner(self);
        self.depth -= 1;
        node
    }

    fn expression(&mut self) -> Result<Node, ExprError> {
        let condition = self.chain(0)?;
        if self.token != Token::Question {
            return Ok(condition);
        }
        self.nested(|parser| {
            parser.advance()?;
            let then = parser.expression()?;
            parser.expect(&Token::Colon, "expected ternary separator")?;
            let otherwise = parser.expression()?;
            Node::choice(condition, then, otherwise)
        })
    }

    /// Operands joined by operators that bind at least as tightly as `loosest`.
    fn chain(&mut self, loosest: u8) -> Result<Node, ExprError> {
        let start = self.start;
        let mut left = self.operand()?;
        let (mut logic, mut mixed) = (None, false);
        while let Token::Op(op) = self.token
            && op.precedence() >= loosest
        {
            self.advance()?;
            let right = if op == Op::Power { self.operand()? } else { self.chain(op.precedence() + 1)? };
            if let Op::And | Op::Or = op {
                mixed |= *logic.get_or_insert(op) != op;
            }
            left = Node::binary(op, left, right)?;
        }
        if mixed && let Some(outline) = &mut self.outline {
            outline.mixed.push(start..self.end);
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Node, ExprError> {
        match self.token {
            Token::Bang => self.nested(|parser| {
                parser.advance()?;
                Node::not(parser.operand()?)
            }),
            Token::Op(Op::Subtract) => self.nested(|parser| {
                parser.advance()?;
                negated(parser.chain(Op::Power.precedence())?)
            }),
            _ => {
                let base = self.primary()?;
                self.properties(base)
            }
        }
    }

    fn primary(&mut self) -> Result<Node, ExprError> {
        match self.token {
            Token::Value(_) | Token::Name { .. } => {}
            Token::Open => {
                return self.nested(|parser| {
                    parser.advance()?;
                    let inner = parser.expression()?;
                    parser.expect(&Token::Close, "expected parentheses close")?;
                    Ok(inner)
                });
            }
            _ => return Err(self.unexpected("")),
        }
        let start = self.start;
        let end = self.scan.pos;
        match self.advance()? {
            Token::Value(value) => Ok(Node::Static(value)),
            Token::Name { path, wild: false } if self.token == Token::Open => {
                self.nested(|parser| parser.call(&path, start..end))
            }
            Token::Name { path, wild } => {
                if let Some(outline) = &mut self.outline {
                    outline.name(&path, start..end);
                }
                if wild { wildcards(&path) } else { Ok(Node::Name(path.into())) }
            }
            _ => Err(self.unexpected("")),
        }
    }

    fn call(&mut self, name: &str, span: std::ops::Range<usize>) -> Result<Node, ExprError> {
        self.advance()?;
        let mut args = Vec::new();
        if self.token == Token::End {
            return Err(self.unexpected("missing call close"));
        }
        while self.token != Token::Close {
            let arg_span = self.start;
            let node = self.expression()?;
            if let (Some(outline), Node::Static(Value::Str(text))) = (&mut self.outline, &node) {
                outline.inner_text(name, args.len(), text, arg_span..self.start);
            }
            let spread = self.token == Token::Spread;
            if spread {
                self.advance()?;
            }
            args.push(Arg { node, spread });
            match self.token {
                Token::Close => break,
                Token::Comma => {
                    self.advance()?;
                    if self.token == Token::Close {
                        return Err(self.unexpected("expected another argument"));
                    }
                }
                Token::End => return Err(self.unexpected("missing call close")),
                _ => return Err(self.unexpected("expected comma or call close")),
            }
        }
        self.advance()?;
        if let Some(outline) = &mut self.outline {
            outline.call(name, span, args.len());
        }
        let callee = match Function::named(name) {
            Some(function) => Callee::Standard(function),
            None => Callee::Other(name.into()),
        };
        Node::call(callee, args.into())
    }

    /// `.key` after anything that is not a name. From a `.*` on, keys belong to the wildcard's elements.
    fn properties(&mut self, mut base: Node) -> Result<Node, ExprError> {
        let mut element: Option<String> = None;
        while let Token::Property(key) = self.token {
            base = match (&mut element, key) {
                (None, "*") => {
                    element = Some(ELEMENT.to_owned());
                    base
                }
                (None, key) => Node::property(base, key.into())?,
                (Some(path), "*") => wildcard(base, std::mem::replace(path, ELEMENT.to_owned()))?,
                (Some(path), key) => {
                    path.push('.');
                    path.push_str(key);
                    base
                }
            };
            self.advance()?;
        }
        match element {
            Some(path) => wildcard(base, path),
            None => Ok(base),
        }
    }
}

pub(crate) const ELEMENT: &str = "_.value";

/// `-x` is `0 - x`, save that a literal becomes a negative literal: data prints that way and keeps its digits.
fn negated(operand: Node) -> Result<Node, ExprError> {
    match operand {
        Node::Static(Value::Int(n)) if n != i64::MIN => Ok(Node::Static(Value::Int(-n))),
        Node::Static(Value::Float(x)) => Ok(Node::Static(Value::Float(-x))),
        other => Node::binary(Op::Subtract, Node::Static(Value::Int(0)), other),
    }
}

/// `prefix.*.suffix` is the suffix of every element of the prefix, from the innermost wildcard outwards.
fn wildcards(path: &str) -> Result<Node, ExprError> {
    let mut parts = path.split(".*");
    let mut node = Node::Name(parts.next().unwrap_or_default().into());
    for suffix in parts {
        node = wildcard(node, format!("{ELEMENT}{suffix}"))?;
    }
    Ok(node)
}

fn wildcard(list: Node, path: String) -> Result<Node, ExprError> {
    let path: Arc<str> = path.into();
    Node::standard(Function::Wildcard, [list, Node::Static(Value::Str(path))])
}
