//! The inventory as octets, for a start that does not wait for its sources.
//!
//! What is kept is what sources said, statement by statement with their times, what the mail
//! plane has learned, and when each source last delivered a complete list. Records and keys are
//! made anew from that, by the rules and with the seed of the process that reads. So a fact is as
//! old after a restart as it was, and the next list of a source meets what the last one said.
//!
//! Sources are known by name and place: the word of one that is not configured any more, or that
//! looks elsewhere now, is left out.
//!
//! Octets are little-endian. First a head: sources, sets of groups, names, users; then devices in
//! blocks, which are read by several threads. Nothing is believed: every number is checked
//! against what it numbers, every length against what is there, and what is not whole is not used
//! at all.

mod octets;
mod read;
mod write;

use crate::inventory::Config;
use crate::inventory::Reader;
use crate::inventory::Writer;
use crate::inventory::cache::assemble;
use crate::inventory::state::Origin;
use crate::inventory::state::State;
use crate::model::Timestamp;

pub(crate) use read::Block;
pub(crate) use read::SavedDevice;
pub(crate) use read::Tables;
use write::Copy;

/// Runs `job(0)` to `job(jobs - 1)`, in any order, on as many threads as it likes, and returns
/// when all have ended. A core starts no threads of its own.
pub type Run = fn(job: &(dyn Fn(usize) + Sync), jobs: usize);

/// An inventory as octets.
#[derive(Debug)]
pub struct Saved {
    head: Vec<u8>,
    blocks: Vec<Vec<u8>>,
    /// [`Reader::deliveries`] when it was saved.
    pub deliveries: u64,
}

impl Saved {
    /// The octets, in order.
    #[must_use]
    pub fn parts(&self) -> Vec<&[u8]> {
        let blocks = self.blocks.iter().map(Vec::as_slice);
        std::iter::once(&*self.head).chain(blocks).collect()
    }
}

/// Why octets are not an inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// Something ends before it is whole.
    #[error("the inventory ends in the middle")]
    Cut,
    /// Something follows the end.
    #[error("something stands behind the inventory's end")]
    Trailing,
    /// A value that is never written.
    #[error("the inventory has {0} that cannot be")]
    Invalid(&'static str),
    /// More than the tables can hold.
    #[error("the inventory has more {0} than there is room for")]
    Full(&'static str),
}

impl Reader {
    /// Cold: everything that the writer knows, at one moment.
    ///
    /// Devices are copied block by block, and between two blocks the writer may go on; those that
    /// it alters meanwhile are copied again. It waits only for the users and the last of these.
    #[must_use]
    pub fn save(&self) -> Saved {
        let mut copy = Copy::default();
        for _ in 0..ROUNDS {
            let blocks = copy.behind(&self.lock());
            if blocks.len() <= FEW {
                break;
            }
            for block in blocks {
                copy.block(&self.lock(), block);
            }
        }
        let state = self.lock();
        for block in copy.behind(&state) {
            copy.block(&state, block);
        }
        let deliveries = self.deliveries();
        let (head, blocks) = copy.finish(&state, &self.shared.walks);
        Saved {
            head,
            blocks,
            deliveries,
        }
    }
}

/// Makes an inventory of what [`Reader::save`] gave. `sources` are those that are configured, in
/// their order; they have their numbers then.
///
/// # Errors
///
/// When the octets are not what was saved.
pub fn reopen(
    config: &Config,
    sources: &[Origin],
    octets: &[u8],
    run: Run,
) -> Result<(Writer, Reader), Damaged> {
    let mut state = State::open(config);
    for source in sources {
        state.name_source(&source.name, &source.place);
    }
    let (head, blocks) = read::split(octets)?;
    let (tables, walks) = read::head(head, &mut state)?;
    let (keys, devices, names, groups) = state.parts();
    let overflowed = devices.restore(keys, names, groups, (&tables, &blocks), run)?;
    let (writer, reader) = assemble(config, state);
    for (source, at) in walks {
        reader.shared.walks.complete(source, at);
    }
    reader.note_overflowed(overflowed);
    Ok((writer, reader))
}

/// A source's number for the inventory that is written, and when it last delivered a complete
/// list.
type Walk = (crate::model::SourceId, Timestamp);

/// Numbers that stand for nothing.
const NONE: u32 = u32::MAX;
const NO_VALUE: u8 = u8::MAX;

/// Of the octet that counts what was learned of a device these bits are for its bindings, the others for
/// displaced ids, which there were none of when the octet began to be written.
const BINDING_BITS: u32 = 5;

/// A list of all devices alters every block, within seconds. After so many rounds the writer waits.
const ROUNDS: usize = 20;

/// Blocks that are copied while the writer waits: a millisecond.
const FEW: usize = 4;
