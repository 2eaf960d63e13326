//! PURE. A table of rows as SQL: one description of its columns gives the insert, and the questions that hold what the log says against
//! what the table holds. Rows travel as an array for each column; how a value becomes a column's is said once, for all of them.

use tokio_postgres::types::ToSql;

/// Characters of a key that are told.
const LONGEST_KEY: usize = 200;

/// Rows by column.
pub(crate) trait Columns {
    /// All rows, an array for each column.
    fn arrays(&self) -> Vec<&(dyn ToSql + Sync)>;

    /// Brings the rows into another order, given as where each of them stands now.
    fn reorder(&mut self, order: &[usize]);
}

/// What a table looks like.
#[derive(Debug)]
pub(crate) struct Shape {
    /// With its schema.
    pub table: &'static str,
    /// Its columns, quoted where SQL wants it.
    pub columns: &'static [&'static str],
    /// What a value is called on its way, one for each column: `x_` and the column.
    pub names: &'static [&'static str],
    /// How such a value becomes the column's.
    pub values: &'static [&'static str],
    /// The type of each value.
    pub types: &'static [&'static str],
    /// The primary key, as `names`.
    pub key: &'static [&'static str],
}

impl Shape {
    /// Without its schema.
    pub fn name(&self) -> &'static str {
        self.table.rsplit('.').next().unwrap_or(self.table)
    }

    /// Inserts rows that are not there. Parameters: an array for each column.
    pub fn insert(&self) -> String {
        let Self { table, .. } = self;
        let (columns, values, arrays, names) = self.parts(1);
        format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM unnest({arrays}) AS r({names}) ON CONFLICT DO NOTHING"
        )
    }

    /// Inserts some rows, in their order. Parameters: the numbers of those meant, from 1; an array for each column.
    pub(crate) fn insert_some(&self) -> String {
        let Self { table, .. } = self;
        let (columns, values, arrays, names) = self.parts(2);
        format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM unnest({arrays}) WITH ORDINALITY AS r({names}, n)
             WHERE n = ANY ($1) ORDER BY n ON CONFLICT DO NOTHING"
        )
    }

    /// Where a range of a log and the table differ: a row of the table (its place, its key, the entry that it names, whether it is there
    /// twice), a row that the log says (its number, key and entry), either of them absent, and the columns in which they differ.
    /// Parameters: log, from, to (not in it), numbers of the rows that are left out, an array for each column.
    pub fn differing(&self) -> String {
        let Self { table, .. } = self;
        let key = self.keys().map(|(column, _)| column).collect::<Vec<_>>().join(", ");
        format!(
            "SELECT t.place, {}, t.log, t.seq, t.copies > 1, r.n, {}, r.x_log, r.x_seq, {differs}
             FROM (SELECT ctid::text AS place, *, row_number() OVER (PARTITION BY log, seq, {key} ORDER BY ctid) AS copies
                   FROM {table} WHERE log = $1 AND seq >= $2 AND seq < $3) t
             FULL JOIN ({}) r ON t.log = r.x_log AND t.seq = r.x_seq
             WHERE t.place IS NULL OR r.n IS NULL OR t.copies > 1 OR cardinality({differs}) > 0
             ORDER BY coalesce(t.seq, r.x_seq), r.n, t.copies, t.place",
            self.key_of_row(),
            self.key_of_said(),
            self.said(5, "n <> ALL ($4)"),
            differs = self.differs(),
        )
    }

    /// The rows of the table that have the keys of rows that the log says, and in which columns they differ from those. Parameters: the
    /// numbers of those meant, an array for each column.
    pub fn with_keys(&self) -> String {
        let on: Vec<_> = self.keys().map(|(column, name)| format!("t.{column} = r.{name}")).collect();
        format!(
            "SELECT r.n, t.ctid::text, {}, coalesce(t.log, -1), coalesce(t.seq, -1), {} FROM ({}) r JOIN {} t ON {} ORDER BY r.n, t.ctid",
            self.key_of_row(),
            self.differs(),
            self.said(2, "n = ANY ($1)"),
            self.table,
            on.join(" AND "),
        )
    }

    /// Which of these entries a row names. Parameters: log, numbers of the entries.
    pub fn named(&self) -> String {
        format!("SELECT DISTINCT seq FROM {} WHERE log = $1 AND seq = ANY ($2)", self.table)
    }

    /// Whether a row names this log. Parameter: the log.
    pub(crate) fn any_of_log(&self) -> String {
        format!("SELECT FROM {} WHERE log = $1 LIMIT 1", self.table)
    }

    /// Rows that name no log of these, or no entry that a range of a log has: its end is not in it. Parameter: the logs.
    pub(crate) fn of_no_log(&self) -> String {
        let (table, key) = (self.table, self.key_of_row());
        format!(
            "SELECT t.ctid::text, {key}, t.log, t.seq FROM {table} t
             WHERE (t.log <> ALL ($1)) IS NOT FALSE OR t.seq IS NULL OR t.seq = {} ORDER BY t.log, t.seq",
            i64::MAX
        )
    }

    /// Takes rows away by their places, which hold within a snapshot. Parameter: the places as an array in text.
    pub fn delete(&self) -> String {
        format!("DELETE FROM {} WHERE ctid = ANY ($1::text::tid[])", self.table)
    }

    /// Columns, expressions, arrays from parameter `first` on, names.
    fn parts(&self, first: usize) -> (String, String, String, String) {
        let arrays: Vec<_> = (first..).zip(self.types).map(|(n, sql)| format!("${n}::{sql}[]")).collect();
        (self.columns.join(", "), self.values.join(", "), arrays.join(", "), self.names.join(", "))
    }

    /// What the log says, each row with its number.
    fn said(&self, first: usize, which: &str) -> String {
        let (_, _, arrays, names) = self.parts(first);
        let values: Vec<_> =
            self.values.iter().zip(self.names).map(|(value, name)| format!("{value} AS {name}")).collect();
        let values = values.join(", ");
        format!("SELECT n, {values} FROM unnest({arrays}) WITH ORDINALITY AS u({names}, n) WHERE {which}")
    }

    /// Names of columns in which `t` and `r` differ.
    fn differs(&self) -> String {
        let case = |(column, name): (&&str, &&str)| {
            format!("CASE WHEN t.{column} IS DISTINCT FROM r.{name} THEN '{}' END", plain(column))
        };
        let cases: Vec<_> = self.columns.iter().zip(self.names).map(case).collect();
        format!("array_remove(ARRAY[{}]::text[], NULL)", cases.join(", "))
    }

    /// Column and name of each part of the key.
    fn keys(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = self.columns.iter().copied().zip(self.names.iter().copied());
        all.filter(|(_, name)| self.key.contains(name))
    }

    /// Whether a column, as `differing` names it, is part of the key.
    pub(crate) fn is_key(&self, column: &str) -> bool {
        self.keys().any(|(known, _)| plain(known) == column)
    }

    /// For people: `tenant=bank revision=1`.
    fn key_of_row(&self) -> String {
        self.key_text(|(column, _)| format!("t.{column}"))
    }

    fn key_of_said(&self) -> String {
        self.key_text(|(_, name)| format!("r.{name}"))
    }

    fn key_text(&self, of: impl Fn((&str, &str)) -> String) -> String {
        let parts: Vec<_> = self.keys().map(|key| format!("'{}=' || {}", plain(key.0), of(key))).collect();
        format!("left(concat_ws(' ', {}), {LONGEST_KEY})", parts.join(", "))
    }
}

