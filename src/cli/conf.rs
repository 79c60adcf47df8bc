//! The conf folder, which nearly every command takes.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;

/// The conf folder as an argument or an option.
#[derive(Clone, Debug, Default, Args)]
pub struct Conf {
    /// Folder with gateway.toml, nas.toml and so on [default: conf].
    #[arg(value_name = "CONF")]
    argument: Option<PathBuf>,
    /// The same, as an option.
    #[arg(long = "conf", value_name = "DIR", conflicts_with = "argument")]
    option: Option<PathBuf>,
}

impl Conf {
    /// The folder to use.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.given().unwrap_or_else(|| Path::new(DEFAULT))
    }

    /// The folder, if the person named one. One that is named must exist; the default may be made.
    #[must_use]
    pub fn given(&self) -> Option<&Path> {
        self.argument.as_deref().or(self.option.as_deref())
    }
}

/// The conf folder as an option, for commands whose arguments are something else.
#[derive(Clone, Debug, Args)]
pub struct ConfOption {
    /// Folder with gateway.toml, nas.toml and so on.
    #[arg(long = "conf", value_name = "DIR", default_value = DEFAULT)]
    folder: PathBuf,
}

impl ConfOption {
    /// The folder to use.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Where the files are when nobody says so.
const DEFAULT: &str = "conf";
