//! Outcomes that hold for all policies. None has a default in code: the file states each.

use std::time::Duration;

use super::glob::Glob;
use super::words::Set;
use super::words::Word;
use crate::model::Platform;
use crate::model::Verdict;

/// What follows where no policy has its own word.
#[derive(Clone, Debug)]
pub(super) struct Defaults {
    pub(super) not_targeted: Verdict,
    pub(super) no_policy_applies: Verdict,
    pub(super) no_credential: Verdict,
    pub(super) unknown_user: Verdict,
    pub(super) unknown_device: Verdict,
    pub(super) ambiguous_device: Verdict,
    pub(super) device_of_another_user: Verdict,
    pub(super) unmanaged_device: Verdict,
    pub(super) evaluating: Verdict,
    /// Whether a managed device that no compliance policy reaches counts as compliant (R4).
    pub(super) no_policy_is_compliant: bool,
    /// Whether compliance that was computed for another user counts for this one (R3).
    pub(super) accept_other_users_compliance: bool,
    /// Exceptions to `unknown_device` and `unmanaged_device` (R15), by place in [`Platform::ALL`].
    pub(super) platforms: [Option<Verdict>; Platform::ALL.len()],
    pub(super) cannot_enrol: CannotEnrol,
    pub(super) mapping_pending: Option<MappingPending>,
}

/// New mail clients, of which nobody can tell yet whether they are on a device that is enrolled (R37).
#[derive(Clone, Copy, Debug)]
pub(super) struct MappingPending {
    /// For so long after a client was first seen.
    pub(super) wait: Duration,
    pub(super) verdict: Verdict,
}

/// Devices that no management system takes (R16).
#[derive(Clone, Debug)]
pub(super) struct CannotEnrol {
    pub(super) platforms: Set<Platform>,
    pub(super) mail_devices: Box<[Glob]>,
    pub(super) verdict: Verdict,
}

impl Defaults {
    /// The exception for a platform, if there is one.
    pub(super) fn exception(&self, platform: Platform) -> Option<Verdict> {
        Platform::WORDS
            .iter()
            .zip(&self.platforms)
            .find(|((_, known), _)| *known == platform)
            .and_then(|(_, verdict)| *verdict)
    }
}
