//! Any octets as a device file and as a user file, CSV and JSON.

use portreeve::sync;
use portreeve::sync::Format;
use portreeve::sync::Tolerance;

/// One run.
pub fn drive(octets: &[u8]) {
    let strict = Tolerance { bad_percent: 0 };
    let lax = Tolerance { bad_percent: 100 };
    for format in [Format::Csv, Format::Json] {
        for tolerance in [strict, lax] {
            let devices = sync::read_device_file("s", "f", format, octets, tolerance);
            if let Ok(loaded) = &devices {
                assert!(!loaded.rows.is_empty(), "an empty list is never used");
                let mut ids: Vec<_> = loaded.rows.iter().map(|row| row.device).collect();
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), loaded.rows.len(), "no device stands there twice");
                assert!(ids.iter().all(|id| id.as_u128() != 0));
            }
            judge(devices, tolerance);

            let users = sync::read_user_file("f", format, octets, tolerance);
            if let Ok(loaded) = &users {
                assert!(!loaded.rows.is_empty());
                let mut names: Vec<_> = loaded.rows.iter().map(|row| &row.user).collect();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), loaded.rows.len(), "no user stands there twice");
            }
            judge(users, tolerance);
        }
    }
    assert!(
        octets.ends_with(b"\n") || sync::read_user_file("f", Format::Csv, octets, lax).is_err(),
        "a CSV file that does not end with a line end may be cut"
    );
}

fn judge<T>(read: Result<sync::Loaded<T>, Vec<portreeve::model::Problem>>, tolerance: Tolerance) {
    let problems = match read {
        Ok(loaded) => {
            let strict = tolerance.bad_percent == 0;
            assert!(!strict || loaded.bad <= 1, "one bad row is passed over");
            assert!(
                loaded.bad == 0 || !loaded.problems.is_empty(),
                "each is told"
            );
            loaded.problems
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal has a reason");
            problems
        }
    };
    assert!(problems.len() <= 102, "problems are bounded");
    let lines = problems.iter().map(ToString::to_string);
    assert!(lines.into_iter().all(|line| !line.contains('\n')));
}
