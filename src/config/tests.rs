//! The layers together, as a person meets them.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use tracing::level_filters::LevelFilter;

use super::*;

/// Flags, environment and file of a process that does not exist.
pub(super) struct Given {
    pub(super) directory: TempDir,
    pub(super) inputs: Inputs,
}

impl Given {
    pub(super) fn nothing() -> Self {
        let directory = TempDir::new().unwrap();
        let inputs =
            Inputs { flags: vec![], file: None, environment: vec![], directory: directory.path().to_owned() };
        Self { directory, inputs }
    }

    pub(super) fn flag(mut self, name: &'static str, values: &[&str]) -> Self {
        self.inputs.flags.push((name, values.iter().map(|&value| value.to_owned()).collect()));
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.inputs.environment.push((name.into(), value.into()));
        self
    }

    pub(super) fn file(self, text: &str) -> Self {
        self.write("answerback.toml", text);
        self
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        load(&self.inputs)
    }

    #[track_caller]
    pub(super) fn config(&self) -> Config {
        self.load().unwrap().config
    }

    /// What is wrong, one line each.
    #[track_caller]
    pub(super) fn complaint(&self) -> String {
        let directory = format!("{}/", self.directory.path().display());
        self.load().unwrap_err().to_string().replace(&directory, "")
    }
}

#[test]
fn nothing_given_is_the_defaults_and_the_help_tells_them_truly() {
    assert_eq!(Given::nothing().config(), Config::default());
    let mut given = Given::nothing();
    for setting in SETTINGS {
        given = given.flag(setting.name, setting.default.as_slice());
    }
    // The default of this one depends on the journal, and `retained_bytes` says it.
    given.inputs.flags.retain(|(name, values)| !values.is_empty() && *name != "retain_bytes");
    assert_eq!(given.config(), Config::default());
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let file = "max_listeners = 1\nmax_connections = 1\nmax_connections_per_listener = 1\n";
    let given = Given::nothing()
        .file(file)
        .variable("ANSWERBACK_MAX_CONNECTIONS", "2")
        .variable("ANSWERBACK_MAX_CONNECTIONS_PER_LISTENER", "2")
        .flag("max_connections_per_listener", &["3"]);
    let config = given.config();
    let counts = (config.max_listeners, config.max_connections, config.max_connections_per_listener);
    assert_eq!(counts, (1, 2, 3));
}

#[test]
fn a_list_is_replaced_by_a_higher_layer_never_mixed() {
    let given = Given::nothing().file("open = [1024, 1025]").variable("ANSWERBACK_OPEN", "1026, [::1]:1027");
    assert_eq!(given.config().open, ["0.0.0.0:1026".parse().unwrap(), "[::1]:1027".parse().unwrap()]);
    let given = given.flag("open", &["localhost:1028", "1029,1030"]);
    let ports: Vec<_> = given.config().open.iter().map(SocketAddr::port).collect();
    assert_eq!(ports, [1028, 1029, 1030]);
}

#[test]
fn a_file_may_say_everything() {
    let given = Given::nothing().file(
        r#"
        listen = "[::1]:0"
        open = [8080, "127.0.0.1:80"]
        token = "swordfish"
        allow_ports = ["80", 443, "1024-65535"]
        allow_host = ["Answerback.internal", "gate:7070"]
        max_listeners = 2_000
        idle_timeout = "1h30m"
        journal = "memory"
        retain_bytes = "1GiB"
        log_format = "json"
        log = "warn,answerback::engine=debug"
        "#,
    );
    let config = given.config();
    assert_eq!(config.listen, "[::1]:0".parse().unwrap());
    assert_eq!(config.open, ["0.0.0.0:8080".parse().unwrap(), "127.0.0.1:80".parse().unwrap()]);
    assert_eq!(config.token, TokenSetting::Given(Secret::new("swordfish")));
    assert_eq!(config.allow_ports.to_string(), "80,443,1024-65535");
    assert_eq!(config.allow_hosts, ["answerback.internal", "gate:7070"]);
    assert_eq!((config.max_listeners, config.retain_bytes), (2_000, Some(1 << 30)));
    assert_eq!(config.idle_timeout, Duration::from_secs(5_400));
    assert_eq!(config.log_format, LogFormat::Json);
    let targets = vec![("answerback::engine".to_owned(), LevelFilter::DEBUG)];
    assert_eq!(config.log, LogFilter { default: LevelFilter::WARN, targets });
}

