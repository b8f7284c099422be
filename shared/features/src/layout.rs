/// What a column belongs to, and with that how long its value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The same for all candidates of a request.
    User,
    /// The same in all requests until the item changes.
    Item,
    /// Different for each candidate of each request.
    Pair,
}

/// The inputs of the network that an encoder's batches are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Embedding tables, in the order in which the specification first names them.
    pub tables: Vec<Table>,
    /// Columns of the input "ids".
    pub ids: Vec<IdColumn>,
    /// Inputs "bag.<feature>".
    pub bags: Vec<BagColumn>,
    /// Width of the input "dense".
    pub dense: usize,
}

impl Layout {
    /// The index of the table with that name.
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name == name)
    }
}

/// An embedding table. Row 0 stands for padding and missing values, row 1 for unknown values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub rows: usize,
    pub dimension: usize,
}

/// One row number a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdColumn {
    pub feature: String,
    /// Index into [`Layout::tables`].
    pub table: usize,
}

/// Up to `length` row numbers a record, filled up with 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagColumn {
    pub feature: String,
    /// Index into [`Layout::tables`].
    pub table: usize,
    pub length: usize,
}
