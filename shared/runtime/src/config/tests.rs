use std::{collections::BTreeMap, ffi::OsString, net::SocketAddr, time::Duration};

use serde::Deserialize;
use tributary_domain::FieldError;

use super::{
    ConfigError, Configuration, LogFormat, ServerConfig, TelemetryConfig, environment, layers, load,
};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    server: ServerConfig,
    telemetry: TelemetryConfig,
    limit: u32,
    ratio: f32,
    enabled: bool,
    name: String,
    #[serde(with = "humantime_serde")]
    patience: Duration,
    channels: Vec<Channel>,
    weights: BTreeMap<String, f32>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Channel {
    name: String,
    address: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::on(7001),
            telemetry: TelemetryConfig::default(),
            limit: 10,
            ratio: 0.5,
            enabled: false,
            name: "x".to_owned(),
            patience: Duration::from_secs(1),
            channels: Vec::new(),
            weights: BTreeMap::new(),
        }
    }
}

impl Configuration for Config {
    fn server(&self) -> &ServerConfig {
        &self.server
    }

    fn telemetry(&self) -> &TelemetryConfig {
        &self.telemetry
    }

    fn check(&self) -> Result<(), FieldError> {
        match self.limit {
            0 => Err(FieldError::new("limit", "must not be 0")),
            _ => Ok(()),
        }
    }
}

fn read(toml: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut layers = layers::Layers::new();
    layers.add_toml("the file", toml)?;
    let all = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    for setting in environment::variables(all) {
        layers.add(setting?);
    }
    layers.read()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn nothing_set_gives_the_defaults() {
    assert_eq!(read("", &[]).unwrap(), Config::default());
    let variables = [("PATH", "/bin"), ("TRIBUTARY", "1"), ("TRIBUTARY_COMMIT", "1")];
    assert_eq!(read("", &variables).unwrap(), Config::default());
}

#[test]
fn a_section_in_part_keeps_the_rest() {
    let config = read("[server]\nreflection = false\n", &[]).unwrap();
    assert_eq!(config.server, ServerConfig { reflection: false, ..ServerConfig::on(7001) });
}

#[test]
fn metrics_are_beside_the_services_unless_told_otherwise() {
    for (toml, expected) in [
        ("listen = \"0.0.0.0:7100\"", Some(address("0.0.0.0:8100"))),
        ("listen = \"127.0.0.1:0\"", Some(address("127.0.0.1:0"))),
        ("listen = \"127.0.0.1:65000\"", None),
        ("metrics_listen = \"127.0.0.1:9\"", Some(address("127.0.0.1:9"))),
        ("metrics = false", None),
    ] {
        let config = read(&format!("[server]\n{toml}\n"), &[]).unwrap();
        assert_eq!(config.server.metrics_listen, expected, "{toml}");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let toml = r#"
        limit = 20
        ratio = 0.25
        [server]
        listen = "127.0.0.1:7100"
        [weights]
        one = 1.0
        [[channels]]
        name = "first"
        address = "http://a:1"
        [[channels]]
        name = "second"
    "#;
    let config = read(
        toml,
        &[
            ("TRIBUTARY__LIMIT", "30"),
            ("TRIBUTARY__ENABLED", "true"),
            ("TRIBUTARY__NAME", "0042"),
            ("TRIBUTARY__PATIENCE", "250ms"),
            ("TRIBUTARY__SERVER__LISTEN", "127.0.0.1:7200"),
            ("TRIBUTARY__TELEMETRY__FORMAT", "json"),
            ("TRIBUTARY__CHANNELS__1__ADDRESS", "http://b:2"),
            ("TRIBUTARY__WEIGHTS__TWO-TOWER", "2"),
        ],
    );
    let channel = |name: &str, address: &str| Channel {
        name: name.to_owned(),
        address: Some(address.to_owned()),
    };
    let expected = Config {
        server: ServerConfig::on(7200),
        telemetry: TelemetryConfig { format: LogFormat::Json, ..TelemetryConfig::default() },
        limit: 30,
        ratio: 0.25,
        enabled: true,
        name: "0042".to_owned(),
        patience: Duration::from_millis(250),
        channels: vec![channel("first", "http://a:1"), channel("second", "http://b:2")],
        weights: BTreeMap::from([("one".to_owned(), 1.0), ("two-tower".to_owned(), 2.0)]),
    };
    assert_eq!(config.unwrap(), expected);
}

#[test]
fn lists_in_the_environment_are_toml() {
    let variable = ("TRIBUTARY__CHANNELS", "[{ name = \"only\" }]");
    let config = read("[[channels]]\nname = \"first\"\n", &[variable]).unwrap();
    assert_eq!(config.channels, [Channel { name: "only".to_owned(), address: None }]);
}

#[test]
fn errors_name_the_key_where_it_was_set_and_what_is_wrong() {
    let variable = |name| format!("environment variable {name}");
    let file = "the file".to_owned();
    for (toml, variables, key, origin, reason) in [
        ("limits = 1", vec![], "limits", &file, "unknown field"),
        ("[server]\nlistne = 1", vec![], "server.listne", &file, "expected one of"),
        ("[serving]\nlisten = 1", vec![], "serving", &file, "unknown field"),
        ("limit = \"many\"", vec![], "limit", &file, "many"),
        ("limit = -1", vec![], "limit", &file, "-1"),
        ("limit = 0", vec![], "limit", &file, "must not be 0"),
        ("patience = \"5x\"", vec![], "patience", &file, "5x"),
        ("patience = 5", vec![], "patience", &file, "5"),
        ("[server]\nlisten = \"here\"", vec![], "server.listen", &file, "socket address"),
        ("[telemetry]\nformat = \"xml\"", vec![], "telemetry.format", &file, "xml"),
        ("[telemetry]\nlog = \"=,=\"", vec![], "telemetry.log", &file, ""),
        ("[[channels]]\nname = \"a\"\nport = 1", vec![], "channels[0].port", &file, "unknown"),
        (
            "limit = 1",
            vec![("TRIBUTARY__LIMIT", "many")],
            "limit",
            &variable("TRIBUTARY__LIMIT"),
            "many",
        ),
        (
            "",
            vec![("TRIBUTARY__SERVER__LISTNE", "x")],
            "server.listne",
            &variable("TRIBUTARY__SERVER__LISTNE"),
            "unknown field",
        ),
        ("", vec![("TRIBUTARY__LIMIT", "0")], "limit", &variable("TRIBUTARY__LIMIT"), "be 0"),
        ("", vec![("TRIBUTARY__A____B", "0")], "a____b", &variable("TRIBUTARY__A____B"), "empty"),
    ] {
        let error = read(toml, &variables).unwrap_err();
        let ConfigError::Key { key: named, reason: why, origin: place } = &error else {
            panic!("{toml:?}: {error}")
        };
        assert_eq!((named.as_str(), place), (key, origin), "{toml:?}: {error}");
        assert!(why.contains(reason), "{toml:?}: {error}");
        assert!(error.to_string().contains(key) && error.to_string().contains(origin), "{error}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let error = read("limit = = 3", &[]).unwrap_err();
    assert!(matches!(error, ConfigError::Syntax { .. }), "{error}");
    let path = std::path::Path::new("/nowhere/config.toml");
    let error = load::<Config>(Some(path)).unwrap_err();
    assert!(error.to_string().contains("/nowhere/config.toml"), "{error}");
}