#[test]
fn an_error_names_the_setting_the_value_the_origin_and_what_would_be_right() {
    let right = "`many` is no whole number from 1 to 10000000";
    let flag = Given::nothing().flag("max_listeners", &["many"]);
    assert_eq!(flag.complaint(), format!("max_listeners: {right} (from the flag --max-listeners)"));
    let variable = Given::nothing().variable("ANSWERBACK_MAX_LISTENERS", "many");
    let origin = "from the environment variable ANSWERBACK_MAX_LISTENERS";
    assert_eq!(variable.complaint(), format!("max_listeners: {right} ({origin})"));
    let file = Given::nothing().file("# limits\nmax_listeners = \"many\"\n");
    assert_eq!(file.complaint(), format!("max_listeners: {right} (from answerback.toml, line 2)"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let given = Given::nothing()
        .file("listen = 70_000\nidle_timeout = 5\nretain_bytes = 1.5")
        .variable("ANSWERBACK_LOG", "verbose")
        .variable("ANSWERBACK_JOURNAL", "postgres")
        .flag("allow_ports", &["0"])
        .flag("log_format", &["xml"])
        .flag("allow_host", &["http://a"]);
    let complaint = given.complaint();
    let said: Vec<_> = complaint.lines().map(|line| line.split(": ").next().unwrap()).collect();
    let settings = [
        "listen",
        "allow_ports",
        "allow_host",
        "idle_timeout",
        "journal",
        "retain_bytes",
        "log_format",
        "log",
    ];
    assert_eq!(said, settings, "{complaint}");
}

#[test]
fn values_of_another_kind_are_refused() {
    for (text, expected) in [
        ("listen = [1, 2]", "listen: is a list; write one value"),
        ("listen = { port = 1 }", "listen: is a table; write one value"),
        ("open = [[1], 2]", "open: is neither a text nor a number"),
        ("max_listeners = -1", "max_listeners: `-1` is no whole number"),
        ("max_listeners = 0", "max_listeners: `0` is no whole number from 1"),
        ("idle_timeout = '0s'", "idle_timeout: `0s` is no time at all"),
        ("idle_timeout = '-5s'", "idle_timeout: `-5s` is negative"),
        ("retain_bytes = 0", "retain_bytes: `0` keeps nothing"),
        ("no_auth = 'yes'", "no_auth: `yes` is neither true nor false"),
        ("token = ''", "token: the token is empty"),
    ] {
        let complaint = Given::nothing().file(text).complaint();
        assert!(complaint.starts_with(expected) && complaint.ends_with("line 1)"), "{complaint}");
    }
}

#[test]
fn an_unknown_key_is_refused_and_its_neighbour_named() {
    let given = Given::nothing()
        .file("listen = 1\nmax_listners = 3\nmax-connections = 3\nzzz = 1\n[serve]\nopen = 1\n");
    let complaint = given.complaint();
    let lines: Vec<_> = complaint.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "max_listners: there is no such setting; did you mean max_listeners? (from answerback.toml, line 2)",
            "max-connections: there is no such setting; did you mean max_connections? (from answerback.toml, line 3)",
        ]
    );
    assert!(lines[2].contains("serve --help") && lines[2].ends_with("line 4)"), "{complaint}");
    assert!(lines[3].starts_with("serve: ") && lines[3].ends_with("line 5)"), "{complaint}");
}

