//! What is kept of a decision, and how much of it.

use portreeve::access::Correlation;
use portreeve::access::CorrelationSource;
use portreeve::access::DecisionRecord;
use portreeve::access::Outcome;
use portreeve::access::RecordQueue;
use portreeve::access::Text;
use portreeve::access::Trace;
use portreeve::model::Identifier;
use portreeve::model::Timestamp;

use crate::house::ALICE;
use crate::house::House;
use crate::house::device;
use crate::house::mail;
use crate::house::proven;

fn record(house: &House, id: u64) -> DecisionRecord {
    let presented = [proven(Identifier::Device(device(1)))];
    let subject = mail(&presented, Some(ALICE));
    let decided = house
        .point
        .decide(house.now, &subject, &mut Trace::default());
    DecisionRecord::new(Correlation(id), "eas Sync", &subject, &decided)
}

#[test]
fn a_full_queue_drops_the_new_record_and_counts_it() {
    let house = House::new();
    let queue = RecordQueue::new(3);
    assert!(queue.is_empty());
    for id in 0..5 {
        queue.push(Box::new(record(&house, id)));
    }
    assert_eq!(queue.dropped(), 2);
    assert_eq!(queue.capacity(), 3);
    let kept: Vec<u64> = std::iter::from_fn(|| queue.pop())
        .map(|record| record.id.0)
        .collect();
    assert_eq!(kept, [0, 1, 2]);
    queue.push(Box::new(record(&house, 9)));
    assert_eq!(queue.pop().unwrap().id, Correlation(9));
    assert_eq!(queue.dropped(), 2);
    // A queue of nothing would lose everything without a word.
    assert_eq!(RecordQueue::new(0).capacity(), 1);
}

#[test]
fn a_refusal_is_no_decision() {
    let subject = mail(&[], Some(ALICE));
    let now = Timestamp::from_unix_seconds(1);
    let why = "a reason of many words ".repeat(20);
    let record = DecisionRecord::not_authenticated(Correlation(1), "pap", &subject, &why, now);
    let Outcome::NotAuthenticated(kept) = record.outcome else {
        panic!("decided");
    };
    assert!(why.starts_with(kept.as_str()) && kept.as_str().len() == 255);
    assert!(record.seen.posture().is_none());
}

#[test]
fn numbers_are_given_once_by_all_threads() {
    let source = CorrelationSource::starting_at(Timestamp::from_unix_seconds(1_780_272_000));
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..500).map(|_| source.next().0).collect::<Vec<_>>()))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 2000);
}

#[test]
fn texts_never_break_a_character_however_they_are_filled() {
    use std::fmt::Write;
    for text in ["", "abc", "caf\u{e9}\u{e9}\u{e9}", "\u{1f600}\u{1f600}"] {
        let new = Text::<5>::new(text);
        let displayed = Text::<5>::display(&text);
        assert!(text.starts_with(new.as_str()), "row {text}");
        assert_eq!(displayed.as_str(), new.as_str(), "row {text}");
        let mut pieces = Text::<5>::EMPTY;
        for character in text.chars() {
            if write!(pieces, "{character}").is_err() {
                break;
            }
        }
        assert!(text.starts_with(pieces.as_str()), "row {text}");
    }
}
