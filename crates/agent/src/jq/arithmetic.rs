//! `+ - * / %` between the values of a query.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::rc::Rc;

use jaq_core::Error;
use jaq_core::ops::Math;
use jaq_core::val::ValR;

use super::json::{Json, Object};

/// Text that a repetition may make; the language allows no more.
const MAX_TEXT: usize = 16 << 20;

fn undefined(left: Json, op: Math, right: Json) -> ValR<Json> {
    Err(Error::math(left, op, right))
}

fn numbers(left: &Json, right: &Json) -> Option<(f64, f64)> {
    Some((left.to_f64()?, right.to_f64()?))
}

impl Add for Json {
    type Output = ValR<Self>;

    fn add(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Null, other) | (other, Self::Null) => Ok(other),
            (Self::Int(a), Self::Int(b)) => {
                Ok(a.checked_add(b).map_or_else(|| Self::number(a as f64 + b as f64), Self::Int))
            }
            (Self::Text(a), Self::Text(b)) => Ok(Self::Text([&*a, &*b].concat().into())),
            (Self::List(mut a), Self::List(b)) => {
                Rc::make_mut(&mut a).extend(b.iter().cloned());
                Ok(Self::List(a))
            }
            (Self::Object(mut a), Self::Object(b)) => {
                Rc::make_mut(&mut a).extend(b.iter().map(|(key, value)| (key.clone(), value.clone())));
                Ok(Self::Object(a))
            }
            (a, b) => match numbers(&a, &b) {
                Some((x, y)) => Ok(Self::number(x + y)),
                None => undefined(a, Math::Add, b),
            },
        }
    }
}

impl Sub for Json {
    type Output = ValR<Self>;

    fn sub(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => {
                Ok(a.checked_sub(b).map_or_else(|| Self::number(a as f64 - b as f64), Self::Int))
            }
            (Self::List(a), Self::List(b)) => Ok(a.iter().filter(|item| !b.contains(item)).cloned().collect()),
            (a, b) => match numbers(&a, &b) {
                Some((x, y)) => Ok(Self::number(x - y)),
                None => undefined(a, Math::Sub, b),
            },
        }
    }
}

impl Mul for Json {
    type Output = ValR<Self>;

    fn mul(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => {
                Ok(a.checked_mul(b).map_or_else(|| Self::number(a as f64 * b as f64), Self::Int))
            }
            (Self::Object(a), Self::Object(b)) => Ok(Self::Object(merged(a, &b))),
            (Self::Text(text), times @ (Self::Int(_) | Self::Float(_)))
            | (times @ (Self::Int(_) | Self::Float(_)), Self::Text(text)) => repeated(&text, &times),
            (a, b) => match numbers(&a, &b) {
                Some((x, y)) => Ok(Self::number(x * y)),
                None => undefined(a, Math::Mul, b),
            },
        }
    }
}

fn merged(mut left: Rc<Object>, right: &Object) -> Rc<Object> {
    let entries = Rc::make_mut(&mut left);
    for (key, value) in right {
        let value = match (entries.remove(key), value) {
            (Some(Json::Object(old)), Json::Object(new)) => Json::Object(merged(old, new)),
            (_, value) => value.clone(),
        };
        entries.insert(key.clone(), value);
    }
    left
}

fn repeated(text: &str, times: &Json) -> ValR<Json> {
    let times = times.to_f64().unwrap_or(f64::NAN);
    if times < 0.0 || times.is_nan() {
        return Ok(Json::Null);
    }
    if text.len() as f64 * times > MAX_TEXT as f64 {
        return Err(Error::str("repeated text is too long"));
    }
    Ok(text.repeat(times as usize).into())
}

impl Div for Json {
    type Output = ValR<Self>;

    fn div(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Text(text), Self::Text(separator)) => Ok(super::functions::split(&text, &separator)),
            (a, b) => match numbers(&a, &b) {
                Some((_, 0.0)) => Err(Error::str(format_args!("cannot divide {a} by: {b}"))),
                Some((x, y)) => match (&a, &b) {
                    (Self::Int(whole), Self::Int(part)) if whole.checked_rem(*part) == Some(0) => {
                        Ok(Self::Int(whole / part))
                    }
                    _ => Ok(Self::number(x / y)),
                },
                None => undefined(a, Math::Div, b),
            },
        }
    }
}

impl Rem for Json {
    type Output = ValR<Self>;

    /// Of the whole parts.
    fn rem(self, other: Self) -> ValR<Self> {
        match numbers(&self, &other) {
            Some((x, y)) if x.is_nan() || y.is_nan() => Ok(Self::Float(f64::NAN)),
            Some(_) => match (self.to_index().unwrap_or(0), other.to_index().unwrap_or(0)) {
                (_, 0) => Err(Error::str(format_args!("cannot modulo {self} by: {other}"))),
                (a, b) => Ok(Self::Int(a.wrapping_rem(b))),
            },
            None => undefined(self, Math::Rem, other),
        }
    }
}

impl Neg for Json {
    type Output = ValR<Self>;

    fn neg(self) -> ValR<Self> {
        match self {
            Self::Int(n) => Ok(n.checked_neg().map_or_else(|| Self::number(-(n as f64)), Self::Int)),
            Self::Float(x) => Ok(Self::number(-x)),
            other => Err(Error::typ(other, "number")),
        }
    }
}
