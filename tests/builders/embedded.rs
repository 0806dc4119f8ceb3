//! The builder `embedded`.
