//! Where a body ends: by its length, by chunks (RFC 9112 section 7.1), or with its connection.

use std::io::Write;

use super::buffer::Buffer;

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many octets; 0 is no body.
    Known(u64),
    /// It comes in chunks.
    Chunked,
    /// It ends with the connection; answers only.
    UntilClose,
}

/// Octets that are framed as no body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunks of the body are malformed")]
pub struct BadChunks;

/// Finds the octets of a body among those of a connection.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// Whether blanks may stand between the size of a chunk and the end of its line.
    lenient: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many octets of the body follow.
    Known(u64),
    UntilClose,
    /// The digits of a chunk's size.
    Size {
        size: u64,
        digits: u8,
    },
    /// Blanks after the size.
    Blank(u64),
    /// What follows the semicolon: its size so far.
    Extension(u64, u16),
    SizeEnd(u64),
    /// So many octets of the chunk follow.
    Chunk(u64),
    ChunkReturn,
    ChunkEnd,
    /// A line of the trailer section: octets of all of them, and of this line.
    Trailer(u16, u16),
    TrailerEnd(u16, u16),
    Over,
}

impl Decoder {
    /// Of a body of this length, none of which has come.
    pub const fn new(length: Length) -> Self {
        let state = match length {
            Length::Known(0) => State::Over,
            Length::Known(octets) => State::Known(octets),
            Length::Chunked => State::Size { size: 0, digits: 0 },
            Length::UntilClose => State::UntilClose,
        };
        Self {
            state,
            lenient: false,
        }
    }

    /// The same of an answer: there are servers that fill the size of a chunk up with blanks.
    pub const fn of_answer(length: Length) -> Self {
        Self {
            lenient: true,
            ..Self::new(length)
        }
    }

    /// Takes the octets of the framing away from the front of `buffer`, and tells how many octets
    /// of the body stand there now: 0 when more have to come first, or when [`Self::is_over`].
    ///
    /// # Errors
    ///
    /// When the framing is none.
    pub fn ready(&mut self, buffer: &mut Buffer) -> Result<usize, BadChunks> {
        let mut used = 0;
        let ready = loop {
            let filled = buffer.filled().get(used..).unwrap_or_default();
            if let State::Over = self.state {
                break 0;
            }
            if let State::UntilClose = self.state {
                break filled.len();
            }
            if let State::Known(left) | State::Chunk(left) = self.state {
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                break left.min(filled.len());
            }
            let Some(&octet) = filled.first() else {
                break 0;
            };
            if matches!((self.state, octet), (State::Blank(_), b'\r')) && !self.lenient {
                return Err(BadChunks);
            }
            self.state = step(self.state, octet)?;
            used += 1;
        };
        if used > 0 {
            buffer.consume(used);
        }
        Ok(ready)
    }

    /// Whether more octets than these are known to follow.
    pub fn has_more_than(&self, count: usize) -> bool {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        matches!(self.state, State::Known(left) if left > count)
    }

    /// Whether `count` octets are known to be all that is left of the body. Behind a chunk there may always
    /// be another one.
    pub fn is_last(&self, count: usize) -> bool {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        matches!(self.state, State::Known(left) if left <= count)
    }

    /// `count` octets of the body were taken.
    pub fn took(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if let State::Known(left) = &mut self.state {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.state = State::Over;
            }
        } else if let State::Chunk(left) = &mut self.state {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.state = State::ChunkReturn;
            }
        }
    }

    /// The connection has ended. Whether the body has, too.
    pub fn end(&mut self) -> bool {
        if self.state == State::UntilClose {
            self.state = State::Over;
        }
        self.is_over()
    }

    /// Whether all of the body was taken.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }
}

/// One octet of the framing of chunks.
fn step(state: State, octet: u8) -> Result<State, BadChunks> {
    let next = match (state, octet) {
        (State::Size { size, digits }, digit) if digit.is_ascii_hexdigit() && digits < 16 => {
            let value = char::from(digit).to_digit(16).unwrap_or_default();
            State::Size {
                size: size << 4 | u64::from(value),
                digits: digits + 1,
            }
        }
        (State::Size { size, digits: 1.. } | State::Blank(size), b' ' | b'\t') => {
            State::Blank(size)
        }
        (State::Size { size, digits: 1.. } | State::Blank(size), b';') => State::Extension(size, 0),
        (State::Size { size, digits: 1.. } | State::Blank(size), b'\r') => State::SizeEnd(size),
        (State::Extension(size, _), b'\r') => State::SizeEnd(size),
        (State::Extension(_, MAX_ASIDE..), _) | (State::Extension(..), b'\n') => {
            return Err(BadChunks);
        }
        (State::Extension(size, length), _) => State::Extension(size, length + 1),
        (State::SizeEnd(0), b'\n') => State::Trailer(0, 0),
        (State::SizeEnd(size), b'\n') => State::Chunk(size),
        (State::ChunkReturn, b'\r') => State::ChunkEnd,
        (State::ChunkEnd, b'\n') => State::Size { size: 0, digits: 0 },
        (State::Trailer(all, line), b'\r') => State::TrailerEnd(all, line),
        (State::Trailer(MAX_ASIDE.., _), _) | (State::Trailer(..), b'\n') => {
            return Err(BadChunks);
        }
        (State::Trailer(all, line), _) => State::Trailer(all + 1, line + 1),
        (State::TrailerEnd(_, 0), b'\n') => State::Over,
        (State::TrailerEnd(all, _), b'\n') => State::Trailer(all, 0),
        _ => return Err(BadChunks),
    };
    Ok(next)
}

