//! The three commands of the banner.

use crate::config::Config;

/// What to paste into another terminal, each with what it shows; only for the sample, whose
/// devices and passwords are known.
pub(super) fn commands(config: &Config) -> Vec<(String, String)> {
    let sample = config.certificates.folder.join("devices").is_dir();
    if !sample {
        return Vec::new();
    }
    let program = std::env::current_exe().ok();
    let program = program
        .as_deref()
        .and_then(|path| path.to_str())
        .unwrap_or("portreeve");
    let conf = config.folder.display();
    let conf = if config.folder.as_os_str() == "conf" {
        String::new()
    } else {
        format!(" --conf {conf}")
    };
    [
        (
            "a compliant laptop joins the Wi-Fi with its certificate",
            "probe eap-tls",
        ),
        (
            "a user logs in to the VPN (the password is carol-sample)",
            "probe pap carol",
        ),
        ("how the gateway is", "status"),
    ]
    .into_iter()
    .map(|(what, command)| (what.to_owned(), format!("{program} {command}{conf}")))
    .collect()
}
