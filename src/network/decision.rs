//! A decision that is true of what is known as its reply leaves.

use crate::access::Decided;
use crate::model::Now;
use crate::model::Subject;
use crate::network::server::Server;

impl Server {
    /// Decides, and once more if inventory or policy have changed meanwhile: no change falls between a
    /// decision and its reply.
    pub(super) fn decide(&mut self, now: Now, subject: &Subject<'_>) -> Decided {
        let point = &self.shared.point;
        let decided = point.decide(now.wall, subject, &mut self.trace);
        if point.is_current(&decided) {
            return decided;
        }
        self.counters.decided_again.count();
        point.decide(now.wall, subject, &mut self.trace)
    }
}
