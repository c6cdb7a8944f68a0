//! Numbers as people read them.

use std::time::Duration;

/// `4ms`, `1.3s`, `2m 05s`, `1h 02m`.
pub(crate) fn duration(length: Duration) -> String {
    let millis = length.as_millis();
    let seconds = length.as_secs();
    if millis < 1000 {
        format!("{millis}ms")
    } else if millis < 59_950 {
        format!("{:.1}s", length.as_secs_f64())
    } else if seconds < 3600 {
        format!("{}m {:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60)
    }
}
