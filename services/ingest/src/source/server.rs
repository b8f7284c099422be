use std::collections::BTreeMap;

use mysql_async::{Conn, prelude::Queryable};

use crate::error::SourceError;

/// What a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub is_mariadb: bool,
    pub version: String,
    /// Tells this server from others whose binlogs have files of the same names.
    pub identity: String,
    pub database: String,
    /// Foreign keys change rows without a trace in the binlog: they are InnoDB's own affair, as in
    /// MariaDB and in MySQL before 9.6.
    pub cascades_silently: bool,
}

impl Server {
    /// Asks the server, and makes sure that its binlog has what is needed.
    pub(crate) async fn examine(conn: &mut Conn) -> Result<Self, SourceError> {
        let rows: Vec<(String, String)> = conn
            .query(
                "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'log_bin', \
                 'binlog_format', 'binlog_row_image', 'log_bin_compress', 'server_id', \
                 'server_uuid', 'binlog_row_value_options', 'innodb_native_foreign_keys')",
            )
            .await?;
        let variables: BTreeMap<String, String> =
            rows.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        check(&variables)?;
        let value = |name: &str| variables.get(name).cloned().unwrap_or_default();
        let identity = match variables.get("server_uuid") {
            Some(uuid) => uuid.clone(),
            None => format!("server_id {}", value("server_id")),
        };
        let cascades_silently = !value("innodb_native_foreign_keys").eq_ignore_ascii_case("OFF");
        let version = value("version");
        let is_mariadb = version.to_ascii_lowercase().contains("mariadb");
        let database: Option<String> = conn.query_first("SELECT DATABASE()").await?;
        let none = || SourceError::Settings("the connection has no database".to_owned());
        let database = database.ok_or_else(none)?;
        Ok(Self { is_mariadb, version, identity, database, cascades_silently })
    }

    pub(super) fn status_query(&self) -> &'static str {
        match !self.is_mariadb && self.is_at_least(8, 2) {
            true => "SHOW BINARY LOG STATUS",
            false => "SHOW MASTER STATUS",
        }
    }

    fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
    }
}

/// All that must be set otherwise, in one error.
fn check(variables: &BTreeMap<String, String>) -> Result<(), SourceError> {
    let wanted = [
        ("log_bin", "ON"),
        ("binlog_format", "ROW"),
        ("binlog_row_image", "FULL"),
        ("log_bin_compress", "OFF"),
        ("binlog_row_value_options", ""),
    ];
    let wrong = wanted.iter().filter_map(|(name, wanted)| {
        let value = variables.get(*name)?;
        let fits = value.eq_ignore_ascii_case(wanted);
        (!fits).then(|| format!("{name} is {value:?} and must be {wanted:?}"))
    });
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(SourceError::Settings(wrong.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn all_wrong_settings_are_named() {
        let good = [("log_bin", "ON"), ("binlog_format", "ROW"), ("binlog_row_image", "FULL")];
        assert!(check(&variables(&good)).is_ok());
        let bad = [("log_bin", "OFF"), ("binlog_format", "MIXED"), ("log_bin_compress", "ON")];
        let error = check(&variables(&bad)).unwrap_err().to_string();
        for name in ["log_bin is", "binlog_format is \"MIXED\"", "log_bin_compress"] {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn newer_mysql_is_asked_in_newer_words() {
        let server = |version: &str, is_mariadb| Server {
            is_mariadb,
            version: version.into(),
            identity: String::new(),
            database: String::new(),
            cascades_silently: is_mariadb,
        };
        for (version, is_mariadb, query) in [
            ("8.0.36", false, "SHOW MASTER STATUS"),
            ("8.4.0-commercial", false, "SHOW BINARY LOG STATUS"),
            ("9.1.0", false, "SHOW BINARY LOG STATUS"),
            ("10.11.6-MariaDB-log", true, "SHOW MASTER STATUS"),
        ] {
            assert_eq!(server(version, is_mariadb).status_query(), query, "{version}");
        }
    }
}
