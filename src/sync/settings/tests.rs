use super::*;

fn read(text: &str) -> Result<Config, Vec<String>> {
    let parsed = parse("source.toml", Path::new("/conf"), text);
    let print = |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect();
    parsed.map(|(config, _)| config).map_err(print)
}

#[test]
fn a_small_file_gets_the_defaults_r44() {
    let config = read(
        "[[file]]\nname = 'sample'\ndevices = 'devices.csv'\n\
         [[graph]]\nname = 'contoso'\ntenant = 'contoso.example'\nclient_id = 'x'\n\
         client_secret_file = '/run/secret'\n",
    )
    .unwrap();
    assert_eq!(
        config.files[0].devices,
        Some(PathBuf::from("/conf/devices.csv"))
    );
    assert_eq!(config.files[0].users, None);
    let graph = &config.graphs[0];
    assert_eq!(graph.timing.full_interval, Duration::from_hours(24));
    assert_eq!(graph.timing.quick_interval, Duration::from_secs(60));
    assert_eq!(graph.client_secret_file, PathBuf::from("/run/secret"));
    assert_eq!(graph.graph.to_string(), "https://graph.microsoft.com/v1.0");
    assert_eq!(graph.groups, Groups::Listed(Vec::new()));
}

#[test]
fn every_key_is_read() {
    let config = read(
        "[[file]]\nname='f'\nusers='u.json'\nlook_interval='2s'\nreload_interval='1m'\n\
         bad_percent=25\n\
         [[graph]]\nname='g'\ntenant='t'\nclient_id='c'\nclient_secret_file='s'\n\
         login='http://127.0.0.1:8443'\ngraph='http://127.0.0.1:8443/v1.0'\nca_file='ca.pem'\n\
         devices=false\nusers=true\ngroups=['*']\nfull_interval='12h'\nquick_interval='30s'\n\
         overlap='5m'\nusers_interval='1m'\nrequest_deadline='5s'\nmax_time='1h'\n\
         bad_percent=0\nmax_pages=5\nmax_rows=0x10\n",
    )
    .unwrap();
    assert_eq!(config.files[0].tolerance.bad_percent, 25);
    let graph = &config.graphs[0];
    assert!(!graph.devices);
    assert_eq!(graph.groups, Groups::All);
    assert_eq!(graph.limits.rows, 16);
    assert_eq!(graph.ca_file, Some(PathBuf::from("/conf/ca.pem")));
}

#[test]
fn all_mistakes_are_told_at_once_with_line_and_key() {
    let problems = read(
        "colour = 1\n\
         [[file]]\nname = 'a'\nbad_percent = 101\nlook_interval = 'often'\n\
         [[file]]\nname = 'a'\ndevices = ''\n\
         [[graph]]\nname = 'with blank'\ntenant = '../x'\nclient_id = 7\n\
         graph = 'http://graph.example'\ngroups = 'all'\nsecret = 'x'\n",
    )
    .unwrap_err();
    let expected = [
        "source.toml:1: colour: unknown key, known here: file, graph",
        "source.toml:2: file[0]: expected `devices`, `users` or both",
        "source.toml:4: file[0].bad_percent: expected a whole number from 0 to 100",
        "source.toml:5: file[0].look_interval: expected a duration such as \"90s\" or \"1h30m\", \
         from 1 s to 3600 s",
        "source.toml:6: file[1]: expected `devices`, `users` or both",
        "source.toml:7: file[1].name: `a` names another source already",
        "source.toml:8: file[1].devices: expected a text in quotes that is not empty",
        "source.toml:9: graph[0]: expected a key `client_secret_file`",
        "source.toml:10: graph[0].name: expected up to 40 letters, digits, `-`, `_` and `.`",
        "source.toml:11: graph[0].tenant: expected a tenant id or domain: letters, digits, `-` \
         and `.`",
        "source.toml:12: graph[0].client_id: expected a text in quotes that is not empty",
        "source.toml:13: graph[0].graph: http:// is for loopback addresses such as \
         http://127.0.0.1:8443 only; use https://",
        "source.toml:14: graph[0].groups: expected a list of texts: [\"a\", \"b\"]",
    ];
    assert_eq!(problems[..expected.len()], expected);
    let [last] = &problems[expected.len()..] else {
        panic!("one more: {problems:?}");
    };
    assert!(last.starts_with("source.toml:15: graph[0].secret: unknown key"));
}

#[test]
fn a_mistyped_key_is_told_with_the_one_that_was_meant() {
    let problems = read("[[file]]\nname = 'a'\ndevice = 'd.csv'\nusers = 'u.csv'\n");
    let expected = "source.toml:3: file[0].device: unknown key, did you mean devices?";
    assert_eq!(problems.unwrap_err(), [expected]);
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let problems = read("[[file]]\nname = \n").unwrap_err();
    assert!(
        problems[0].starts_with("source.toml:2: not TOML: "),
        "{problems:?}"
    );
}

#[test]
fn no_source_at_all_is_worth_a_warning() {
    let (config, warnings) = parse("source.toml", Path::new("."), "# nothing\n").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(warnings.len(), 1);
}