/// A column as people say it.
fn plain(column: &str) -> &str {
    column.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::DeadLetters;

    const SHAPE: &Shape = &Shape {
        table: "a.things",
        columns: &["id", "\"offset\"", "names", "log", "seq"],
        names: &["x_id", "x_offset", "x_names", "x_log", "x_seq"],
        values: &["x_id", "x_offset", "string_to_array(x_names, ',')", "x_log", "x_seq"],
        types: &["int4", "int8", "text", "int4", "int8"],
        key: &["x_id", "x_offset"],
    };

    #[test]
    fn a_shape_says_its_statements() {
        let insert = "INSERT INTO a.things (id, \"offset\", names, log, seq) SELECT x_id, x_offset, string_to_array(x_names, ','), x_log, x_seq \
                      FROM unnest($1::int4[], $2::int8[], $3::text[], $4::int4[], $5::int8[]) AS r(x_id, x_offset, x_names, x_log, x_seq) \
                      ON CONFLICT DO NOTHING";
        assert_eq!((SHAPE.name(), SHAPE.insert().as_str()), ("things", insert));
        assert_eq!(SHAPE.key_of_row(), "left(concat_ws(' ', 'id=' || t.id, 'offset=' || t.\"offset\"), 200)");
        assert_eq!(SHAPE.key_of_said(), "left(concat_ws(' ', 'id=' || r.x_id, 'offset=' || r.x_offset), 200)");
        assert!(SHAPE.with_keys().ends_with("ON t.id = r.x_id AND t.\"offset\" = r.x_offset ORDER BY r.n, t.ctid"));
        let differing = SHAPE.differing();
        assert!(differing.contains("CASE WHEN t.\"offset\" IS DISTINCT FROM r.x_offset THEN 'offset' END"));
        assert!(differing.contains("string_to_array(x_names, ',') AS x_names") && differing.contains("$9::int8[]"));
        assert!(SHAPE.is_key("offset") && !SHAPE.is_key("seq"));
    }

    #[test]
    fn each_column_has_a_name_a_value_and_a_type() {
        let shape = &DeadLetters::SHAPE;
        let counts = [shape.columns.len(), shape.names.len(), shape.values.len(), shape.types.len()];
        assert_eq!(counts, [10; 4]);
        assert_eq!(shape.keys().count(), shape.key.len());
    }
}
