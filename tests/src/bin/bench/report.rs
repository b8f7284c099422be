use std::fmt;

/// One figure.
struct Row {
    what: String,
    size: String,
    measured: String,
    baseline: String,
    aim: &'static str,
}

/// The table that is printed at the end.
#[derive(Default)]
pub(crate) struct Report(Vec<Row>);

impl Report {
    /// Adds a figure; `baseline` says what it is compared with, and the ratio.
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        size: impl Into<String>,
        measured: impl Into<String>,
        baseline: impl Into<String>,
        aim: &'static str,
    ) {
        self.0.push(Row {
            what: what.into(),
            size: size.into(),
            measured: measured.into(),
            baseline: baseline.into(),
            aim,
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | size | measured | baseline, same run | aim |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        self.0.iter().try_for_each(|row| {
            let Row { what, size, measured, baseline, aim } = row;
            writeln!(f, "| {what} | {size} | {measured} | {baseline} | {aim} |")
        })
    }
}
