//! `portreeve certs`: make a throw-away PKI, show certificates, warn of their end.

mod show;

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use super::conf::ConfOption;
use super::output::Answer;
use super::output::Done;
use super::output::Failed;
use super::output::now;
use super::output::print;
use crate::app::first_start;
use crate::app::pki::Pki;
use crate::app::pki::Renewal;
use crate::app::pki::SampleDevice;
use crate::config;
use crate::config::Draft;
use crate::config::Layout;
use crate::model::DeviceId;

/// Make, show and watch certificates.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Make(Make),
    Show(show::Show),
    Expiry(show::Expiry),
}

/// Make a throw-away PKI for trying the gateway: root, servers, sample devices, shared secrets.
///
/// What exists stays; what is missing is added. The private keys lie beside the certificates, so
/// check refuses this PKI on any address that others can reach.
#[derive(Debug, Args)]
struct Make {
    #[command(flatten)]
    folder: Folder,
    /// Make the certificate of this device only: its Intune device id.
    #[arg(long, value_name = "GUID")]
    device: Option<DeviceId>,
    /// With --device: principal name of the device's user, such as alice@contoso.com.
    #[arg(long, value_name = "NAME", requires = "device")]
    user: Option<String>,
    /// With --device: name of the device, which names its files too [default: its id].
    #[arg(long, value_name = "NAME", requires = "device")]
    name: Option<String>,
    /// Issue certificates that exist anew, with the keys they have. Certificates that are not of
    /// a throw-away PKI are never replaced.
    #[arg(long)]
    force: bool,
}

/// Where the certificates are.
#[derive(Clone, Debug, Args)]
struct Folder {
    /// Folder of the certificates [default: certificates.folder of the configuration].
    #[arg(long = "dir", value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    conf: ConfOption,
}

impl Folder {
    /// The configuration, unless a folder was given.
    fn draft(&self) -> Result<Option<Draft>, Failed> {
        if self.dir.is_some() {
            return Ok(None);
        }
        let conf = self.conf.folder();
        if !conf.exists() {
            let message = format!(
                "there is no folder {}: name it with --conf, or name the folder of the \
                 certificates with --dir",
                conf.display()
            );
            return Err(Failed::new(message));
        }
        let draft = config::read(conf);
        if draft.is_refused() {
            let problems = config::Refused {
                problems: draft.problems().to_vec(),
            };
            return Err(Failed::new(format!(
                "the configuration has errors\n{problems}"
            )));
        }
        Ok(Some(draft))
    }

    fn layout(&self, draft: Option<&Draft>) -> Layout {
        match (&self.dir, draft) {
            (Some(given), _) => Layout::new(given),
            (None, Some(draft)) => draft.layout(),
            (None, None) => Layout::new("certs"),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Done {
    match &arguments.action {
        Action::Make(arguments) => make(arguments),
        Action::Show(arguments) => show::show(arguments),
        Action::Expiry(arguments) => show::expiry(arguments),
    }
}

fn make(arguments: &Make) -> Done {
    let renewal = if arguments.force {
        Renewal::Sample
    } else {
        Renewal::Never
    };
    let draft = arguments.folder.draft()?;
    let layout = arguments.folder.layout(draft.as_ref());
    let made = match arguments.device {
        Some(id) => {
            let device = SampleDevice {
                id,
                owner: arguments.user.clone(),
                name: arguments.name.clone(),
            };
            Pki::new(layout, now(), renewal).make_device(&device)?
        }
        None => {
            let secrets = draft
                .as_ref()
                .map(Draft::sample_secrets)
                .unwrap_or_default();
            let conf = arguments.folder.conf.folder();
            first_start::make_pki(conf, layout, &secrets, now(), renewal)?
        }
    };
    if made.is_empty() {
        print("everything is there already; --force issues the certificates anew")?;
    }
    for made in made {
        print(&format!("made {made}"))?;
    }
    Ok(Answer::Yes)
}
