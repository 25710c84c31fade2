//! Columns of where parts lie: what the language can compare of a place.
//!
//! A place itself is no value that could be compared; its ends, its moment and its area are. They
//! are kept by the database under names of its own.

use crate::{
    Column, FractionSpan, FrameNumber, FrameSpan, Operand, Polygon, Property, Rect, TimeFraction,
    TimeOffset, TimeSpan, Value, ValueError, ValueType,
};

/// A moment of a frame as the database has it, `hh:mm:ss.uuuuuu`: texts in the order of time, up
/// to 99 hours. Compared with a [`TimeOffset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockText(pub TimeOffset);

/// An end of a clip as the database has it, in microseconds. Compared with a [`TimeOffset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Microseconds(pub TimeOffset);

impl Property for ClockText {
    const TYPE: ValueType = ValueType::String;
    fn to_value(&self) -> Result<Value, ValueError> {
        Ok(Value::String(self.0.to_string()))
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        let text = String::from_value(value)?;
        match serde_json::from_value(text.as_str().into()) {
            Ok(offset) => Ok(Self(offset)),
            Err(_) => Err(ValueError::unexpected("time in a video", &Value::String(text))),
        }
    }
}

impl Property for Microseconds {
    const TYPE: ValueType = ValueType::Int;
    fn to_value(&self) -> Result<Value, ValueError> {
        self.0.duration().as_micros().to_value()
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        let micros = u64::from_value(value)?;
        Ok(Self(TimeOffset::new(std::time::Duration::from_micros(micros))))
    }
}

impl Operand<ClockText> for TimeOffset {
    fn operand(self) -> Result<Value, ValueError> {
        ClockText(self).to_value()
    }
}

impl Operand<Microseconds> for TimeOffset {
    fn operand(self) -> Result<Value, ValueError> {
        Microseconds(self).to_value()
    }
}

impl<M> Column<M, FrameNumber> {
    /// The frame's number.
    #[must_use]
    pub const fn number(self) -> Column<M, u64> {
        Column::new("_frame_number")
    }
}

impl<M> Column<M, TimeOffset> {
    /// The frame's time from the beginning.
    #[must_use]
    pub const fn time(self) -> Column<M, ClockText> {
        Column::new("_time_offset")
    }
}

impl<M> Column<M, TimeFraction> {
    /// The frame's place, from 0 to 1.
    #[must_use]
    pub const fn fraction(self) -> Column<M, f64> {
        Column::new("_time_fraction")
    }
}

macro_rules! spans {
    ($($span:ident of $end:ty;)*) => {$(
        impl<M> Column<M, $span> {
            /// Where the clip begins.
            #[must_use]
            pub const fn start(self) -> Column<M, $end> {
                Column::new("_range_start")
            }

            /// Where it ends.
            #[must_use]
            pub const fn stop(self) -> Column<M, $end> {
                Column::new("_range_stop")
            }
        }
    )*};
}
spans! {
    FrameSpan of u64;
    TimeSpan of Microseconds;
    FractionSpan of f64;
}

macro_rules! areas {
    ($($region:ident),*) => {$(
        impl<M> Column<M, $region> {
            /// The region's area, in pixels.
            #[must_use]
            pub const fn area(self) -> Column<M, f64> {
                Column::new("_area")
            }
        }
    )*};
}
areas!(Rect, Polygon);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialect, Filter};

    struct Scene;
    const SPAN: Column<Scene, TimeSpan> = Column::new("span");
    const AT: Column<Scene, TimeOffset> = Column::new("at");

    #[test]
    fn moments_are_compared_as_they_are_kept() {
        let second = TimeOffset::new(std::time::Duration::from_millis(1500));
        let shown = |filter: Filter<Scene>| {
            filter.constraint().unwrap().to_json(Dialect::Classic).to_string()
        };
        assert_eq!(shown(SPAN.start().ge(second)), r#"{"_range_start":[">=",1500000]}"#);
        assert_eq!(shown(AT.time().lt(second)), r#"{"_time_offset":["<","00:00:01.500000"]}"#);
        assert_eq!(Microseconds::from_value(Value::Int(1_500_000)), Ok(Microseconds(second)));
        let text = ClockText(second).to_value().unwrap();
        assert_eq!(ClockText::from_value(text), Ok(ClockText(second)));
        assert!(ClockText::from_value(Value::from("soon")).is_err());
    }
}
