//! Constraints as people write them: `cuisine == "Indian" && year > 2000 && !vegan`.

use std::{fmt, iter::Peekable, ops::Range, str::FromStr, vec};

use crate::{Constraint, Date, Op, Value};

/// Brackets and `!` within one another. What people write has two or three.
const MAX_DEPTH: usize = 64;

/// Reads `cuisine == "Indian" && year > 2000 && !(vegan || price in [5, 7.5])`.
///
/// | what | means |
/// |---|---|
/// | `==` `!=` `<` `<=` `>` `>=` | a property compared with a value, in either order |
/// | `in [a, b]`, `not in [a, b]` | one of these, none of these |
/// | `name` | `name == true` |
/// | `name == null`, `name != null` | the object lacks it, has it |
/// | `&&` or `and`, `\|\|` or `or`, `!` or `not`, `( )` | as usual; `&&` binds closer than `\|\|` |
///
/// Values are `"text"` or `'text'` (with `\"`, `\\`, `\n`, `\t`), numbers, `true`, `false` and
/// `date("2021-07-01T12:00:00Z")`. A property whose name is no word stands in backquotes.
///
/// A comparison with a property that an object lacks is false, `!=` and `!name` included.
///
/// ```
/// use adb_model::Constraint;
/// let parsed: Constraint = r#"cuisine == "Indian" && !(year < 2000)"#.parse()?;
/// let indian = Constraint::equal("cuisine", "Indian");
/// assert_eq!(parsed, indian.and(Constraint::compare("year", adb_model::Op::Ge, 2000i64)));
/// # Ok::<_, adb_model::ExpressionError>(())
/// ```
impl FromStr for Constraint {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let fault = |(at, what)| ExpressionError { text: text.to_owned(), at, what };
        let tokens = tokens(text).map_err(fault)?;
        let mut parser =
            Parser { tokens: tokens.into_iter().peekable(), end: text.len(), depth: 0 };
        parser.whole().map_err(fault)
    }
}

/// What is wrong with a constraint, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    text: String,
    at: Range<usize>,
    what: String,
}

impl ExpressionError {
    /// The bytes of the text that are at fault.
    #[must_use]
    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text.get(..self.at.start).unwrap_or_default().chars().count();
        let marked = self.text.get(self.at.clone()).unwrap_or_default().chars().count().max(1);
        // One line, whatever was typed: the mark stands under the place.
        let line = self.text.replace(char::is_control, " ");
        write!(f, "{}\n  {line}\n  {}{}", self.what, " ".repeat(before), "^".repeat(marked))
    }
}

impl std::error::Error for ExpressionError {}

type Fault = (Range<usize>, String);

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A word; whether it stood in backquotes.
    Name(String, bool),
    Value(Value),
    Compare(Op),
    And,
    Or,
    Not,
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
}

fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, Fault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (token, length) = token(text, at, c)?;
        tokens.push((token, at..at + length));
        at += length;
    }
    Ok(tokens)
}

/// The token that begins with `c` at `at`, and its length.
fn token(text: &str, at: usize, c: char) -> Result<(Token, usize), Fault> {
    let rest = &text[at..];
    for (symbol, token) in [
        ("&&", Token::And),
        ("||", Token::Or),
        ("==", Token::Compare(Op::Eq)),
        ("!=", Token::Compare(Op::Ne)),
        ("<=", Token::Compare(Op::Le)),
        (">=", Token::Compare(Op::Ge)),
        ("<", Token::Compare(Op::Lt)),
        (">", Token::Compare(Op::Gt)),
        ("!", Token::Not),
        ("(", Token::Open),
        (")", Token::Close),
        ("[", Token::OpenList),
        ("]", Token::CloseList),
        (",", Token::Comma),
    ] {
        if rest.starts_with(symbol) {
            return Ok((token, symbol.len()));
        }
    }
    match c {
        '"' | '\'' => {
            let (value, length) = quoted(rest, c).ok_or_else(|| {
                (at..text.len(), format!("the text that begins here has no closing {c}"))
            })?;
            Ok((Token::Value(Value::String(value)), length))
        }
        '`' => match rest[1..].split_once('`') {
            Some((name, _)) if !name.is_empty() => {
                Ok((Token::Name(name.to_owned(), true), name.len() + 2))
            }
            _ => Err((at..text.len(), "a name in backquotes has no end, or is empty".to_owned())),
        },
        '-' | '.' | '_' => word(rest, at),
        c if c.is_alphanumeric() => word(rest, at),
        '=' => Err((at..at + 1, "`==` compares; a single `=` means nothing here".to_owned())),
        '&' => Err((at..at + 1, "`&&` means and; a single `&` means nothing here".to_owned())),
        '|' => Err((at..at + 1, "`||` means or; a single `|` means nothing here".to_owned())),
        other => Err((at..at + other.len_utf8(), format!("`{other}` means nothing here"))),
    }
}