#[test]
fn an_unknown_variable_is_warned_of_and_others_are_left_alone() {
    let given = Given::nothing()
        .variable("ANSWERBACK_MAX_LISTENER", "3")
        .variable("answerback_listen", "1")
        .variable("ANSWERBACK_URL", "http://127.0.0.1:7070")
        .variable("ANSWERBACK_TEST_TOOLS", "1")
        .variable("ANSWERBACK_SERVICE_HOST", "10.0.0.1")
        .variable("ANSWERBACK_PORT_7070_TCP_PORT", "7070")
        .variable("ANSWERBACK_PORT", "tcp://10.0.0.1:7070")
        .variable("ANSWERBACK_LISTEN", "");
    let loaded = given.load().unwrap();
    assert_eq!(loaded.config, Config::default());
    let warning = "the environment variable ANSWERBACK_MAX_LISTENER is no setting and does nothing; \
                   did you mean ANSWERBACK_MAX_LISTENERS?";
    assert_eq!(loaded.warnings, [warning]);
}

#[test]
fn a_named_file_must_be_there_and_a_broken_one_is_explained() {
    let mut given = Given::nothing();
    given.inputs.file = Some(given.directory.path().join("gone.toml"));
    assert!(
        given.complaint().starts_with("gone.toml: cannot be read: No such file"),
        "{}",
        given.complaint()
    );
    given.inputs.file = Some(given.write("broken.toml", "listen = 1\ntoken = \"swordfish\n"));
    let complaint = given.complaint();
    assert!(complaint.starts_with("broken.toml: ") && complaint.contains("line 2"), "{complaint}");
    assert!(!complaint.contains("swordfish"), "{complaint}");
}

#[test]
fn a_variable_names_the_file_and_the_flag_wins() {
    let mut given = Given::nothing().file("max_listeners = 1");
    let (second, third) =
        (given.write("2.toml", "max_listeners = 2"), given.write("3.toml", "max_listeners = 3"));
    assert_eq!(given.config().max_listeners, 1);
    given = given.variable("ANSWERBACK_CONFIG", second.to_str().unwrap());
    assert_eq!(given.config().max_listeners, 2);
    given.inputs.file = Some(third);
    assert_eq!(given.config().max_listeners, 3);
}

#[test]
fn the_highest_layer_that_speaks_of_the_token_decides() {
    let given = Given::nothing().file("token = \"swordfish\"");
    assert_eq!(given.config().token, TokenSetting::Given(Secret::new("swordfish")));
    let given = given.variable("ANSWERBACK_NO_AUTH", "false");
    assert_eq!(given.config().token, TokenSetting::Given(Secret::new("swordfish")));
    let given = given.flag("no_auth", &["true"]);
    assert_eq!(given.config().token, TokenSetting::Off);
    let off_and_on = Given::nothing().file("no_auth = true").variable("ANSWERBACK_NO_AUTH", "0");
    assert_eq!(off_and_on.config().token, TokenSetting::Automatic);
}

#[test]
fn two_ways_to_be_let_in_contradict_each_other() {
    let given =
        Given::nothing().variable("ANSWERBACK_TOKEN", "swordfish").variable("ANSWERBACK_NO_AUTH", "1");
    let said = "token: cannot be given together with no_auth; give only one of them \
                (from the environment variable ANSWERBACK_TOKEN)";
    assert_eq!(given.complaint(), said);
}

#[test]
fn a_token_comes_from_a_file_without_its_line_end() {
    let given = Given::nothing();
    let path = given.write("token", "swordfish\n");
    let given = given.flag("token_file", &[path.to_str().unwrap()]);
    assert_eq!(given.config().token, TokenSetting::Given(Secret::new("swordfish")));
    given.write("token", "\n");
    assert!(given.complaint().contains("is empty"), "{}", given.complaint());
    fs::remove_file(path).unwrap();
    assert!(given.complaint().contains("cannot be read"), "{}", given.complaint());
}

