//! The beginning of an answer's body, for whoever has to know what it says.

use super::Exchange;

/// What has passed of it so far.
pub(super) struct Glimpse {
    most: usize,
    octets: Vec<u8>,
    then: Then,
}

type Then = Box<dyn FnOnce(&[u8]) + Send + Sync>;

impl Exchange {
    /// Shows `then` the first octets of the answer's body when it has passed: `most` of them or more,
    /// or all. A body that breaks off before is not shown.
    pub(in crate::net) fn glimpse(
        &mut self,
        most: usize,
        then: impl FnOnce(&[u8]) + Send + Sync + 'static,
    ) {
        self.glimpse = Some(Box::new(Glimpse {
            most,
            octets: Vec::new(),
            then: Box::new(then),
        }));
    }
}

impl Glimpse {
    /// Takes what passes; tells whether it may be shown now.
    pub(super) fn has_enough(&mut self, passed: &[u8]) -> bool {
        let missing = self.most - self.octets.len();
        let (wanted, rest) = passed.split_at(missing.min(passed.len()));
        self.octets.extend_from_slice(wanted);
        !rest.is_empty() || wanted.len() == missing
    }

    #[expect(clippy::boxed_local, reason = "it lives in a box")]
    pub(super) fn show(self: Box<Self>) {
        (self.then)(&self.octets);
    }
}
