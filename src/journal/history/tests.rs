use super::*;

fn keys(line: &str) -> Keys<'_> {
    serde_json::from_str(line).unwrap()
}

#[test]
fn a_line_is_found_by_each_name_of_its_subject_once() {
    let keys = keys(
        r#"{"verdict":"block","nas":"ap","user":"Al\u0069ce","presented":"AA-BB","device":"alice","station":"00:00:5e:00:53:01","code":1}"#,
    );
    assert_eq!((&*keys.verdict, &*keys.nas), ("block", "ap"));
    let subjects: Vec<String> = keys.subjects().into_iter().collect();
    assert_eq!(subjects, ["00:00:5e:00:53:01", "aa-bb", "alice"]);
}

#[test]
fn a_user_of_a_domain_is_found_by_the_account_too() {
    let keys = keys(r#"{"verdict":"block","user":"corp\\Alice","presented":"X"}"#);
    let subjects: Vec<String> = keys.subjects().into_iter().collect();
    assert_eq!(subjects, ["alice", "corp\\alice", "x"]);
}

#[test]
fn a_line_without_names_has_none() {
    assert!(keys(r#"{"verdict":"reject"}"#).subjects().is_empty());
}
