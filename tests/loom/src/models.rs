//! What must hold for a reader whatever the writer does at the same time.
//!
//! The table is made as small as it can be: records of two words that belong together, segments
//! of four entries, no rest before a row is used again. So the rare events of a large table
//! (reuse of the journal, of a row, of an index entry, of a segment) happen in every model.

use std::sync::Arc;

use loom::model::Builder;
use loom::thread;

use crate::inventory::arena::Limits;
use crate::inventory::index::Extent;
use crate::inventory::index::Key;
use crate::inventory::table::Found;
use crate::inventory::table::Holder;
use crate::inventory::table::Owner;
use crate::inventory::table::Table;

type Small = Owner<2>;

/// With a rest of 0, the next record takes the row that was vacated last.
fn table(rest: usize) -> Small {
    divided(rest, 1)
}

/// `directory_bits` says how often the one segment can be split.
fn divided(rest: usize, directory_bits: u32) -> Small {
    let limits = Limits {
        rows: 8,
        chunk_bits: 1,
        rest,
    };
    let extent = Extent {
        directory_bits,
        segment: 4,
        depth: 0,
    };
    Owner::open(limits, extent)
}

/// A key whose home is `home` in a segment of four; `upper` chooses the half after a split.
fn key(upper: bool, home: u64, distinct: u64) -> Key {
    let check = u64::from(upper) << 63 | home << 61 | distinct;
    Key(u128::from(distinct) << 100 | u128::from(check))
}

/// A record whose words belong together: `[n, !n]`.
fn record(number: u64) -> [u64; 2] {
    [number, !number]
}

/// The number of a record that is found, after checking that it is whole.
fn number(found: &Found<2>) -> Option<u64> {
    match found {
        Found::One(_, [number, complement]) => {
            assert_eq!(*complement, !number, "a torn record");
            Some(*number)
        }
        Found::Nothing => None,
        Found::Several => panic!("no key of this model is shared"),
    }
}

/// Tries all interleavings with at most `preemptions` forced switches.
fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

fn add(owner: &mut Small, keys: &[Key], value: u64) -> u32 {
    let row = owner.add(&record(value)).expect("room for a row");
    for key in keys {
        owner
            .set_key(*key, Holder::One(row))
            .expect("room for a key");
    }
    row
}

fn read_in_thread(
    table: &Arc<Table<2>>,
    check: impl Fn(&Table<2>) + Send + 'static,
) -> thread::JoinHandle<()> {
    let table = Arc::clone(table);
    thread::spawn(move || check(&table))
}

#[test]
fn a_replaced_record_is_whole_and_never_older_than_one_seen_before() {
    explore(4, || {
        let mut owner = table(0);
        let [one, other] = [key(false, 0, 1), key(false, 1, 2)];
        let row = add(&mut owner, &[one, other], 1);
        let reader = read_in_thread(&owner.table(), move |table| {
            let first = number(&table.find(one)).expect("present all the time");
            let second = number(&table.find(other)).expect("present all the time");
            assert!(
                first <= second,
                "another key of the device showed an older record"
            );
        });
        owner.replace(row, &record(2));
        reader.join().unwrap();
    });
}

#[test]
fn a_record_replaced_twice_is_whole() {
    explore(2, || {
        let mut owner = table(0);
        let one = key(false, 0, 1);
        let row = add(&mut owner, &[one], 1);
        let reader = read_in_thread(&owner.table(), move |table| {
            number(&table.find(one)).expect("present all the time");
        });
        owner.replace(row, &record(2));
        owner.replace(row, &record(3));
        reader.join().unwrap();
    });
}

#[test]
fn a_journal_that_serves_another_row_is_not_taken_for_the_first_one_s() {
    explore(4, || {
        let mut owner = table(0);
        let [one, other] = [key(false, 0, 1), key(false, 1, 2)];
        let first = add(&mut owner, &[one], 1);
        let second = add(&mut owner, &[other], 10);
        let reader = read_in_thread(&owner.table(), move |table| {
            let found = number(&table.find(one)).expect("present all the time");
            assert!([1, 2].contains(&found), "{found} of another row");
        });
        owner.replace(first, &record(2));
        owner.replace(second, &record(11));
        reader.join().unwrap();
    });
}

#[test]
fn a_word_amended_in_place_is_seen_with_its_own_record() {
    explore(4, || {
        let mut owner = table(0);
        let one = key(false, 0, 1);
        let row = owner.add(&[1, 10]).unwrap();
        owner.set_key(one, Holder::One(row)).unwrap();
        let reader = read_in_thread(&owner.table(), move |table| {
            let Found::One(_, words) = table.find(one) else {
                panic!("present all the time");
            };
            assert!([[1, 10], [1, 11], [2, 20]].contains(&words), "{words:?}");
        });
        owner.amend(row, 1, 11);
        owner.replace(row, &[2, 20]);
        reader.join().unwrap();
    });
}