/// Puts a piece of a body into `output`, as a chunk if it goes in chunks; of nothing nothing.
pub fn put_piece(output: &mut Buffer, is_chunked: bool, octets: &[u8]) {
    if octets.is_empty() {
        return;
    }
    if is_chunked {
        let mut line = [0; 18];
        let mut rest = &mut line[..];
        // Sixteen digits and the end of the line fit.
        let _fits = write!(rest, "{:x}\r\n", octets.len());
        let left = rest.len();
        output.append(line.get(..18 - left).unwrap_or_default());
    }
    output.append(octets);
    if is_chunked {
        output.append(b"\r\n");
    }
}

/// Puts the end of a body into `output`.
pub fn put_end(output: &mut Buffer, is_chunked: bool) {
    if is_chunked {
        output.append(b"0\r\n\r\n");
    }
}

/// Octets of a chunk extension, and of a trailer section, that are read past.
const MAX_ASIDE: u16 = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `octets` in pieces of `by`; gives the body and what is left, or how it went wrong.
    fn decode(length: Length, octets: &[u8], by: usize) -> Result<(Vec<u8>, Vec<u8>), BadChunks> {
        let mut decoder = Decoder::of_answer(length);
        let mut buffer = Buffer::default();
        let mut body = Vec::new();
        for piece in octets.chunks(by) {
            buffer.append(piece);
            loop {
                let ready = decoder.ready(&mut buffer)?;
                if ready == 0 {
                    break;
                }
                body.extend_from_slice(&buffer.filled()[..ready]);
                buffer.consume(ready);
                decoder.took(ready);
            }
        }
        assert!(decoder.end(), "{octets:?} has no end");
        Ok((body, buffer.filled().to_vec()))
    }

    #[test]
    fn bodies_end_where_they_say_in_pieces_of_any_size() {
        for (length, octets, body, rest) in [
            (
                Length::Known(4),
                &b"mailPOST"[..],
                &b"mail"[..],
                &b"POST"[..],
            ),
            (Length::Known(0), b"POST", b"", b"POST"),
            (Length::UntilClose, b"mail", b"mail", b""),
            (
                Length::Chunked,
                b"4\r\nmail\r\n0\r\n\r\nPOST",
                b"mail",
                b"POST",
            ),
            (Length::Chunked, b"0\r\n\r\n", b"", b""),
            (
                Length::Chunked,
                b"2;x=y\r\nma\r\n002 \t\r\nil\r\n0;z\r\nX-Trailer: 1\r\nY: 2\r\n\r\nPOST",
                b"mail",
                b"POST",
            ),
            (
                Length::Chunked,
                b"A\r\n0123456789\r\n0\r\n\r\n",
                b"0123456789",
                b"",
            ),
        ] {
            for by in [1, 2, 3, 1000] {
                let expected = Ok((body.to_vec(), rest.to_vec()));
                assert_eq!(
                    decode(length, octets, by),
                    expected,
                    "row {octets:?} by {by}"
                );
            }
        }
    }

    #[test]
    fn chunks_that_are_none_are_refused() {
        let long = [&b"1;"[..], &[b'x'; 20_000], b"\r\n"].concat();
        let trailer = [&b"0\r\n"[..], &[b'x'; 20_000], b"\r\n\r\n"].concat();
        for octets in [
            &b"\r\n"[..],
            b"mail\r\n",
            b"-4\r\n",
            b"+4\r\n",
            b"0x4\r\n",
            b"4 4\r\n",
            b" 4\r\n",
            b"4\nmail\n0\n\n",
            b"4\r\r\n",
            b"4\r\nmailX\r\n",
            b"4\r\nmail\n",
            b"4;x\n\r\n",
            b"0\r\n\n",
            b"0\r\nX: 1\n\r\n",
            b"10000000000000004\r\n",
            &long,
            &trailer,
        ] {
            for by in [1, 100_000] {
                assert_eq!(decode(Length::Chunked, octets, by), Err(BadChunks));
            }
        }
    }

    #[test]
    fn blanks_after_the_size_of_a_chunk_are_for_answers_only() {
        for (octets, expected) in [
            (&b"4 \r\n"[..], Err(BadChunks)),
            (b"4\t\r\n", Err(BadChunks)),
            (b"4 ;x\r\nmail", Ok(4)),
            (b"4\r\nmail", Ok(4)),
        ] {
            let mut buffer = Buffer::default();
            buffer.append(octets);
            let ready = Decoder::new(Length::Chunked).ready(&mut buffer);
            assert_eq!(ready, expected, "row {octets:?}");
        }
    }

    #[test]
    fn what_is_put_can_be_read_again() {
        let mut output = Buffer::default();
        for piece in [&b"ma"[..], b"", &[b'x'; 70_000], b"il"] {
            put_piece(&mut output, true, piece);
        }
        put_end(&mut output, true);
        let (body, rest) = decode(Length::Chunked, output.filled(), 1000).unwrap();
        assert_eq!(body, [&b"ma"[..], &[b'x'; 70_000], b"il"].concat());
        assert!(rest.is_empty());
    }
}
