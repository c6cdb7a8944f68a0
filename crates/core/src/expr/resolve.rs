//! Partial evaluation: pass after pass, replace what is known, fold what became constant, keep the rest.

use std::cell::Cell;

use super::functions::{self, Function};
use super::limits::{MAX_PASSES, MAX_WORK};
use super::node::{Arg, Callee, Kind, Node, Op, Sum, Type, type_of};
use super::operators;
use super::scope::Scope;
use super::value::Value;
use super::{ExprError, excerpt, print};

/// What one resolution may still do; shared with the inner expressions of `map` and `filter`.
pub(crate) struct Work(Cell<usize>);

impl Work {
    pub(crate) fn new() -> Self {
        Self(Cell::new(MAX_WORK))
    }

    pub(crate) fn spend(&self, amount: usize) -> Result<(), ExprError> {
        match self.0.get().checked_sub(amount) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(ExprError::new("expression takes too much work")),
        }
    }
}

pub(crate) struct Resolution<'a> {
    pub(crate) scopes: &'a [&'a dyn Scope],
    pub(crate) work: &'a Work,
}

impl Resolution<'_> {
    pub(crate) fn run(&self, mut node: Node) -> Result<Node, ExprError> {
        for _ in 0..MAX_PASSES {
            if node.is_static() {
                return Ok(node);
            }
            match self.pass(&node)? {
                Some(next) => node = next,
                None => return Ok(node),
            }
        }
        Err(ExprError::new("maximum call stack exceeded while resolving expression"))
    }

    /// One step everywhere; nothing if nothing changed.
    fn pass(&self, node: &Node) -> Result<Option<Node>, ExprError> {
        let kind = match node {
            Node::Static(_) => return Ok(None),
            Node::Name(_) if self.scopes.is_empty() => return Ok(None),
            Node::Name(path) => return self.name(path),
            Node::Tree(tree) => &tree.kind,
        };
        self.work.spend(1)?;
        match kind {
            Kind::Property(base, key) => self.property(base, key),
            Kind::Call(callee, args) => self.call(node, callee, args),
            Kind::Not(operand) => self.not(operand),
            Kind::Binary(op @ (Op::And | Op::Or), left, right) => self.logic(*op, left, right),
            Kind::Binary(op, left, right) => self.binary(node, *op, left, right),
            Kind::Choice(condition, then, otherwise) => self.choice(condition, then, otherwise),
        }
    }

    fn name(&self, path: &str) -> Result<Option<Node>, ExprError> {
        for scope in self.scopes {
            if let Some(answer) = known(*scope, path)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    fn property(&self, base: &Node, key: &std::sync::Arc<str>) -> Result<Option<Node>, ExprError> {
        let changed = self.pass(base)?;
        match (changed.as_ref().unwrap_or(base), &changed) {
            (Node::Static(value), _) => functions::at_key(value, key).map(|value| Some(Node::Static(value))),
            (_, Some(_)) => changed.map(|base| Node::property(base, key.clone())).transpose(),
            (_, None) => Ok(None),
        }
    }

    fn not(&self, operand: &Node) -> Result<Option<Node>, ExprError> {
        let changed = self.pass(operand)?;
        if let Node::Static(value) = changed.as_ref().unwrap_or(operand) {
            return Ok(Some(Node::Static(Value::Bool(!value.bool_form()))));
        }
        changed.map(Node::not).transpose()
    }

    fn logic(&self, op: Op, left: &Node, right: &Node) -> Result<Option<Node>, ExprError> {
        let new_left = self.pass(left)?;
        let now_left = new_left.as_ref().unwrap_or(left);
        if let Node::Static(value) = now_left {
            let goes_on = value.bool_form() == (op == Op::And);
            return Ok(Some(if goes_on { right.clone() } else { now_left.clone() }));
        }
        let new_right = self.pass(right)?;
        let now_right = new_right.as_ref().unwrap_or(right);
        if let Node::Static(Value::Bool(truth)) = now_right
            && type_of(now_left, Sum::Open) == Type::Bool
        {
            let settles = *truth == (op == Op::Or);
            return Ok(Some(if settles { now_right.clone() } else { now_left.clone() }));
        }
        rebuilt(op, left, right, new_left, new_right)
    }

    fn binary(&self, node: &Node, op: Op, left: &Node, right: &Node) -> Result<Option<Node>, ExprError> {
        let new_left = self.pass(left)?;
        let new_right = self.pass(right)?;
        let sides = (new_left.as_ref().unwrap_or(left), new_right.as_ref().unwrap_or(right));
        if let (Node::Static(a), Node::Static(b)) = sides {
            return match operators::compute(op, a, b) {
                Ok(value) => Ok(Some(Node::Static(value))),
                Err(error) => {
                    let now = rebuilt(op, left, right, new_left, new_right)?;
                    let text = excerpt(print::text(now.as_ref().unwrap_or(node)));
                    Err(error.within(&format!("error while performing math: {text}")))
                }
            };
        }
        rebuilt(op, left, right, new_left, new_right)
    }

    fn choice(&self, condition: &Node, then: &Node, otherwise: &Node) -> Result<Option<Node>, ExprError> {
        let new_condition = self.pass(condition)?;
        if let Node::Static(value) = new_condition.as_ref().unwrap_or(condition) {
            return Ok(Some(if value.bool_form() { then.clone() } else { otherwise.clone() }));
        }
        let new_then = self.pass(then)?;
        let new_otherwise = self.pass(otherwise)?;
        if new_condition.is_none() && new_then.is_none() && new_otherwise.is_none() {
            return Ok(None);
        }
        let or = |new: Option<Node>, old: &Node| new.unwrap_or_else(|| old.clone());
        Node::choice(or(new_condition, condition), or(new_then, then), or(new_otherwise, otherwise)).map(Some)
    }

    fn call(&self, node: &Node, callee: &Callee, args: &[Arg]) -> Result<Option<Node>, ExprError> {
        let mut changed: Option<Vec<Arg>> = None;
        for (index, arg) in args.iter().enumerate() {
            if let Some(new) = self.pass(&arg.node)? {
                changed.get_or_insert_with(|| args.to_vec())[index].node = new;
            }
        }
        if let Some(args) = changed {
            return Node::call(callee.clone(), args.into()).map(Some);
        }
        let answer = match callee {
            Callee::Standard(Function::Any) => functions::any(args),
            _ if args.iter().any(|arg| !arg.node.is_static()) => return Ok(uncast(callee, args)),
            _ => self.call_static(callee, args),
        };
        answer.map_err(|error| error.within(&format!("error while calling {}", excerpt(print::text(node)))))
    }

    fn call_static(&self, callee: &Callee, args: &[Arg]) -> Result<Option<Node>, ExprError> {
        match args {
            [] => self.answer(callee, &[]),
            [Arg { node: Node::Static(a), spread: false }] => self.answer(callee, std::slice::from_ref(a)),
            [Arg { node: Node::Static(a), spread: false }, Arg { node: Node::Static(b), spread: false }] => {
                self.answer(callee, &[a.clone(), b.clone()])
            }
            _ => self.answer(callee, &functions::spread(args)?),
        }
    }

    fn answer(&self, callee: &Callee, args: &[Value]) -> Result<Option<Node>, ExprError> {
        let (function, name) = match callee {
            Callee::Standard(function) => match function.run(args, self.work)? {
                Some(node) => return Ok(Some(node)),
                None => (Some(*function), function.name()),
            },
            Callee::Other(name) => (None, &**name),
        };
        for scope in self.scopes {
            if let Some(answer) = scope.call(name, args)? {
                return Ok(Some(answer.0));
            }
        }
        if let Some(function) = function
            && let Ok(Some(Node::Static(Value::Str(directory)))) = self.name("workingDir")
        {
            return functions::in_directory(function, args, &directory);
        }
        Ok(None)
    }
}

/// A scope's answer for a name, or else for the part of it before the last dot. Errors count only if both fail.
fn known(scope: &dyn Scope, path: &str) -> Result<Option<Node>, ExprError> {
    let error = match scope.get(path) {
        Ok(Some(answer)) => return Ok(Some(answer.0)),
        Ok(None) => None,
        Err(error) => Some(error),
    };
    if let Some((parent, key)) = path.rsplit_once('.')
        && let Ok(Some(parent)) = known(scope, parent)
    {
        match parent {
            Node::Static(value) => {
                if let Ok(value) = functions::at_key(&value, key) {
                    return Ok(Some(Node::Static(value)));
                }
            }
            residual => return Node::property(residual, key.into()).map(Some),
        }
    }
    match error {
        Some(error) => Err(error.within(&format!("error while accessing {path}"))),
        None => Ok(None),
    }
}

fn rebuilt(
    op: Op,
    left: &Node,
    right: &Node,
    new_left: Option<Node>,
    new_right: Option<Node>,
) -> Result<Option<Node>, ExprError> {
    if new_left.is_none() && new_right.is_none() {
        return Ok(None);
    }
    let left = new_left.unwrap_or_else(|| left.clone());
    let right = new_right.unwrap_or_else(|| right.clone());
    Node::binary(op, left, right).map(Some)
}

/// A cast of what is of that type already says nothing.
fn uncast(callee: &Callee, args: &[Arg]) -> Option<Node> {
    let Callee::Standard(function) = callee else { return None };
    let target = match function {
        Function::String | Function::Int | Function::Float | Function::Bool => function.result_type(),
        _ => return None,
    };
    match args {
        [Arg { node, spread: false }] if type_of(node, Sum::Open) == target => Some(node.clone()),
        _ => None,
    }
}