#[test]
fn a_key_never_finds_the_device_that_took_over_its_row() {
    explore(4, || {
        let mut owner = table(0);
        let [one, other] = [key(false, 0, 1), key(false, 0, 2)];
        let row = add(&mut owner, &[one], 1);
        let reader = read_in_thread(&owner.table(), move |table| {
            assert!([None, Some(1)].contains(&number(&table.find(one))));
            assert!([None, Some(2)].contains(&number(&table.find(other))));
        });
        owner.clear_key(one);
        owner.remove(row);
        // The same row, slot and index entry.
        assert_eq!(add(&mut owner, &[other], 2), row);
        reader.join().unwrap();
    });
}

#[test]
fn a_reused_index_entry_does_not_join_two_keys() {
    explore(4, || {
        let mut owner = table(0);
        // The same tag, home and row's number of lives: only the second words differ.
        let one = Key(u128::from(1_u64));
        let other = Key(u128::from(2_u64));
        let [first, second] = [add(&mut owner, &[one], 1), add(&mut owner, &[], 2)];
        let reader = read_in_thread(&owner.table(), move |table| {
            assert!([None, Some(1)].contains(&number(&table.find(one))));
            assert!([None, Some(2)].contains(&number(&table.find(other))));
        });
        owner.clear_key(one);
        owner.set_key(other, Holder::One(second)).unwrap();
        owner.set_key(one, Holder::One(first)).unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn a_key_that_becomes_shared_and_alone_again_is_never_missed() {
    explore(4, || {
        let mut owner = table(0);
        let one = key(false, 0, 1);
        let row = add(&mut owner, &[one], 1);
        let other = add(&mut owner, &[], 2);
        let reader = read_in_thread(&owner.table(), move |table| match table.find(one) {
            Found::Nothing => panic!("present all the time"),
            Found::Several => {}
            found @ Found::One(..) => assert!(number(&found).is_some_and(|n| n < 3)),
        });
        owner.set_key(one, Holder::Several).unwrap();
        owner.set_key(one, Holder::One(other)).unwrap();
        owner.remove(row);
        reader.join().unwrap();
    });
}

#[test]
fn a_present_key_is_found_while_the_index_splits() {
    explore(3, || {
        let mut owner = table(0);
        let present = key(true, 0, 1);
        let row = add(&mut owner, &[present, key(false, 0, 2), key(true, 0, 3)], 1);
        let reader = read_in_thread(&owner.table(), move |table| {
            assert_eq!(number(&table.find(present)), Some(1));
        });
        // The fourth key is one more than a segment of four may hold.
        owner.set_key(key(false, 1, 4), Holder::One(row)).unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn a_present_key_is_found_while_a_segment_is_cleaned_and_used_again() {
    explore(3, || {
        // No splitting: a segment in which entries were deleted is copied without them.
        let mut owner = divided(0, 0);
        let at_home = |home: u64| Key(u128::from(home << 62 | 1));
        let present = at_home(0);
        let row = add(&mut owner, &[present, at_home(1), at_home(2)], 1);
        let reader = read_in_thread(&owner.table(), move |table| {
            assert_eq!(number(&table.find(present)), Some(1));
        });
        // A deleted entry stays while another key stands behind it; the next new key then is one
        // too many. The second copy is made into the segment that the first one left.
        for (gone, new) in [(1, 3), (2, 1)] {
            owner.clear_key(at_home(gone));
            owner.set_key(at_home(new), Holder::One(row)).unwrap();
        }
        reader.join().unwrap();
    });
}

#[test]
fn a_key_added_before_a_split_is_found_by_whoever_knows_of_it() {
    explore(3, || {
        let mut owner = table(0);
        let row = add(&mut owner, &[key(true, 0, 2), key(false, 0, 3)], 1);
        let added = key(true, 1, 1);
        let told = Arc::new(loom::sync::atomic::AtomicU64::new(0));
        let hears = Arc::clone(&told);
        let reader = read_in_thread(&owner.table(), move |table| {
            if hears.load(loom::sync::atomic::Ordering::Acquire) == 1 {
                assert_eq!(number(&table.find(added)), Some(1));
            }
        });
        owner.set_key(added, Holder::One(row)).unwrap();
        told.store(1, loom::sync::atomic::Ordering::Release);
        owner.set_key(key(false, 1, 4), Holder::One(row)).unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn a_key_away_from_its_home_is_found_while_those_before_it_come_and_go() {
    explore(3, || {
        let mut owner = table(0);
        let [before, present, instead] = [1, 2, 3].map(|n| key(false, 0, n));
        let row = add(&mut owner, &[before, present], 1);
        let reader = read_in_thread(&owner.table(), move |table| {
            assert_eq!(number(&table.find(present)), Some(1));
        });
        owner.clear_key(before);
        owner.set_key(instead, Holder::One(row)).unwrap();
        owner.clear_key(instead);
        reader.join().unwrap();
    });
}

#[test]
fn a_row_read_without_a_key_is_vacant_or_whole() {
    explore(4, || {
        let mut owner = table(0);
        let row = add(&mut owner, &[], 1);
        let reader = read_in_thread(&owner.table(), move |table| {
            for row in 0..table.high() {
                if let Some([number, complement]) = table.read(row) {
                    assert_eq!(complement, !number, "a torn record");
                }
            }
        });
        owner.remove(row);
        assert_eq!(add(&mut owner, &[], 2), row);
        add(&mut owner, &[], 3);
        reader.join().unwrap();
    });
}
