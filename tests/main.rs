//! Tests against a real engine and real terminals, by feature.
