//! Whether the projections are tables as the migrations made them: a view, a rule, a table below one or a policy could show other rows to
//! whoever walks than to whoever asks, and a type or collation of somebody's own decides itself what is equal. Reads the catalogue alone.

use crate::error::Error;
use crate::project::Projections;
use crate::report::Fault;
use tokio_postgres::Transaction;

/// What is wrong with each table, in words.
const QUERY: &str = "
    SELECT t.name, array_remove(ARRAY[
        CASE WHEN c.relkind <> 'r' THEN 'it is no table' END,
        CASE WHEN c.relkind = 'r' AND EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid) THEN 'it has rules' END,
        CASE WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) THEN 'it shows the rows of another table' END,
        CASE WHEN row_security_active(c.oid) AND (
                 EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive)
                 OR NOT EXISTS (
                     SELECT FROM pg_policy p CROSS JOIN unnest(p.polroles) AS r(role)
                     WHERE p.polrelid = c.oid AND p.polcmd IN ('r', '*') AND pg_get_expr(p.polqual, c.oid) = 'true'
                       AND CASE WHEN r.role = 0 THEN true ELSE pg_has_role(r.role, 'USAGE') END))
             THEN 'a policy hides rows from this login' END,
        CASE WHEN EXISTS (
                 SELECT FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid LEFT JOIN pg_collation l ON l.oid = a.attcollation
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND (y.typnamespace <> 'pg_catalog'::regnamespace OR NOT coalesce(l.collisdeterministic, true)))
             THEN 'a column has a type or collation of its own' END
    ]::text[], NULL)
    FROM unnest($1::text[]) WITH ORDINALITY AS t(name, n)
    JOIN pg_class c ON c.relname = t.name AND c.relnamespace = 'defaultx'::regnamespace ORDER BY t.n";

/// A fault for everything that is wrong with a table. One that is not there is an error of whoever asks for its rows.
///
/// # Errors
/// The database's.
pub(crate) async fn faults(tx: &Transaction<'_>) -> Result<Vec<Fault>, Error> {
    let names = Projections::default().tables().map(|rows| rows.shape.name());
    let mut faults = Vec::new();
    for row in tx.query(QUERY, &[&names.as_slice()]).await? {
        let (name, words): (String, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
        let Some(&table) = names.iter().find(|table| **table == name) else { continue };
        faults.extend(words.into_iter().map(|why| Fault::NotATable { table, why }));
    }
    Ok(faults)
}
