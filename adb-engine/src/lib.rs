//! The embedded database of adb.
