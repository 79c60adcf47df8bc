//! Networks of `nas.toml` that lie in one another, found in one walk over all of them: a table of
//! tens of thousands is read at each start and reload.

use ipnet::IpNet;

use super::Entry;
use crate::document::Written;
use crate::model::Problem;

/// A network and whose it is.
#[derive(Clone, Copy)]
struct Owned<'a> {
    network: IpNet,
    /// The number of its entry.
    number: usize,
    entry: &'a Entry,
}

/// What is wrong, or only worth a look, in the order of the entries: the same network twice, and
/// one inside another's, which may be meant.
pub(super) fn problems(entries: &[Entry], written: &Written) -> Vec<Problem> {
    let mut all: Vec<Owned<'_>> = entries
        .iter()
        .enumerate()
        .flat_map(|(number, entry)| {
            entry.networks.iter().map(move |network| Owned {
                network: network.trunc(),
                number,
                entry,
            })
        })
        .collect();
    // Wider ones first among those with one start, so that what holds a network comes before it.
    all.sort_by_key(|one| {
        let network = one.network;
        (network.network(), network.prefix_len(), one.number)
    });
    let mut around: Vec<Owned<'_>> = Vec::new();
    let mut found = Vec::new();
    for one in all {
        while around.last().is_some_and(|outer| !holds(outer, &one)) {
            around.pop();
        }
        if let Some(outer) = around.last() {
            found.extend(told(outer, &one, written));
        }
        around.push(one);
    }
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, problem)| problem).collect()
}

fn holds(outer: &Owned<'_>, inner: &Owned<'_>) -> bool {
    outer.network.contains(&inner.network)
}

/// At the later of the two entries.
fn told(outer: &Owned<'_>, inner: &Owned<'_>, written: &Written) -> Option<(usize, Problem)> {
    let (earlier, later) = if outer.number <= inner.number {
        (outer, inner)
    } else {
        (inner, outer)
    };
    let key = format!("{}.network", later.entry.key);
    let (network, theirs) = (later.network, earlier.network);
    let other = &earlier.entry;
    let problem = if earlier.number == later.number {
        if network != theirs {
            return None;
        }
        written.error(&key, format!("{network} stands there twice"))
    } else if network == theirs {
        let message = format!(
            "{network} already belongs to {} ({})",
            other.name, other.key
        );
        written.error(&key, message)
    } else {
        let message = format!(
            "{network} overlaps {theirs} of {} ({}); the longer prefix wins",
            other.name, other.key
        );
        written.warning(&key, message)
    };
    Some((later.number, problem))
}
