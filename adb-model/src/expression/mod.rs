//! Constraints as people write them: `cuisine == "Indian" && year > 2000 && !vegan`.

mod parser;
mod tokens;

use std::{fmt, ops::Range, str::FromStr};

use crate::Constraint;

use parser::parsed;

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
        parsed(text).map_err(fault)
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
