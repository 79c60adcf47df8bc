//! Letting in: a decision, a place in line where the number of devices counts, and a registration.

use std::sync::Arc;

use crate::access::decide::Decided;
use crate::access::line::InLine;
use crate::access::line::Stand;
use crate::access::permit::Live;
use crate::access::permit::Permit;
use crate::access::permit::Place;
use crate::access::permit::Terms;
use crate::access::seen;
use crate::access::subject::OwnedSubject;
use crate::inventory::ClientEntry;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::policy::Trace;

impl Live {
    /// Decides, and registers the request if it is allowed.
    ///
    /// The permit is there exactly if the verdict is [`Verdict::Allow`] and every later change
    /// of its device, its user or the policy will find it. There is none, either, for a mail client
    /// that needs a place among its user's devices when there is no room for another one.
    pub fn admit(
        self: &Arc<Self>,
        now: Timestamp,
        subject: &Subject<'_>,
        trace: &mut Trace,
    ) -> (Decided, Option<Permit>) {
        let mut stand = Stand::Outside;
        let mut decided = self.decide_in_line(now, subject, &mut stand, trace);
        for _ in 0..MAX_ATTEMPTS {
            let is_allowed = decided.decision.verdict == Verdict::Allow;
            if !is_allowed || matches!(stand, Stand::NoRoom) {
                return (decided, None);
            }
            let permit = self.register(subject, &decided, stand.place().cloned());
            if self.point.is_current(&decided) {
                return (decided, Some(permit));
            }
            // Something changed while we registered. Judge again, now that we can be found.
            let stood = stand.place().is_some();
            let again = self.decide_in_line(now, subject, &mut stand, trace);
            let is_registered = Place::of(subject, &again) == permit.place
                && stand.place().is_some() == stood
                && !matches!(stand, Stand::NoRoom);
            if again.decision.verdict == Verdict::Allow && is_registered {
                permit.registration.set_revisit(&again);
                return (again, Some(permit));
            }
            decided = again;
        }
        (decided, None)
    }

    /// The place in line of a client that is being served for the first time, if it has one.
    #[must_use]
    pub fn place_in_line(&self, user: &str, eas: EasDeviceId) -> Option<InLine> {
        if self.point.line.is_empty() {
            return None;
        }
        let user = self.point.reader().client_user(user)?;
        self.point.line.find(user, eas)
    }

    /// Whether a user's mail client with this id is known to be the one of this device, so that no
    /// proof of it adds anything.
    #[must_use]
    pub fn has_place(&self, eas: &EasDeviceId, user: &str, device: DeviceId) -> bool {
        self.point.reader().has_place(eas, user, device)
    }

    /// Decides. A client that would be let in and has to stand in line is judged in the place that it
    /// has or gets.
    fn decide_in_line(
        &self,
        now: Timestamp,
        subject: &Subject<'_>,
        stand: &mut Stand,
        trace: &mut Trace,
    ) -> Decided {
        let decided = self.point.decide(now, subject, trace);
        let is_allowed = decided.decision.verdict == Verdict::Allow;
        if !is_allowed || stand.place().is_some() {
            return decided;
        }
        *stand = self.line_up(now, subject, &decided);
        if stand.place().is_none() {
            return decided;
        }
        // Others may have come before it, or begun to count, since the first look.
        self.point.decide(now, subject, trace)
    }

    /// Takes a place for a client that is let in, if it needs one: it does not count among its user's
    /// devices yet, and a policy goes by how many there are.
    pub(super) fn line_up(
        &self,
        now: Timestamp,
        subject: &Subject<'_>,
        decided: &Decided,
    ) -> Stand {
        let needs_place = |client: ClientEntry| !client.counts;
        if !decided.client.is_some_and(needs_place) || !self.point.counts_devices() {
            return Stand::Outside;
        }
        let named = seen::named_client(subject).and_then(|(eas, user)| {
            let user = self.point.reader().client_user(user)?;
            Some((user, *eas))
        });
        named.map_or(Stand::Outside, |(user, eas)| {
            self.point.line.take(now, user, eas)
        })
    }

    fn register(
        self: &Arc<Self>,
        subject: &Subject<'_>,
        decided: &Decided,
        in_line: Option<Arc<InLine>>,
    ) -> Permit {
        let place = Place::of(subject, decided);
        let mut terms = Terms::of(decided.decision.verdict);
        terms.in_line = in_line;
        self.file(OwnedSubject::from(subject), place, decided, terms)
    }
}

/// A request whose device changes identity this often while it registers is not let in: four
/// changes within microseconds are no accident.
const MAX_ATTEMPTS: usize = 4;