#[test]
fn no_secret_is_ever_printed() {
    let given = Given::nothing().flag("token", &["swordfish"]);
    assert!(!format!("{:?}", given.load().unwrap()).contains("swordfish"));
    let wrong = Given::nothing().flag("token", &["swordfish with blanks"]).variable("ANSWERBACK_LISTEN", "x");
    assert!(!format!("{:?}", wrong.load().unwrap_err()).contains("swordfish"));
    assert!(!wrong.complaint().contains("swordfish"), "{}", wrong.complaint());
}

#[test]
fn a_port_that_cannot_be_opened_is_refused_before_anything_is() {
    let given = Given::nothing().flag("open", &["80", "7070", "8080", "8080", "127.0.0.1:8080", "0", "0"]);
    let complaint = given.complaint();
    let lines: Vec<_> = complaint.lines().collect();
    let allow = "allow it with --allow-ports 80,1024-65535";
    assert_eq!(lines.len(), 3, "{complaint}");
    assert!(lines[0].contains("port 80 is not among the allowed 1024-65535") && lines[0].contains(allow));
    assert!(lines[1].contains("port 7070 is the API's own"), "{complaint}");
    assert!(lines[2].contains("0.0.0.0:8080 is there twice"), "{complaint}");
}

#[test]
fn addresses_are_read_as_people_write_them() {
    for (text, expected) in [
        ("7071", "127.0.0.1:7071"),
        ("localhost:7071", "127.0.0.1:7071"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[::]:7071", "[::]:7071"),
    ] {
        assert_eq!(
            Given::nothing().flag("listen", &[text]).config().listen,
            expected.parse().unwrap(),
            "{text}"
        );
    }
    for (text, hint) in [
        ("127.0.0.1", "it has no port"),
        ("::1", "it has no port"),
        ("70000", "at most 65535"),
        ("http://127.0.0.1:7070", "without a scheme"),
        ("example.org:7070", "write PORT"),
        ("", "write PORT"),
    ] {
        let complaint = Given::nothing().flag("listen", &[text]).complaint();
        assert!(complaint.contains(hint), "{complaint}");
    }
}

#[test]
fn the_address_alone_is_read_whatever_else_is_wrong() {
    let given =
        Given::nothing().variable("ANSWERBACK_LISTEN", "0.0.0.0:7071").variable("ANSWERBACK_LOG", "loud");
    assert_eq!(listen_address(&given.inputs).unwrap(), "0.0.0.0:7071".parse().unwrap());
}

#[test]
fn host_names_are_names_or_addresses_with_a_port_or_without() {
    for good in ["a", "a.b-c.example:7070", "192.168.1.5", "[::1]", "[::1]:7070", "gate_1"] {
        assert_eq!(Given::nothing().flag("allow_host", &[good]).config().allow_hosts, [good]);
    }
    for bad in ["", "*", "a:0", "a:b", "a b", "http://a", "a/b", "::1", "[a]", "a:1:2", ":7070"] {
        let complaint = Given::nothing().flag("allow_host", &[bad]).complaint();
        assert!(complaint.starts_with(&format!("allow_host: `{bad}`")), "{bad}: {complaint}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_settings_panic(
        which in 0..SETTINGS.len(), text in ".{0,24}", almost in "[0-9a-z:=.,\\[\\]-]{0,24}"
    ) {
        for text in [text, almost] {
            let given = Given::nothing().flag(SETTINGS[which].name, &[&text]);
            let _ = given.load().map_err(|fault| fault.to_string());
        }
    }

    #[test]
    fn no_file_makes_the_settings_panic(
        lines in prop::collection::vec("(listen|open|log|a.b|\\[x\\])? ?=? ?.{0,12}", 0..4)
    ) {
        let given = Given::nothing().file(&lines.join("\n"));
        let _ = given.load().map_err(|fault| fault.to_string());
    }
}
