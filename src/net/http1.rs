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

pub(super) use buffer::Buffer;
pub(super) use date::date;
pub(super) use framing::Decoder;
pub(super) use framing::Length;
pub(super) use framing::put_end;
pub(super) use framing::put_piece;
pub(super) use head::AnswerHead;
pub(super) use head::BadHead;
pub(super) use head::MAX_HEAD;
pub(super) use head::RequestHead;
pub(super) use head::end_of_head;
pub(super) use head::put_answer;
pub(super) use head::put_request;
