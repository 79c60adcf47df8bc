//! The answer to a Provision that orders a wipe, or takes note of one (MS-ASPROV 3.2.5.1.2).

use crate::wbxml::Writer;
use crate::wbxml::service::provision;

/// `Provision` with a status of 1 or 2; with the order to erase the device (`Some(false)`) or what the
/// account has brought to it (`Some(true)`), or without one.
#[must_use]
pub fn provision(status: &str, account_only: Option<bool>) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(provision::PROVISION, |writer| {
        writer.leaf(provision::STATUS, status);
        match account_only {
            Some(false) => writer.empty(provision::REMOTE_WIPE),
            Some(true) => writer.empty(provision::ACCOUNT_ONLY_REMOTE_WIPE),
            None => {}
        }
    });
    writer.finish()
}
