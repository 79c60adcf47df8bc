//! From a subject to a decision, with the trace that a record needs.

use portreeve::access::Trace;

use crate::measured;
use crate::world::Order;
use crate::world::World;
use crate::world::decide;

/// Decides by 5 and by 50 policies that all apply.
pub(crate) fn run(over: &mut dyn FnMut(&str, u32)) {
    let world = World::load(DEVICES);
    for policies in [5, 50] {
        let point = world.point(policies);
        let (mut order, mut trace) = (Order::new(DEVICES), Trace::new());
        decide(&point, &mut trace, order.next());
        for _ in 0..DECISIONS {
            let number = order.next();
            measured(|| decide(&point, &mut trace, number));
        }
        over(&format!("decision: {policies} policies"), DECISIONS);
    }
}

const DECISIONS: u32 = 2_000;

/// Enough for look-ups that find no neighbour's cache line; instructions do not grow with it.
const DEVICES: u32 = 2_000;
