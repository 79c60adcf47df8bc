//! Log lines on standard error, for people or as JSON.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;

use crate::config::Log;
use crate::config::LogFormat;
use crate::config::LogLevel;

/// Starts logging as configured. A second call in one process changes nothing.
pub(super) fn start(log: &Log) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // Refused only when logging has started already.
    let _started_before = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