/// A number, a keyword or a name. Names may begin with a digit, as `5_o_Clock_Shadow` does.
fn word(rest: &str, at: usize) -> Result<(Token, usize), Fault> {
    let mut length = 0;
    for (i, c) in rest.char_indices() {
        let exponent = matches!(rest[..i].chars().last(), Some('e' | 'E'))
            && rest[..i].starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
        let sign = matches!(c, '-' | '+') && (i == 0 || exponent);
        if !(c.is_alphanumeric() || c == '_' || c == '.' || sign) {
            break;
        }
        length = i + c.len_utf8();
    }
    let word = &rest[..length];
    let begins_a_number = |c: char| c.is_ascii_digit() || c == '-' || c == '.';
    if word.starts_with(begins_a_number) {
        if let Ok(whole) = word.parse::<i64>() {
            return Ok((Token::Value(Value::Int(whole)), length));
        }
        if let Some(number) = word.parse::<f64>().ok().filter(|number| number.is_finite()) {
            return Ok((Token::Value(Value::Float(number)), length));
        }
        if !word.starts_with(|c: char| c.is_ascii_digit()) || !word.contains(char::is_alphabetic) {
            return Err((at..at + length.max(1), format!("`{word}` is no number")));
        }
    }
    Ok((
        match word {
            "true" => Token::Value(Value::Bool(true)),
            "false" => Token::Value(Value::Bool(false)),
            "and" => Token::And,
            "or" => Token::Or,
            "not" => Token::Not,
            name => Token::Name(name.to_owned(), false),
        },
        length,
    ))
}

/// What stands between quotes, and how long it is with them.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            c if c == quote => return Some((value, i + 1)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    fn parsed(text: &str) -> String {
        text.parse::<Constraint>().unwrap().to_json(Dialect::Expression).to_string()
    }

    #[test]
    fn what_people_write() {
        for (text, wanted) in [
            ("a == 1", r#"["$a","==",1]"#),
            ("a==-1.5e-3", r#"["$a","==",-0.0015]"#),
            (
                r#"cuisine == "Indian" && year > 2000 && !Eyeglasses"#,
                r#"["all",["$cuisine","==","Indian"],["$year",">",2000],["$Eyeglasses","!=",true]]"#,
            ),
            (
                "a || b && c",
                r#"["any",["$a","==",true],["all",["$b","==",true],["$c","==",true]]]"#,
            ),
            (
                "(a or b) and not c",
                r#"["all",["any",["$a","==",true],["$b","==",true]],["$c","!=",true]]"#,
            ),
            ("5 < a", r#"["$a",">",5]"#),
            ("a in [1, 'x', true]", r#"["$a","in",{"array":[1,"x",true]}]"#),
            ("a not in (1)", r#"["$a","not in",{"array":[1]}]"#),
            ("!(a in [])", r#"["$a","not in",{"array":[]}]"#),
            ("a == null || !(b != null)", r#"["any",["$a","==",null],["$b","==",null]]"#),
            ("!(a < 1 || b >= 2)", r#"["all",["$a",">=",1],["$b","<",2]]"#),
            (
                "5_o_Clock_Shadow && `two words` == 'it\\'s'",
                r#"["all",["$5_o_Clock_Shadow","==",true],["$two words","==","it's"]]"#,
            ),
            (
                "born < date('2021-07-01')",
                r#"["$born","<",{"to_date":"2021-07-01T00:00:00+00:00"}]"#,
            ),
            ("größe == 'ß'", r#"["$größe","==","ß"]"#),
        ] {
            assert_eq!(parsed(text), wanted, "{text}");
        }
    }

    #[test]
    fn faults_are_pointed_at() {
        for (text, at, words) in [
            ("", 0..0, "missing"),
            ("a ==", 4..4, "a value is missing"),
            ("a = 1", 2..3, "`==`"),
            ("a == Indian", 5..11, "\"Indian\""),
            ("a == 1 b", 7..8, "`&&` or `||`"),
            ("(a == 1", 7..7, "`)` is missing"),
            ("a == 1)", 6..7, "never opened"),
            ("a == 'x", 5..7, "no closing"),
            ("a in 1", 5..6, "a list"),
            ("a in [1 2]", 8..9, "`,`"),
            ("a < null", 2..3, "null"),
            ("1", 0..1, "a value alone"),
            ("a && && b", 5..7, "a property is missing"),
            ("a == date('tomorrow')", 10..20, "tomorrow"),
            ("a & b", 2..3, "`&&`"),
            ("a == 1.2.3", 5..10, "no number"),
            ("a # b", 2..3, "means nothing"),
        ] {
            let error = text.parse::<Constraint>().unwrap_err();
            assert_eq!(error.at(), at, "{text}: {error}");
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
        let error = "größe = 1".parse::<Constraint>().unwrap_err().to_string();
        assert!(error.ends_with("\n  größe = 1\n        ^"), "{error}");
    }

    #[test]
    fn depth_is_bounded_and_nothing_panics() {
        let deep = "(".repeat(100_000);
        assert!(deep.parse::<Constraint>().unwrap_err().to_string().contains("64"));
        assert!("!".repeat(100_000).parse::<Constraint>().is_err());
        assert!(format!("{}a{}", "(".repeat(60), ")".repeat(60)).parse::<Constraint>().is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_constraint_or_a_fault_within_it(text in ".{0,40}") {
            if let Err(error) = text.parse::<Constraint>() {
                proptest::prop_assert!(error.at().end <= text.len());
                let _ = error.to_string();
            }
        }

        #[test]
        fn symbols_in_any_order(text in "[ab1.'\"`!=<>&|()\\[\\], -]{0,30}") {
            let _ = text.parse::<Constraint>();
        }
    }
}
