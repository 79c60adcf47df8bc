//! `portreeve run`: the gateway itself.

use clap::Args;

use super::conf::Conf;

/// Start the gateway. Without a command, this is what happens.
///
/// Where there is no folder conf, it is made from the samples; on loopback a throw-away PKI and
/// random secrets are made too. Log lines go to standard error.
///
/// SIGHUP reads the configuration again and keeps the running one if it has errors. SIGTERM and
/// SIGINT let requests in flight finish, then end with exit code 0.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Where the configuration is.
    #[command(flatten)]
    pub conf: Conf,
}
