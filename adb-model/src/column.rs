//! Columns: a model's properties, connections and embeddings as the compiler knows them, from
//! which filters are made.

use std::{
    borrow::Cow,
    marker::PhantomData,
    ops::{Bound, RangeBounds},
};

use crate::{
    Constraint, Field, FieldKind, FieldPlace, GraphBuilder, NodeId, Op, Property, Record, Relation,
    Value, ValueError, ValueType, error::ModelError,
};

/// A property of model `M`, stored in a field of type `T`.
///
/// `#[derive(DataModel)]` makes one for each property; the closures of
/// [`Find::filter`](crate::query::Find::filter) and [`sort`](crate::query::Find::sort) get them.
#[derive(Debug)]
pub struct Column<M, T> {
    property: &'static str,
    types: PhantomData<fn() -> (M, T)>,
}

impl<M, T> Clone for Column<M, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M, T> Copy for Column<M, T> {}

/// Which objects of model `M` are meant.
#[derive(Debug)]
#[must_use = "a filter does nothing until a search takes it"]
pub struct Filter<M> {
    constraint: Result<Constraint, (Cow<'static, str>, ValueError)>,
    model: PhantomData<fn() -> M>,
}

/// A value that a property of type `T` can be compared with, or set to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value of a `{T}` property",
    label = "expected `{T}`",
    note = "an `Option` is no value either: `unset()` takes a property away, `is_absent()` and `is_present()` ask whether it is there"
)]
pub trait Operand<T> {
    /// The value as the database has it.
    ///
    /// # Errors
    /// When it can't hold it.
    fn operand(self) -> Result<Value, ValueError>;
}

impl<T: Property> Operand<T> for T {
    fn operand(self) -> Result<Value, ValueError> {
        self.to_value()
    }
}

impl Operand<String> for &str {
    fn operand(self) -> Result<Value, ValueError> {
        Ok(Value::from(self))
    }
}

/// A type whose columns can be sorted, set and asked for presence: every property, no media.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a property",
    label = "this can be done with properties only"
)]
pub trait Comparable {}

#[diagnostic::do_not_recommend]
impl<T: Property> Comparable for T {}

/// The type of every column of a model with errors: it agrees to all that is done with it, so that
/// the model's own errors are the only ones.
#[doc(hidden)]
#[derive(Debug)]
pub enum AnyColumn {}

impl Comparable for AnyColumn {}

impl Field for AnyColumn {
    type Stored = Self;
    const KIND: FieldKind = FieldKind::Property { value_type: ValueType::Bool, optional: true };
    fn add(&self, _: &mut GraphBuilder, _: NodeId, _: FieldPlace) -> Result<(), ModelError> {
        match *self {}
    }
    fn is_absent(_: &Record, _: FieldPlace) -> bool {
        true
    }
    fn read(_: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        Err(at.error(crate::ModelErrorKind::Absent { property: at.property }))
    }
}

impl<V> Operand<AnyColumn> for V {
    fn operand(self) -> Result<Value, ValueError> {
        Ok(Value::Bool(true))
    }
}

impl<M, T> Column<M, T> {
    /// The column of a property.
    #[must_use]
    pub const fn new(property: &'static str) -> Self {
        Self { property, types: PhantomData }
    }

    /// The property's name in the database.
    #[must_use]
    pub const fn property(self) -> &'static str {
        self.property
    }
}

impl<M, T: Field> Column<M, T> {
    /// `== value`
    pub fn eq(self, value: impl Operand<T::Stored>) -> Filter<M> {
        self.compare(Op::Eq, value)
    }

    /// `!= value`. An object that lacks the property does not pass.
    pub fn ne(self, value: impl Operand<T::Stored>) -> Filter<M> {
        self.compare(Op::Ne, value)
    }

    /// `< value`
    pub fn lt(self, value: impl Operand<T::Stored>) -> Filter<M> {
        self.compare(Op::Lt, value)
    }

