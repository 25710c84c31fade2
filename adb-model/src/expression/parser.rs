//! From words to a constraint: `or` binds least, then `and`, then `not`.

use std::{iter::Peekable, ops::Range, vec};

use super::{
    Fault,
    tokens::{Token, tokens},
};
use crate::{Constraint, Date, Op, Value};

/// Brackets and `!` within one another. What people write has two or three.
const MAX_DEPTH: usize = 64;

/// The constraint that a text is, all of it.
pub(super) fn parsed(text: &str) -> Result<Constraint, Fault> {
    let tokens = tokens(text)?.into_iter().peekable();
    Parser { tokens, end: text.len(), depth: 0 }.whole()
}

struct Parser {
    tokens: Peekable<vec::IntoIter<(Token, Range<usize>)>>,
    end: usize,
    depth: usize,
}

impl Parser {
    fn whole(&mut self) -> Result<Constraint, Fault> {
        let constraint = self.either()?;
        match self.tokens.next() {
            None => Ok(constraint),
            Some((Token::Close, at)) => Err((at, "this bracket was never opened".to_owned())),
            Some((_, at)) => Err((at, "`&&` or `||` is missing before this".to_owned())),
        }
    }

    fn takes(&mut self, token: &Token) -> bool {
        self.tokens.next_if(|(next, _)| next == token).is_some()
    }

    fn place(&mut self) -> Range<usize> {
        let end = self.end;
        self.tokens.peek().map_or(end..end, |(_, at)| at.clone())
    }

    fn either(&mut self) -> Result<Constraint, Fault> {
        let mut constraint = self.both()?;
        while self.takes(&Token::Or) {
            constraint = constraint.or(self.both()?);
        }
        Ok(constraint)
    }

    fn both(&mut self) -> Result<Constraint, Fault> {
        let mut constraint = self.one()?;
        while self.takes(&Token::And) {
            constraint = constraint.and(self.one()?);
        }
        Ok(constraint)
    }

