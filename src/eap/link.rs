//! The tunnel of one conversation.

use std::sync::Arc;

use super::chosen::Round;
use super::identity::Identity;
use super::offer::Offer;
use super::offer::Outer;
use super::tunnel::Tunnel;
use super::tunnel_gate::TunnelGate;
use crate::trust::Chain;

/// TLS and the gate that it asks; made when the first message is here.
pub(super) struct Link {
    pub(super) tunnel: Tunnel,
    pub(super) gate: Arc<TunnelGate>,
    /// The certificate that the peer proved to hold when the tunnel was made.
    pub(super) device: Option<Arc<Chain>>,
}

impl Link {
    pub(super) fn new(
        outer: Outer,
        identity: &Identity,
        offer: &Arc<Offer>,
        round: &Round<'_>,
    ) -> Result<Self, rustls::Error> {
        let gate = TunnelGate::new(outer, identity, offer, round);
        let tls = match outer {
            Outer::Teap => &round.config.teap_tls,
            Outer::Tls | Outer::Ttls | Outer::Peap => &round.config.tunnel_tls,
        };
        let tunnel = Tunnel::new(Arc::clone(tls))?;
        Ok(Self {
            tunnel,
            gate,
            device: None,
        })
    }
}
