//! The conf folder of a first start, compiled in.

/// Every file of the sample conf folder with its text.
///
/// Rooms with a file of their own add a line here.
pub const FILES: &[(&str, &str)] = &[
    ("devices.csv", include_str!("../../conf/devices.csv")),
    ("directory.toml", include_str!("../../conf/directory.toml")),
    ("gateway.toml", include_str!("../../conf/gateway.toml")),
    ("nas.toml", include_str!("../../conf/nas.toml")),
    ("policy.toml", include_str!("../../conf/policy.toml")),
    ("proxy.toml", include_str!("../../conf/proxy.toml")),
    ("source.toml", include_str!("../../conf/source.toml")),
    ("users.csv", include_str!("../../conf/users.csv")),
    ("users.toml", include_str!("../../conf/users.toml")),
];
