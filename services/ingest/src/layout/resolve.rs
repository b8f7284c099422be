use super::{Fault, Faults, Mapped};
use crate::{
    mapping::{Labels, Moment, TimeFormat},
    schema::{Charset, Column, Kind, Table},
};

/// Finds columns and collects what is wrong.
pub(crate) struct Resolver<'a> {
    table: &'a Table,
    optional: &'a [String],
    needed: Vec<usize>,
    faults: Vec<Fault>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(table: &'a Table, mapped: &Mapped<'a>) -> Self {
        let optional = match mapped {
            Mapped::Items(rules) => &rules.optional,
            Mapped::Users(rules) => &rules.optional,
            Mapped::Interactions(rules) => &rules.optional,
        };
        Self { table, optional, needed: Vec::new(), faults: Vec::new() }
    }

    /// The place in a row of a column with whole numbers. After a fault the place is of no use,
    /// and the faults keep the layout from being used.
    pub(crate) fn number(&mut self, name: &str) -> usize {
        self.find(name, "a whole number", Kind::is_number).unwrap_or(0)
    }

    pub(crate) fn optional_number(&mut self, name: Option<&String>) -> Option<usize> {
        self.find(name?, "a whole number", Kind::is_number)
    }

    pub(crate) fn optional_text(&mut self, name: Option<&String>) -> Option<usize> {
        self.find(name?, "a text", Kind::is_text)
    }

    /// The place of a column whose values a mapping compares.
    pub(crate) fn comparable(&mut self, name: &str) -> Option<usize> {
        self.find(name, "a number or text", Kind::is_comparable)
    }

    /// The place of a column of which only NULL matters.
    pub(crate) fn any(&mut self, name: &str) -> Option<usize> {
        self.find(name, "any type", |_| true)
    }

    pub(crate) fn labels(&mut self, rule: &Labels) -> Option<usize> {
        self.find(&rule.column, "a text or JSON", Kind::is_text)
    }

    pub(crate) fn moment(&mut self, rule: &Moment) -> Option<usize> {
        let (expected, fits): (_, fn(&Kind) -> bool) = match rule.format {
            TimeFormat::Datetime => ("a TIMESTAMP, DATETIME or DATE", |kind| {
                matches!(kind, Kind::Timestamp(_) | Kind::Datetime(_) | Kind::Date)
            }),
            TimeFormat::Seconds | TimeFormat::Milliseconds => {
                ("a number", |kind| kind.is_number() || matches!(kind, Kind::Float | Kind::Double))
            }
        };
        self.find(&rule.column, expected, fits)
    }

    /// Notes that the table has no key over the column, where it must.
    pub(crate) fn unique(&mut self, name: &str) {
        if self.table.column(name).is_some() && !self.table.is_unique(&[name]) {
            self.fault(Some(name), "must be unique: it names the rows".to_owned());
        }
    }

    /// The type and whether it is unique with others.
    pub(crate) fn table(&self) -> &Table {
        self.table
    }

    fn find(&mut self, name: &str, expected: &str, fits: fn(&Kind) -> bool) -> Option<usize> {
        let Some((place, column)) = self.table.column(name) else {
            if !self.optional.iter().any(|optional| optional.eq_ignore_ascii_case(name)) {
                self.fault(Some(name), "is missing".to_owned());
            }
            return None;
        };
        if !fits(&column.kind) {
            let reason = unfit(column, expected);
            self.fault(Some(name), reason);
            return None;
        }
        Some(self.need(place))
    }

    /// The place in a row of the column at that place of the table.
    fn need(&mut self, place: usize) -> usize {
        if let Some(known) = self.needed.iter().position(|needed| *needed == place) {
            return known;
        }
        self.needed.push(place);
        self.needed.len() - 1
    }

    fn fault(&mut self, column: Option<&str>, reason: String) {
        let (table, column) = (self.table.name.clone(), column.map(str::to_owned));
        let fault = Fault { table, column, reason };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// The places of all columns needed, those of the key among them, and the key's among these.
    pub(super) fn finish(mut self) -> Result<(Vec<usize>, Vec<usize>), Faults> {
        let mut key = Vec::new();
        match self.table.key() {
            Some(names) => {
                for name in names {
                    let (place, column) = self.table.column(name).expect("a key of its table");
                    // Floats do not come back as they were; ENUM and SET are ordered otherwise
                    // than they are compared.
                    let unfit = matches!(
                        column.kind,
                        Kind::Float
                            | Kind::Double
                            | Kind::Enum(_)
                            | Kind::Set(_)
                            | Kind::Bit
                            | Kind::Other
                    );
                    if unfit {
                        let reason =
                            format!("is a key of type {}, which is not read", column.declared);
                        self.fault(Some(name), reason);
                    }
                    key.push(self.need(place));
                }
            }
            None => {
                let reason = "has no primary key, nor a unique one without NULL: its rows cannot \
                              be read in parts nor named";
                self.fault(None, reason.to_owned());
            }
        }
        if self.faults.is_empty() { Ok((self.needed, key)) } else { Err(Faults(self.faults)) }
    }
}

fn unfit(column: &Column, expected: &str) -> String {
    match column.kind.charset() {
        Some(Charset::Other(charset)) => {
            format!("has the character set {charset}; utf8mb4, utf8mb3, ascii and latin1 are read")
        }
        _ => format!("is {}; {expected} is needed", column.declared),
    }
}
