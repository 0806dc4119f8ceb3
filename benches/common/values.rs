//! What a bench has measured, for `scripts/bench`.

/// Prints a value in seconds, bytes or bytes per second as a line of JSON: `what` was measured, on whom.
pub fn put(what: &str, who: &str, value: f64) {
    let line = serde_json::json!({"what": what, "who": who, "value": value});
    println!("{line}");
}
