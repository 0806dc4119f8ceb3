//! Tests against a real engine and real terminals, by feature.

// Until every feature has its tests, some of the support is not called.
#[allow(dead_code)]
mod support;

mod builders;
mod cancel;
mod exports;
mod flags;
mod gateway;
mod progress;
mod secrets;
mod traps;
