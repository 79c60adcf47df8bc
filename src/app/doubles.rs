//! What two rows of a file both claim, so that it finds neither of them.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;

use crate::inventory::DeviceReport;
use crate::inventory::UserReport;

/// Names that lead to two users.
pub(super) fn of_users(users: &[UserReport]) -> Vec<String> {
    let names = users.iter().flat_map(|user| {
        let aliases = user.aliases.iter().filter(|alias| **alias != user.user);
        aliases.map(move |alias| (alias, &user.user))
    });
    doubles("alias", names)
}

/// MAC addresses that two devices have, and DeviceIds that two devices of one owner have: those of
/// several owners are told apart by who signs in.
pub(super) fn of_devices(devices: &[DeviceReport]) -> Vec<String> {
    let macs = devices
        .iter()
        .flat_map(|device| device.macs.iter().map(move |mac| (mac, &device.device)));
    let mail_clients = devices.iter().filter_map(|device| {
        let eas = device.eas?;
        let key = match &device.owner {
            Some(owner) => format!("{eas} of {owner}"),
            None => format!("{eas} without an owner"),
        };
        Some((key, &device.device))
    });
    let mut told = doubles("MAC address", macs);
    told.extend(doubles("eas_id", mail_clients));
    told
}

fn doubles<K: Eq + Hash + Display, V: PartialEq + Display>(
    what: &str,
    claims: impl Iterator<Item = (K, V)>,
) -> Vec<String> {
    let mut first: HashMap<K, V> = HashMap::new();
    let mut told = Vec::new();
    for (key, holder) in claims {
        match first.get(&key) {
            Some(before) if *before != holder => told.push(format!(
                "the {what} {key} is both of {before} and of {holder}: it finds neither of them"
            )),
            Some(_) => {}
            None => {
                first.insert(key, holder);
            }
        }
    }
    told.truncate(MAX_TOLD);
    told
}

/// The first hundred show what went wrong.
const MAX_TOLD: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeviceId;
    use crate::model::UserId;

    #[test]
    fn what_two_rows_claim_is_told_once() {
        let user = |name: &str, alias: &str| UserReport {
            aliases: vec![UserId::parse(alias).unwrap()],
            ..UserReport::new(UserId::parse(name).unwrap())
        };
        let users = [user("alice", "al"), user("frank", "al"), user("al", "al")];
        let told = of_users(&users);
        assert_eq!(
            told,
            ["the alias al is both of alice and of frank: it finds neither of them"]
        );
        let device = |number| DeviceReport {
            macs: vec!["00-00-5E-00-53-01".parse().unwrap()],
            ..DeviceReport::new(DeviceId::from_u128(number))
        };
        assert_eq!(of_devices(&[device(1), device(1)]), Vec::<String>::new());
        assert_eq!(of_devices(&[device(1), device(2)]).len(), 1);
    }

    /// It found neither of two, and `check` said nothing.
    #[test]
    fn a_device_id_is_of_one_device_of_its_owner() {
        let device = |number, owner: &str| DeviceReport {
            eas: Some("appl1".parse().unwrap()),
            owner: UserId::parse(owner),
            ..DeviceReport::new(DeviceId::from_u128(number))
        };
        for (one, other, expected) in [
            ("alice", "alice", 1),
            ("", "", 1),
            ("alice", "bob", 0),
            ("alice", "", 0),
        ] {
            let told = of_devices(&[device(1, one), device(2, other)]);
            assert_eq!(told.len(), expected, "row {one} {other}: {told:?}");
        }
    }
}
