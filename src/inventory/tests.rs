//! The table alone, against a map; what concurrent readers see is shown in `tests/loom`.

use std::collections::HashMap;

use proptest::prelude::*;

use crate::inventory::arena::Limits;
use crate::inventory::index::Extent;
use crate::inventory::index::Full;
use crate::inventory::index::Key;
use crate::inventory::table::Found;
use crate::inventory::table::Holder;
use crate::inventory::table::Owner;

fn table(rows: u32, rest: usize, directory_bits: u32) -> Owner<1> {
    let limits = Limits {
        rows,
        chunk_bits: 2,
        rest,
    };
    let extent = Extent {
        directory_bits,
        segment: 8,
        depth: 0,
    };
    Owner::open(limits, extent)
}

/// Spreads small numbers over the bits that choose segment and home.
fn key(number: u64) -> Key {
    let spread = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Key(u128::from(number) << 64 | spread)
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Set(u64, usize),
    Share(u64),
    Clear(u64),
    Replace(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..60_u64;
    prop_oneof![
        4 => (key.clone(), 0..4_usize).prop_map(|(key, row)| Step::Set(key, row)),
        1 => key.clone().prop_map(Step::Share),
        3 => key.prop_map(Step::Clear),
        2 => (0..4_usize, any::<u64>()).prop_map(|(row, value)| Step::Replace(row, value)),
    ]
}

proptest! {
    #[test]
    fn keys_lead_where_they_were_last_set(steps in prop::collection::vec(step(), 0..400)) {
        let mut owner = table(16, 3, 5);
        let rows: Vec<u32> = (0..4).map(|value| owner.add(&[value]).unwrap()).collect();
        let mut values: Vec<u64> = (0..4).collect();
        let mut expected: HashMap<u64, Holder> = HashMap::new();
        for step in steps {
            match step {
                Step::Set(number, row) => {
                    owner.set_key(key(number), Holder::One(rows[row])).unwrap();
                    expected.insert(number, Holder::One(rows[row]));
                }
                Step::Share(number) => {
                    owner.set_key(key(number), Holder::Several).unwrap();
                    expected.insert(number, Holder::Several);
                }
                Step::Clear(number) => {
                    owner.clear_key(key(number));
                    expected.remove(&number);
                }
                Step::Replace(row, value) => {
                    owner.replace(rows[row], &[value]);
                    values[row] = value;
                }
            }
            for number in 0..60 {
                let found = owner.table().find(key(number));
                let wanted = match expected.get(&number) {
                    None => Found::Nothing,
                    Some(Holder::Several) => Found::Several,
                    Some(Holder::One(row)) => {
                        let at = rows.iter().position(|known| known == row).unwrap();
                        Found::One(*row, [values[at]])
                    }
                };
                prop_assert_eq!(found, wanted, "key {}", number);
            }
        }
    }
}

#[test]
fn a_full_index_refuses_a_new_key_and_keeps_the_others() {
    let mut owner = table(4, 0, 1);
    let row = owner.add(&[7]).unwrap();
    let stored: Vec<u64> = (0..100)
        .filter(|&number| owner.set_key(key(number), Holder::One(row)).is_ok())
        .collect();
    // Two segments of eight, each at most three quarters full.
    assert_eq!(stored.len(), 12);
    let refused = (0..100).find(|number| !stored.contains(number)).unwrap();
    assert_eq!(owner.set_key(key(refused), Holder::One(row)), Err(Full));
    assert_eq!(owner.set_key(key(stored[0]), Holder::Several), Ok(()));
    for number in &stored[1..] {
        assert_eq!(owner.table().find(key(*number)), Found::One(row, [7]));
    }
    owner.clear_key(key(stored[1]));
    assert!((0..100).any(|number| {
        !stored.contains(&number) && owner.set_key(key(number), Holder::One(row)).is_ok()
    }));
}

#[test]
fn rows_run_out_and_come_back() {
    let mut owner = table(2, 0, 1);
    let rows = [owner.add(&[1]).unwrap(), owner.add(&[2]).unwrap()];
    assert_eq!(owner.add(&[3]), None);
    owner.remove(rows[0]);
    assert_eq!(owner.table().read(rows[0]), None);
    assert_eq!(owner.add(&[3]), Some(rows[0]));
    assert_eq!(owner.table().read(rows[0]), Some([3]));
    assert_eq!(owner.table().high(), 2);
}
