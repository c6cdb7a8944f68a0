//! The tree a text compiles to. Nodes are immutable and shared; resolving builds new ones where something changed.

use std::sync::Arc;

use super::ExprError;
use super::functions::Function;
use super::limits::{MAX_HEIGHT, MAX_NODES};
use super::value::Value;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Static(Value),
    Name(Arc<str>),
    Tree(Arc<Tree>),
}

/// An inner node that knows its height and (roughly) the size of its text, so that limits cost nothing to keep.
#[derive(Debug, PartialEq)]
pub(crate) struct Tree {
    pub(crate) kind: Kind,
    height: u16,
    nodes: u32,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    Property(Node, Arc<str>),
    Call(Callee, Box<[Arg]>),
    Not(Node),
    Binary(Op, Node, Node),
    Choice(Node, Node, Node),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Callee {
    Standard(Function),
    Other(Arc<str>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arg {
    pub(crate) node: Node,
    pub(crate) spread: bool,
}

/// A binary operator as the author spelled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    And,
    Or,
    Equal,
    EqualTwice,
    Differs,
    DiffersAngled,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Op {
    /// 0 binds loosest.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            Self::And | Self::Or => 0,
            Self::Equal
            | Self::EqualTwice
            | Self::Differs
            | Self::DiffersAngled
            | Self::Greater
            | Self::GreaterEqual
            | Self::Less
            | Self::LessEqual => 1,
            Self::Add | Self::Subtract => 2,
            Self::Multiply | Self::Divide | Self::Remainder => 3,
            Self::Power => 4,
        }
    }

    pub(crate) fn spelling(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Equal => "=",
            Self::EqualTwice => "==",
            Self::Differs => "!=",
            Self::DiffersAngled => "<>",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }
}

impl Node {
    pub(crate) const NONE: Self = Self::Static(Value::None);

    pub(crate) fn property(base: Node, key: Arc<str>) -> Result<Self, ExprError> {
        let measure = Measure::of([&base]);
        measure.build(Kind::Property(base, key))
    }

    pub(crate) fn not(operand: Node) -> Result<Self, ExprError> {
        let measure = Measure::of([&operand]);
        measure.build(Kind::Not(operand))
    }

    pub(crate) fn binary(op: Op, left: Node, right: Node) -> Result<Self, ExprError> {
        let measure = Measure::of([&left, &right]);
        measure.build(Kind::Binary(op, left, right))
    }

    pub(crate) fn choice(condition: Node, then: Node, otherwise: Node) -> Result<Self, ExprError> {
        let measure = Measure::of([&condition, &then, &otherwise]);
        measure.build(Kind::Choice(condition, then, otherwise))
    }

    pub(crate) fn call(callee: Callee, args: Box<[Arg]>) -> Result<Self, ExprError> {
        let measure = Measure::of(args.iter().map(|arg| &arg.node));
        measure.build(Kind::Call(callee, args))
    }

    pub(crate) fn standard(function: Function, args: impl IntoIterator<Item = Node>) -> Result<Self, ExprError> {
        Self::call(Callee::Standard(function), args.into_iter().map(Arg::from).collect())
    }

    pub(crate) fn is_static(&self) -> bool {
        matches!(self, Self::Static(_))
    }

    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Static(value) => Some(value),
            Self::Name(_) | Self::Tree(_) => None,
        }
    }

    pub(crate) fn kind(&self) -> Option<&Kind> {
        match self {
            Self::Tree(tree) => Some(&tree.kind),
            Self::Static(_) | Self::Name(_) => None,
        }
    }
}

impl From<Node> for Arg {
    fn from(node: Node) -> Self {
        Self { node, spread: false }
    }
}

struct Measure {
    height: u16,
    nodes: u32,
}

impl Measure {
    fn of<'n>(children: impl IntoIterator<Item = &'n Node>) -> Self {
        let mut measure = Self { height: 1, nodes: 1 };
        for child in children {
            let (height, nodes) = match child {
                Node::Static(Value::Str(text)) => (1, 1 + (text.len() >> 6) as u32),
                Node::Static(Value::List(items)) => (1, 1 + items.len() as u32),
                Node::Static(_) | Node::Name(_) => (1, 1),
                Node::Tree(tree) => (tree.height, tree.nodes),
            };
            measure.height = measure.height.max(height + 1);
            measure.nodes = measure.nodes.saturating_add(nodes);
        }
        measure
    }

    fn build(self, kind: Kind) -> Result<Node, ExprError> {
        let Self { height, nodes } = self;
        if height > MAX_HEIGHT {
            return Err(ExprError::new("maximum call stack exceeded: expression is nested too deeply"));
        }
        if nodes > MAX_NODES {
            return Err(ExprError::new("expression is too large"));
        }
        Ok(Node::Tree(Arc::new(Tree { kind, height, nodes })))
    }
}

/// What a residual will be once it is known, as far as that can be told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Unknown,
    Bool,
    Int,
    Float,
    Text,
}

/// How `+` of unknown sides is seen.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Sum {
    /// It may still become text.
    Open,
    /// Always a number: only the printer's rule on parentheses looks at it so.
    Number,
}

pub(crate) fn type_of(node: &Node, sum: Sum) -> Type {
    let kind = match node {
        Node::Static(Value::Bool(_)) => return Type::Bool,
        Node::Static(Value::Int(_)) if sum == Sum::Open => return Type::Int,
        // Among literals whole numbers are numbers like any other.
        Node::Static(Value::Int(_) | Value::Float(_)) => return Type::Float,
        Node::Static(Value::Str(_)) => return Type::Text,
        Node::Static(Value::None | Value::Nil | Value::List(_) | Value::Map(_)) | Node::Name(_) => {
            return Type::Unknown;
        }
        Node::Tree(tree) => &tree.kind,
    };
    let common = |a: &Node, b: &Node| {
        let first = type_of(a, sum);
        if first != Type::Unknown && first == type_of(b, sum) { first } else { Type::Unknown }
    };
    match kind {
        Kind::Property(..) | Kind::Call(Callee::Other(_), _) => Type::Unknown,
        Kind::Call(Callee::Standard(function), _) => function.result_type(),
        Kind::Not(_) => Type::Bool,
        Kind::Choice(_, then, otherwise) => common(then, otherwise),
        Kind::Binary(op, left, right) => match op {
            Op::And | Op::Or => common(left, right),
            Op::Equal
            | Op::EqualTwice
            | Op::Differs
            | Op::DiffersAngled
            | Op::Greater
            | Op::GreaterEqual
            | Op::Less
            | Op::LessEqual => Type::Bool,
            Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder | Op::Power => Type::Float,
            Op::Add => match (type_of(left, sum), type_of(right, sum)) {
                (Type::Text, _) | (_, Type::Text) => Type::Text,
                (Type::Int | Type::Float, Type::Int | Type::Float) => Type::Float,
                _ if sum == Sum::Number => Type::Float,
                _ => Type::Unknown,
            },
        },
    }
}
