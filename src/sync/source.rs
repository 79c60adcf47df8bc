//! What a source is to the task that runs it.

use std::fmt;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::inventory::Complete;
use crate::inventory::Refused;
use crate::inventory::Update;
use crate::model::DeviceId;
use crate::model::Monotonic;
use crate::model::Now;
use crate::model::Problem;
use crate::sync::http::HttpError;
use crate::sync::json::PageError;
use crate::sync::json::RowError;
use crate::sync::oauth::TokenError;
use crate::sync::plan::Run;
use crate::sync::status::Board;
use crate::sync::walk::WalkError;

/// Reads the time; the gateway has one, tests have their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// A clock that asks `read`.
    pub fn new(read: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// One list of one source: its devices or its users.
pub(super) trait Source: Send + 'static {
    /// Asks the source. A full run may stop between two pages when `context.pause_at` has come.
    fn run(
        &mut self,
        run: Run,
        context: &Context<'_>,
    ) -> impl Future<Output = Result<Brought, Failure>> + Send;

    /// Asks for one device alone. `None` from a source whose quick run brings it as soon; no update
    /// where there is no such device, which is a full run's to say.
    fn look_up(
        &mut self,
        _device: DeviceId,
        _context: &Context<'_>,
    ) -> impl Future<Output = Result<Option<Vec<Update>>, Failure>> + Send {
        async { Ok(None) }
    }

    /// Learns whether the inventory took what the last run brought.
    fn settle(&mut self, accepted: bool);
}

/// What a run is given.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) clock: &'a Clock,
    pub(super) pause_at: Option<Monotonic>,
    /// An operator says that the list is right, whatever it lacks.
    pub(super) accept: bool,
    pub(super) board: &'a Board,
}

/// What a run brings back.
#[derive(Debug)]
pub(super) enum Brought {
    /// Nothing is new; what is known stays as it is.
    Unchanged,
    /// It stopped to let a quick run pass.
    Paused,
    /// Something for the inventory.
    Delivery(Delivery),
}

/// What goes to the inventory's writer, with what the status is to say of it.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) content: Content,
    /// Devices or users in the list; `None` when it is not over all of them.
    pub(super) entries: Option<usize>,
    /// Rows of the source that could not be used.
    pub(super) bad: usize,
    /// What is wrong with the first of them.
    pub(super) first_bad: Option<String>,
    pub(super) problems: Vec<Problem>,
    /// Something that an operator should know although the run went well.
    pub(super) note: Option<String>,
    /// The run should be repeated soon, because something in it wants a second look.
    pub(super) again_in: Option<Duration>,
}

/// A complete list or changes to it.
#[derive(Debug)]
pub(super) enum Content {
    Complete(Complete),
    Delta(Vec<Update>),
}

/// Why a run brought nothing. The inventory stays as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The file is too large to be one.
    #[error("{} is larger than {} MiB", path.display(), limit >> 20)]
    Large { path: PathBuf, limit: u64 },
    /// The file is being written for longer than one waits.
    #[error("{} keeps changing", path.display())]
    Unsettled { path: PathBuf },
    /// The file is not used.
    #[error("{}", first(.0))]
    File(Vec<Problem>),
    /// The task that reads files is gone: the runtime shuts down.
    #[error("shutting down")]
    ShuttingDown,
    /// No access token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// An answer that asking again does not better.
    #[error("{what}: {error}")]
    Answer { what: String, error: AnswerError },
    /// The walk is given up.
    #[error("{what}: {error}{}", last.as_ref().map_or(String::new(), |last| format!(" (last: {last})")))]
    Walk {
        what: String,
        error: WalkError,
        /// What the last attempt came to.
        last: Option<AnswerError>,
    },
    /// An answer that is no page.
    #[error("{what}: {error}")]
    Page { what: String, error: PageError },
    /// Too many rows that cannot be used.
    #[error("{what}: {refused} of {rows} rows cannot be used: {first}")]
    Rows {
        what: String,
        refused: usize,
        rows: usize,
        first: RowError,
    },
    /// A group that the configuration names is not there, or is there twice.
    #[error("{found} groups are named `{name}`; {}", if *found == 0 { "none is asked for its members" } else { "name it by its id" })]
    Group { name: String, found: usize },
    /// The inventory did not take the list.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Failure {
    /// How long the server wants to be left alone.
    pub(super) const fn asked_for(&self) -> Option<Duration> {
        match self {
            Self::Token(TokenError::Refused { retry_after, .. }) => *retry_after,
            Self::Walk {
                error: WalkError::Wait(wait),
                ..
            } => Some(*wait),
            Self::Read { .. }
            | Self::Large { .. }
            | Self::Unsettled { .. }
            | Self::File(_)
            | Self::ShuttingDown
            | Self::Token(_)
            | Self::Answer { .. }
            | Self::Walk { .. }
            | Self::Page { .. }
            | Self::Rows { .. }
            | Self::Group { .. }
            | Self::Refused(_) => None,
        }
    }

    /// Whether a walk can go on later at the link where it stopped.
    pub(super) const fn is_passing(&self) -> bool {
        match self {
            Self::Token(_) => true,
            Self::Walk { error, .. } => matches!(error, WalkError::Retries(_) | WalkError::Wait(_)),
            Self::Read { .. }
            | Self::Large { .. }
            | Self::Unsettled { .. }
            | Self::File(_)
            | Self::ShuttingDown
            | Self::Answer { .. }
            | Self::Page { .. }
            | Self::Rows { .. }
            | Self::Group { .. }
            | Self::Refused(_) => false,
        }
    }

    /// The problems in a file, for the status.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        match self {
            Self::File(problems) => problems,
            Self::Read { .. }
            | Self::Large { .. }
            | Self::Unsettled { .. }
            | Self::ShuttingDown
            | Self::Token(_)
            | Self::Answer { .. }
            | Self::Walk { .. }
            | Self::Page { .. }
            | Self::Rows { .. }
            | Self::Group { .. }
            | Self::Refused(_) => Vec::new(),
        }
    }
}

/// What one request came to, when it was not a page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer ends in the middle.
    #[error("the answer ends in the middle")]
    Cut,
    /// A status that is no success, with the code and message of the answer.
    #[error("{status} {problem}")]
    Status { status: StatusCode, problem: String },
}

/// For jitter only.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(())
}

fn first(problems: &[Problem]) -> String {
    let first = problems.first().map(Problem::to_string);
    first.unwrap_or_else(|| "the file is not used".to_owned())
}
