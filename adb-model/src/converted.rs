//! Fields with `#[adb(with = …)]`: stored through functions of the user's.

use crate::{
    Constraint, FieldPlace, Filter, ModelError, Op, Record, Value, ValueError, ValueType,
    column::{Assignment, Sort},
    error::ModelErrorKind,
};

/// A field whose values are made from `T`s: a `T`, or an `Option` of one. Which it is follows from
/// what the functions take.
#[diagnostic::on_unimplemented(
    message = "the functions of `with` take a `{T}`, and the field is a `{Self}`",
    label = "expected `{T}` or `Option<{T}>`"
)]
pub trait WithField<T>: Sized {
    /// Whether it may be absent.
    const OPTIONAL: bool;
    /// The value that is converted, if there is one.
    fn given(&self) -> Option<&T>;
    /// The field from the converted value; nothing if it can't be without one.
    fn made(value: Option<T>) -> Option<Self>;
}

impl<T> WithField<T> for T {
    const OPTIONAL: bool = false;
    fn given(&self) -> Option<&T> {
        Some(self)
    }
    fn made(value: Option<T>) -> Option<Self> {
        value
    }
}

impl<T> WithField<T> for Option<T> {
    const OPTIONAL: bool = true;
    fn given(&self) -> Option<&T> {
        self.as_ref()
    }
    fn made(value: Option<T>) -> Option<Self> {
        Some(value)
    }
}

/// Whether a field may be absent, by what `to_value` takes.
#[doc(hidden)]
#[must_use]
pub const fn with_is_optional<F: WithField<T>, T, V, E>(_: fn(&T) -> Result<V, E>) -> bool {
    F::OPTIONAL
}

/// The value to store.
///
/// # Errors
/// Those of `to_value`, and a value of another type than the `TYPE` beside it.
#[doc(hidden)]
pub fn with_value<F: WithField<T>, T, V: Into<Value>, E: Into<ValueError>>(
    field: &F,
    value_type: ValueType,
    to_value: fn(&T) -> Result<V, E>,
) -> Result<Option<Value>, ValueError> {
    let Some(given) = field.given() else { return Ok(None) };
    let value: Value = to_value(given).map_err(Into::into)?.into();
    if value.value_type() == value_type {
        Ok(Some(value))
    } else {
        Err(ValueError::NotTheType { declared: value_type, got: value.value_type() })
    }
}

/// The value to store, with the field named in errors.
///
/// # Errors
/// Those of [`with_value`].
#[doc(hidden)]
pub fn with_property<F: WithField<T>, T, V: Into<Value>, E: Into<ValueError>>(
    field: &F,
    at: FieldPlace,
    value_type: ValueType,
    to_value: fn(&T) -> Result<V, E>,
) -> Result<Option<Value>, ModelError> {
    with_value(field, value_type, to_value).map_err(|e| at.error(e.into()))
}

/// Reads the field back.
///
/// # Errors
/// Those of `from_value`; when the object lacks the property and the field is no `Option`.
#[doc(hidden)]
pub fn with_read<F: WithField<T>, T, E: Into<ValueError>>(
    record: &Record,
    at: FieldPlace,
    from_value: fn(Value) -> Result<T, E>,
) -> Result<F, ModelError> {
    let value = record.get(at.property).map_err(|e| at.error(e.into()))?;
    let value = value.map(from_value).transpose().map_err(|e| at.error(e.into().into()))?;
    F::made(value).ok_or_else(|| at.error(ModelErrorKind::Absent { property: at.property }))
}

/// The column of a property with `#[adb(with = …)]`, in a field of type `F`: values that it is
/// compared with are converted as those of the field are.
#[derive(Debug)]
pub struct ConvertedColumn<M, F> {
    property: &'static str,
    convert: fn(&F) -> Result<Option<Value>, ValueError>,
    model: std::marker::PhantomData<fn() -> M>,
}

impl<M, F> Clone for ConvertedColumn<M, F> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M, F> Copy for ConvertedColumn<M, F> {}

impl<M, F> ConvertedColumn<M, F> {
    /// The column of a property.
    #[must_use]
    pub const fn new(
        property: &'static str,
        convert: fn(&F) -> Result<Option<Value>, ValueError>,
    ) -> Self {
        Self { property, convert, model: std::marker::PhantomData }
    }

    /// The property's name in the database.
    #[must_use]
    pub const fn property(self) -> &'static str {
        self.property
    }

    /// `== value`. Nothing (`None`) is equal to what is absent.
    pub fn eq(self, value: impl Into<F>) -> Filter<M> {
        self.compare(Op::Eq, value)
    }

    /// `!= value`. An object that lacks the property does not pass.
    pub fn ne(self, value: impl Into<F>) -> Filter<M> {
        self.compare(Op::Ne, value)
    }

    /// `< value`
    pub fn lt(self, value: impl Into<F>) -> Filter<M> {
        self.compare(Op::Lt, value)
    }

    /// `<= value`
    pub fn le(self, value: impl Into<F>) -> Filter<M> {
        self.compare(Op::Le, value)
    }

    /// `> value`
    pub fn gt(self, value: impl Into<F>) -> Filter<M> {
        self.compare(Op::Gt, value)
    }

    /// `>= value`
    pub fn ge(self, value: impl Into<F>) -> Filter<M> {
        self.compare(Op::Ge, value)
    }

    /// Objects that lack the property.
    pub fn is_absent(self) -> Filter<M> {
        self.presence(false)
    }

    /// Objects that have the property.
    pub fn is_present(self) -> Filter<M> {
        self.presence(true)
    }

    /// Smallest stored value first.
    #[must_use]
    pub fn ascending(self) -> Sort<M> {
        Sort::new(self.property, false)
    }

    /// Largest stored value first.
    #[must_use]
    pub fn descending(self) -> Sort<M> {
        Sort::new(self.property, true)
    }

    /// Gives the property a value, or takes it away with `None`: for
    /// [`Find::update`](crate::query::Find::update).
    #[must_use]
    pub fn set(self, value: impl Into<F>) -> Assignment<M> {
        Assignment::new(self.property, (self.convert)(&value.into()))
    }

    fn compare(self, op: Op, value: impl Into<F>) -> Filter<M> {
        let constraint = match (self.convert)(&value.into()) {
            Ok(Some(value)) => Ok(Constraint::compare(self.property, op, value)),
            Ok(None) => {
                let present = op != Op::Eq;
                Ok(Constraint::Present { property: self.property.into(), present })
            }
            Err(e) => Err(e),
        };
        Filter::made(self.property, constraint)
    }

    fn presence(self, present: bool) -> Filter<M> {
        let constraint = Constraint::Present { property: self.property.into(), present };
        Filter::made(self.property, Ok(constraint))
    }
}
