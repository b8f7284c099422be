//! Fits the shipped configuration files to this machine: ports, folders, the page-token key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::{
    home::Home,
    service::{INGEST, Ports, Service},
};
use crate::{CliError, arguments::UpOptions};

/// Writes the service's configuration into the home and returns the file: the shipped one, or for
/// `feature` the one that was given.
pub(super) fn write(
    service: &Service,
    options: &UpOptions,
    home: &Home,
    ports: &Ports,
) -> Result<PathBuf, CliError> {
    let table = match (&options.feature_config, service.name) {
        (Some(path), "feature") => given(service, &read(path)?, ports)?,
        _ => shipped(service, ports)?,
    };
    fitted(table, service, home, ports)
}

/// The same for `ingest`: from the file or the URL that was given, `None` without either.
pub(super) fn write_ingest(
    options: &UpOptions,
    home: &Home,
    ports: &Ports,
) -> Result<Option<PathBuf>, CliError> {
    let mut table = match (&options.ingest, &options.mysql) {
        (None, None) => return Ok(None),
        (Some(path), _) => given(&INGEST, &read(path)?, ports)?,
        (None, Some(_)) => shipped(&INGEST, ports)?,
    };
    for section in ["feature", "source"] {
        table.entry(section).or_insert_with(|| Table::new().into());
    }
    set(&mut table, "feature", "address", ports.addresses().feature);
    if let Some(url) = &options.mysql {
        set(&mut table, "source", "url", url.clone());
    }
    let data = home.root().join("ingest");
    table.insert("data".into(), data.to_string_lossy().into_owned().into());
    fitted(table, &INGEST, home, ports).map(Some)
}

fn read(path: &Path) -> Result<String, CliError> {
    fs::read_to_string(path).map_err(CliError::file(path))
}

/// A shipped file, with every address of this machine's mesh where it is now.
fn shipped(service: &Service, ports: &Ports) -> Result<Table, CliError> {
    let mut table = parsed(service, service.configuration)?;
    move_ports(&mut table, ports);
    Ok(table)
}

/// Somebody's own file: what it names besides the listeners, such as a database, stays as it is.
fn given(service: &Service, text: &str, ports: &Ports) -> Result<Table, CliError> {
    let mut table = parsed(service, text)?;
    table.entry("server").or_insert_with(|| Table::new().into());
    set(&mut table, "server", "listen", format!("127.0.0.1:{}", ports.of(service)));
    Ok(table)
}

fn parsed(service: &Service, text: &str) -> Result<Table, CliError> {
    text.parse().map_err(|source| CliError::Configuration { name: service.name.to_owned(), source })
}

fn fitted(
    mut table: Table,
    service: &Service,
    home: &Home,
    ports: &Ports,
) -> Result<PathBuf, CliError> {
    let metrics = format!("127.0.0.1:{}", ports.metrics_of(service));
    set(&mut table, "server", "metrics_listen", metrics);
    set(&mut table, "bundle", "store", home.store().to_string_lossy().into_owned());
    match service.name {
        "feature" => {
            table.entry("store").or_insert_with(|| Table::new().into());
            set(&mut table, "store", "data", home.feature().to_string_lossy().into_owned());
        }
        "gateway" => set(&mut table, "page_token", "secret", home.page_token_secret()?),
        _ => {}
    }
    let path = home.configuration().join(format!("{}.toml", service.name));
    fs::write(&path, table.to_string()).map_err(CliError::file(&path))?;
    Ok(path)
}

/// Sets a key of a section that the file has; a service without the section does not know it.
fn set(table: &mut Table, section: &str, key: &str, value: String) {
    if let Some(Value::Table(section)) = table.get_mut(section) {
        section.insert(key.into(), Value::from(value));
    }
}

/// Replaces every standard port of this machine's addresses by the one in use.
fn move_ports(table: &mut Table, ports: &Ports) {
    for (_, value) in table.iter_mut() {
        move_ports_of(value, ports);
    }
}

fn move_ports_of(value: &mut Value, ports: &Ports) {
    match value {
        Value::Table(table) => move_ports(table, ports),
        Value::Array(values) => values.iter_mut().for_each(|value| move_ports_of(value, ports)),
        Value::String(text) => {
            if let Some(moved) = moved(text, ports) {
                *text = moved;
            }
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

fn moved(text: &str, ports: &Ports) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let local = ["127.0.0.1", "localhost"].iter().any(|name| host.ends_with(name));
    let standard: u16 = port.parse().ok().filter(|_| local)?;
    let (_, port) = ports.pairs().find(|(known, _)| *known == standard)?;
    Some(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::service::SERVICES;

    #[test]
    fn every_address_of_every_file_is_moved() {
        let ports = Ports::choose(0).unwrap();
        for service in &SERVICES {
            let text = shipped(service, &ports).unwrap().to_string();
            for (standard, _) in ports.pairs() {
                assert!(!text.contains(&format!("127.0.0.1:{standard}\"")), "{text}");
            }
        }
    }

    #[test]
    fn of_a_given_file_only_the_listener_is_moved() {
        let ports = Ports::choose(0).unwrap();
        let feature = &SERVICES[0];
        let text =
            "[server]\nlisten = \"0.0.0.0:7001\"\n[redis]\nurls = [\"redis://127.0.0.1:7000\"]\n";
        let table = given(feature, text, &ports).unwrap();
        assert_eq!(table["redis"]["urls"][0].as_str(), Some("redis://127.0.0.1:7000"));
        let listen = format!("127.0.0.1:{}", ports.of(feature));
        assert_eq!(table["server"]["listen"].as_str(), Some(listen.as_str()));
        assert!(given(feature, "[redis", &ports).is_err());
    }
}