    /// `<= value`
    pub fn le(self, value: impl Operand<T::Stored>) -> Filter<M> {
        self.compare(Op::Le, value)
    }

    /// `> value`
    pub fn gt(self, value: impl Operand<T::Stored>) -> Filter<M> {
        self.compare(Op::Gt, value)
    }

    /// `>= value`
    pub fn ge(self, value: impl Operand<T::Stored>) -> Filter<M> {
        self.compare(Op::Ge, value)
    }

    /// Within a range, such as `18..65` or `..=9.5`.
    pub fn within<V: Operand<T::Stored> + Clone>(self, range: impl RangeBounds<V>) -> Filter<M> {
        let lower = match range.start_bound() {
            Bound::Included(v) => self.compare(Op::Ge, v.clone()),
            Bound::Excluded(v) => self.compare(Op::Gt, v.clone()),
            Bound::Unbounded => Filter::everything(),
        };
        let upper = match range.end_bound() {
            Bound::Included(v) => self.compare(Op::Le, v.clone()),
            Bound::Excluded(v) => self.compare(Op::Lt, v.clone()),
            Bound::Unbounded => Filter::everything(),
        };
        lower.and(upper)
    }

    /// One of these values. One of none: no object passes.
    pub fn one_of<V: Operand<T::Stored>>(self, values: impl IntoIterator<Item = V>) -> Filter<M> {
        self.member(values, false)
    }

    /// None of these values. An object that lacks the property does not pass.
    pub fn none_of<V: Operand<T::Stored>>(self, values: impl IntoIterator<Item = V>) -> Filter<M> {
        self.member(values, true)
    }

    fn compare(self, op: Op, value: impl Operand<T::Stored>) -> Filter<M> {
        self.made(value.operand().map(|value| Constraint::compare(self.property, op, value)))
    }

    fn member<V: Operand<T::Stored>>(
        self,
        values: impl IntoIterator<Item = V>,
        negated: bool,
    ) -> Filter<M> {
        let values: Result<Vec<Value>, ValueError> =
            values.into_iter().map(Operand::operand).collect();
        self.made(values.map(|values| Constraint::OneOf {
            property: self.property.into(),
            values,
            negated,
        }))
    }

    fn made(self, constraint: Result<Constraint, ValueError>) -> Filter<M> {
        Filter::made(self.property, constraint)
    }
}

impl<M, T: Field<Stored: Comparable>> Column<M, T> {
    /// Objects that lack the property.
    pub fn is_absent(self) -> Filter<M> {
        self.presence(false)
    }

    /// Objects that have the property.
    pub fn is_present(self) -> Filter<M> {
        self.presence(true)
    }

    /// Smallest first.
    #[must_use]
    pub fn ascending(self) -> Sort<M> {
        Sort::new(self.property, false)
    }

    /// Largest first.
    #[must_use]
    pub fn descending(self) -> Sort<M> {
        Sort::new(self.property, true)
    }

    /// Gives the property a value: for [`Find::update`](crate::query::Find::update). To take the
    /// property away, which is what `None` would mean, there is [`unset`](Column::unset).
    #[must_use]
    pub fn set(self, value: impl Operand<T::Stored>) -> Assignment<M> {
        Assignment::new(self.property, value.operand().map(Some))
    }

    /// Takes the property away.
    #[must_use]
    pub fn unset(self) -> Assignment<M> {
        Assignment::new(self.property, Ok(None))
    }

    fn presence(self, present: bool) -> Filter<M> {
        self.made(Ok(Constraint::Present { property: self.property.into(), present }))
    }
}

impl<M> Filter<M> {
    pub(crate) fn made(property: &'static str, constraint: Result<Constraint, ValueError>) -> Self {
        let constraint = constraint.map_err(|e| (Cow::Borrowed(property), e));
        Self { constraint, model: PhantomData }
    }

    /// Lets every object pass.
    pub fn everything() -> Self {
        Self::from(Constraint::All(Vec::new()))
    }

