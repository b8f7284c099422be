//! What commands print: tables for people, JSON for machines.

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use serde::Serialize;

/// Where a command's result goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

#[allow(clippy::print_stdout)]
impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints `value` as JSON, or what `text` makes of it.
    pub(crate) fn show<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        if self.json {
            let json = serde_json::to_string(value).expect("our own types have string keys");
            println!("{json}");
        } else {
            println!("{}", text(value));
        }
    }

    /// A remark for people; left out of JSON.
    pub(crate) fn remark(&self, text: impl AsRef<str>) {
        if !self.json {
            println!("{}", text.as_ref());
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }
}

/// A table with a header.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header);
    table
}