    fn one(&mut self) -> Result<Constraint, Fault> {
        let at = self.place();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err((at, format!("this is nested more than {MAX_DEPTH} deep")));
        }
        let constraint = if self.takes(&Token::Not) {
            negated(self.one()?)
        } else if self.takes(&Token::Open) {
            let inner = self.either()?;
            if !self.takes(&Token::Close) {
                let place = self.place();
                return Err((place, "a `)` is missing here".to_owned()));
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(constraint)
    }

    fn comparison(&mut self) -> Result<Constraint, Fault> {
        let end = self.end..self.end;
        let Some((token, at)) = self.tokens.next() else {
            return Err((end, "a comparison is missing here, such as `year > 2000`".to_owned()));
        };
        match token {
            Token::Name(word, false) if word == "date" && self.is(&Token::Open) => {
                let value = self.date()?;
                self.turned(value, at)
            }
            Token::Name(name, _) => self.of(name),
            Token::Value(value) => self.turned(value, at),
            _ => Err((at, "a property is missing before this".to_owned())),
        }
    }

    fn is(&mut self, token: &Token) -> bool {
        self.tokens.peek().is_some_and(|(next, _)| next == token)
    }

    /// What follows a property.
    fn of(&mut self, property: String) -> Result<Constraint, Fault> {
        let in_word = Token::Name("in".to_owned(), false);
        if let Some((Token::Compare(op), at)) =
            self.tokens.next_if(|(next, _)| matches!(next, Token::Compare(_)))
        {
            let null = Token::Name("null".to_owned(), false);
            if self.takes(&null) {
                return match op {
                    Op::Eq | Op::Ne => {
                        Ok(Constraint::Present { property: property.into(), present: op == Op::Ne })
                    }
                    _ => Err((at, "null is neither less nor greater than anything".to_owned())),
                };
            }
            return Ok(Constraint::compare(property, op, self.value()?));
        }
        if self.takes(&in_word) {
            return Ok(Constraint::one_of(property, self.list()?));
        }
        if self.takes(&Token::Not) {
            if !self.takes(&in_word) {
                let place = self.place();
                return Err((place, "after `not`, `in` is missing".to_owned()));
            }
            return Ok(negated(Constraint::one_of(property, self.list()?)));
        }
        Ok(Constraint::equal(property, true))
    }

    /// A value that stands before its property.
    fn turned(&mut self, value: Value, at: Range<usize>) -> Result<Constraint, Fault> {
        let Some((Token::Compare(op), _)) =
            self.tokens.next_if(|(next, _)| matches!(next, Token::Compare(_)))
        else {
            return Err((
                at,
                "a value alone is no condition; compare a property with it".to_owned(),
            ));
        };
        match self.tokens.next() {
            Some((Token::Name(name, _), _)) => Ok(Constraint::compare(name, turned(op), value)),
            Some((_, at)) => Err((at, "a property is wanted here".to_owned())),
            None => Err((self.end..self.end, "a property is missing here".to_owned())),
        }
    }

    fn value(&mut self) -> Result<Value, Fault> {
        match self.tokens.next() {
            Some((Token::Value(value), _)) => Ok(value),
            Some((Token::Name(word, false), _)) if word == "date" && self.is(&Token::Open) => {
                self.date()
            }
            Some((Token::Name(word, _), at)) => {
                Err((at, format!("a value is wanted here; text has quotes: \"{word}\"")))
            }
            Some((_, at)) => Err((at, "a value is wanted here".to_owned())),
            None => Err((self.end..self.end, "a value is missing here".to_owned())),
        }
    }

    fn list(&mut self) -> Result<Vec<Value>, Fault> {
        let close = match self.tokens.next() {
            Some((Token::OpenList, _)) => Token::CloseList,
            Some((Token::Open, _)) => Token::Close,
            Some((_, at)) => return Err((at, "a list is wanted here: `[1, 2]`".to_owned())),
            None => {
                return Err((self.end..self.end, "a list is missing here: `[1, 2]`".to_owned()));
            }
        };
        let mut values = Vec::new();
        if self.takes(&close) {
            return Ok(values);
        }
        loop {
            values.push(self.value()?);
            if self.takes(&close) {
                return Ok(values);
            }
            if !self.takes(&Token::Comma) {
                let place = self.place();
                return Err((place, "a `,` or the end of the list is missing here".to_owned()));
            }
        }
    }

    /// What follows the word `date`.
    fn date(&mut self) -> Result<Value, Fault> {
        self.takes(&Token::Open);
        let (text, at) = match self.tokens.next() {
            Some((Token::Value(Value::String(text)), at)) => (text, at),
            Some((_, at)) => {
                return Err((at, "a date is wanted here: `date(\"2021-07-01\")`".to_owned()));
            }
            None => return Err((self.end..self.end, "a date is missing here".to_owned())),
        };
        if !self.takes(&Token::Close) {
            let place = self.place();
            return Err((place, "a `)` is missing here".to_owned()));
        }
        text.parse::<Date>().map(Value::Date).map_err(|e| (at, e.to_string()))
    }
}

/// `5 < x` is `x > 5`.
const fn turned(op: Op) -> Op {
    match op {
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
        same => same,
    }
}

/// What holds where the constraint does not, of objects that have the properties.
fn negated(constraint: Constraint) -> Constraint {
    match constraint {
        Constraint::Compare { property, op, value } => {
            let op = match op {
                Op::Eq => Op::Ne,
                Op::Ne => Op::Eq,
                Op::Lt => Op::Ge,
                Op::Le => Op::Gt,
                Op::Gt => Op::Le,
                Op::Ge => Op::Lt,
            };
            Constraint::Compare { property, op, value }
        }
        Constraint::OneOf { property, values, negated } => {
            Constraint::OneOf { property, values, negated: !negated }
        }
        Constraint::Present { property, present } => {
            Constraint::Present { property, present: !present }
        }
        Constraint::All(members) => Constraint::Any(members.into_iter().map(negated).collect()),
        Constraint::Any(members) => Constraint::All(members.into_iter().map(negated).collect()),
    }
}