    /// Both must hold.
    pub fn and(self, other: Self) -> Self {
        self.join(other, Constraint::and)
    }

    /// One of the two must hold.
    pub fn or(self, other: Self) -> Self {
        self.join(other, Constraint::or)
    }

    fn join(self, other: Self, join: fn(Constraint, Constraint) -> Constraint) -> Self {
        let constraint = match (self.constraint, other.constraint) {
            (Ok(a), Ok(b)) => Ok(join(a, b)),
            (Err(e), _) | (_, Err(e)) => Err(e),
        };
        Self { constraint, model: PhantomData }
    }

    /// The constraint.
    ///
    /// # Errors
    /// When the database can't hold a value that it compares with.
    pub(crate) fn constraint(self) -> Result<Constraint, ModelError> {
        self.constraint.map_err(|(property, e)| ModelError::new(property, e.into()))
    }
}

/// A constraint made by hand, on properties that the compiler does not know.
impl<M> From<Constraint> for Filter<M> {
    fn from(constraint: Constraint) -> Self {
        Self { constraint: Ok(constraint), model: PhantomData }
    }
}

/// A property's new value, or its end.
#[derive(Debug, Clone)]
pub struct Assignment<M> {
    pub(crate) property: &'static str,
    pub(crate) value: Result<Option<Value>, ValueError>,
    model: PhantomData<fn() -> M>,
}

impl<M> Assignment<M> {
    pub(crate) fn new(property: &'static str, value: Result<Option<Value>, ValueError>) -> Self {
        Self { property, value, model: PhantomData }
    }
}

/// In which order objects of model `M` come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort<M> {
    pub(crate) property: &'static str,
    pub(crate) descending: bool,
    model: PhantomData<fn() -> M>,
}

impl<M> Sort<M> {
    pub(crate) fn new(property: &'static str, descending: bool) -> Self {
        Self { property, descending, model: PhantomData }
    }
}

/// How a field of model `M` joins it to others: `C` is the field's type.
#[derive(Debug)]
pub struct Link<M, C> {
    relation: Relation,
    models: PhantomData<fn() -> (M, C)>,
}

impl<M, C> Clone for Link<M, C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M, C> Copy for Link<M, C> {}

impl<M, C> Link<M, C> {
    /// The link of a field.
    #[must_use]
    pub const fn new(relation: Relation) -> Self {
        Self { relation, models: PhantomData }
    }

    /// How the two are joined.
    #[must_use]
    pub const fn relation(self) -> Relation {
        self.relation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    struct Person;
    const AGE: Column<Person, u8> = Column::new("age");
    const NAME: Column<Person, String> = Column::new("name");
    const HEIGHT: Column<Person, f64> = Column::new("height");

    fn classic(filter: Filter<Person>) -> String {
        filter.constraint().unwrap().to_json(Dialect::Classic).to_string()
    }

    #[test]
    fn filters_read_like_their_meaning() {
        assert_eq!(
            classic(AGE.ge(18).and(NAME.ne("Al"))),
            r#"{"age":[">=",18],"name":["!=","Al"]}"#
        );
        assert_eq!(classic(AGE.within(18..65)), r#"{"age":[">=",18,"<",65]}"#);
        assert_eq!(classic(AGE.within(..=9)), r#"{"age":["<=",9]}"#);
        assert_eq!(classic(NAME.one_of(["a", "b"])), r#"{"name":["in",["a","b"]]}"#);
        assert_eq!(
            classic(AGE.lt(3).or(NAME.is_absent())),
            r#"{"any":{"age":["<",3],"name":["==",null]}}"#
        );
    }

    #[test]
    fn a_value_that_can_not_be_compared_is_named() {
        let err = HEIGHT.gt(f64::NAN).and(AGE.ge(1)).constraint().unwrap_err();
        assert!(err.to_string().contains("NaN") && err.place() == "height", "{err}");
    }
}
