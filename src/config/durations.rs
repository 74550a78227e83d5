//! Spans that limits and defaults are written in.

use std::time::Duration;

pub(in crate::config) const SECOND: Duration = Duration::from_secs(1);
pub(in crate::config) const MINUTE: Duration = Duration::from_secs(60);
pub(in crate::config) const HOUR: Duration = Duration::from_secs(3_600);
pub(in crate::config) const DAY: Duration = Duration::from_secs(24 * 3_600);
