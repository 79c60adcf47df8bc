//! What has to be done once in a while and hangs on no request.

use std::sync::Arc;
use std::time::Duration;

use crate::access::Live;
use crate::app::core::tell;
use crate::app::leap;
use crate::app::leap::Leaps;
use crate::net::Clock;
use crate::net::eas::Front;
use crate::network::Shared;
use crate::sync;

/// Everything that time alone changes, and who is asked when the clock leaps.
pub(super) struct Housekeeper {
    pub(super) clock: Clock,
    pub(super) live: Arc<Live>,
    pub(super) network: Arc<Shared>,
    pub(super) sources: sync::Handle,
    pub(super) front: Option<Arc<Front>>,
}

impl Housekeeper {
    /// Looks once a second, until it is dropped.
    pub(super) async fn keep(self) {
        let mut leaps = Leaps::new(self.clock.now());
        let admissions = &self.network.admissions;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let mut ticks = 0_u32;
        loop {
            tick.tick().await;
            let now = self.clock.now();
            if let Some(leap) = leaps.look(now) {
                let gateway = self.front.as_ref().map(|front| &front.gateway);
                leap::recover(now.wall, leap, &self.sources, gateway);
            }
            let now = now.wall;
            self.live.sweep_due(now);
            tell(admissions.sweep_due(now));
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(60) {
                let silence = self.network.settings.load().config.silence;
                self.network.sessions.expire(now, &silence);
                admissions.expire(now, &silence);
            }
        }
    }
}
