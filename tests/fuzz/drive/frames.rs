//! HTTP/2 octets of either side: never a panic, the same frames however they arrive, and an end to
//! what comes for nothing.

use portreeve::net::http2::Frame;
use portreeve::net::http2::Frames;
use portreeve::net::http2::Patience;

/// Reads `octets` as a client's and as a server's.
pub fn drive(octets: &[u8]) {
    for begun in [Frames::of_client(), Frames::of_server()] {
        let whole = found(begun.clone(), octets, octets.len().max(1));
        for by in [1, 2, 9, 10, 13] {
            let pieces = found(begun.clone(), octets, by);
            assert_eq!(pieces, whole, "in pieces of {by}");
        }
        let (frames, _) = whole;
        // No more than there is room for, and no more content than there are octets, but for the
        // last one of which only the head may be here.
        assert!(frames.len() <= octets.len() / 9);
        let known = frames.len().saturating_sub(1);
        let content: u64 = frames[..known]
            .iter()
            .map(|one| u64::from(one.content))
            .sum();
        assert!(content <= octets.len() as u64);
        let mut patience = Patience::default();
        let (mut taken, mut allowed) = (0, 1000);
        for frame in &frames {
            let is_progress = frame.kind == Frame::HEADERS || frame.content > 0;
            allowed += if frame.content > 0 { 4 } else { 0 };
            let is_fine = patience.receive(*frame);
            assert!(is_fine || !is_progress);
            taken += usize::from(is_fine && !is_progress);
            assert!(taken <= allowed);
        }
    }
}

/// The frames, and whether the last one is whole.
fn found(mut frames: Frames, octets: &[u8], by: usize) -> (Vec<Frame>, bool) {
    let mut found = Vec::new();
    for piece in octets.chunks(by) {
        frames.take(piece, |frame| found.push(frame));
    }
    (found, frames.is_between())
}
