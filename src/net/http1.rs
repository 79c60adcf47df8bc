//! HTTP/1.1 octets (RFC 9112): heads and bodies in both directions, without sockets.
//!
//! Strict where two readers could disagree: a head is read whole or refused, one Content-Length in
//! digits, one transfer coding, chunks as section 7.1 has them. What stands for nothing is thrown
//! away: chunk extensions, trailers, interim answers.
//!
//! Nothing here is allocated for a body, and a connection that waits has no buffer: see [`Buffer`].

mod buffer;
mod date;
mod framing;
mod head;
mod write;

pub use buffer::Buffer;
pub use date::date;
pub use framing::BadChunks;
pub use framing::Decoder;
pub use framing::Length;
pub use framing::put_end;
pub use framing::put_piece;
pub use head::AnswerHead;
pub use head::BadHead;
pub use head::MAX_HEAD;
pub use head::RequestHead;
pub use head::end_of_head;
pub use write::put_answer;
pub use write::put_other_host;
pub use write::put_request;
