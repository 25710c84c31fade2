//! The macros of adb.
