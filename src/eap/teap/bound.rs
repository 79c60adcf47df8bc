//! The rounds of one conversation: what binds the tunnel to what is said inside.

use zeroize::Zeroizing;

use super::chain;
use super::chain::Chain;
use super::chain::Derivation;
use super::chain::Round;
use super::tlv::TeapMessage;
use crate::eap::error::InnerRefusal;
use crate::eap::proof::Proven;
use crate::eap::proof::Refusal;
use crate::eap::talk::Scene;

/// The chain of keys, once there is one.
#[derive(Default)]
pub(super) struct Bound(Option<Chain>);

impl Bound {
    /// Whether a round has begun.
    pub(super) const fn has_begun(&self) -> bool {
        self.0.is_some()
    }

    /// The round of a method that has come to its end, or of nothing; and our Crypto-Binding.
    pub(super) fn begin(
        &mut self,
        scene: &Scene<'_>,
        proven: Option<&Proven>,
    ) -> Result<Round, Refusal> {
        let internal = |error: rustls::Error| Refusal::internal(&error.to_string());
        let derivation = derivation(scene)?;
        let binding = scene.round.config.teap.binding;
        let chain = match self.0.take() {
            Some(chain) => chain,
            None => {
                let seed = scene.tunnel.export(chain::SEED_LABEL).map_err(internal)?;
                Chain::new(binding, seed)
            }
        };
        let chain = self.0.insert(chain);
        let nonce = scene.round.config.random().map_err(internal)?;
        let (imsk, emsk) = chain::keys_of(proven);
        let round = chain.round(derivation, nonce, (&imsk, emsk));
        round.map_err(internal)
    }

    /// Holds the peer to the Crypto-Binding that it owes.
    pub(super) fn end(
        &mut self,
        scene: &Scene<'_>,
        round: Round,
        message: &TeapMessage<'_>,
    ) -> Result<(), InnerRefusal> {
        let (Some(value), Some(chain)) = (message.binding, &mut self.0) else {
            return Err(InnerRefusal::Unbound);
        };
        let holds = chain.answer(round, value, &outer(scene));
        holds.then_some(()).ok_or(InnerRefusal::Binding)
    }

    /// MSK and EMSK, one after the other.
    pub(super) fn keys(&self, scene: &Scene<'_>) -> Result<Zeroizing<[u8; 128]>, Refusal> {
        let chain = self.0.as_ref();
        let chain = chain.ok_or_else(|| Refusal::internal("keys without a binding"))?;
        let keys = chain.keys(derivation(scene)?);
        keys.map_err(|error| Refusal::internal(&error.to_string()))
    }
}

fn derivation<'a>(scene: &Scene<'a>) -> Result<Derivation<'a>, Refusal> {
    let keys = scene.round.config.teap.tls13_keys;
    let derivation = Derivation::of(scene.tunnel, keys);
    derivation.ok_or_else(|| Refusal::internal("a cipher suite without a PRF"))
}

/// The outer TLVs of both sides.
pub(super) fn outer(scene: &Scene<'_>) -> Vec<u8> {
    let mut outer = scene.round.config.teap.outer_tlvs();
    outer.extend_from_slice(scene.peer_tlvs);
    outer
}
