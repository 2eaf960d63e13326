//! Rows in the form of PostgreSQL's binary COPY, gathered in memory and sent in large pieces: no parameters, no arrays, no plan.

use bytes::{BufMut, BytesMut};
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::{SinkExt, pin_mut};
use tokio_postgres::{Error, Transaction};
use uuid::Uuid;

/// What a COPY begins with: the signature, no flags, no extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In place of the number of fields: no more rows.
const END: i16 = -1;
/// In place of a length: null.
const NULL: i32 = -1;
/// The type of text among the server's types.
const TEXT_OID: i32 = 25;
/// The version of jsonb's form.
const JSONB: u8 = 1;
/// Bytes in a message. A small one costs a change of tasks here and a call of the system there, a large one memory.
const PIECE: usize = 256 << 10;

/// Rows of one table.
pub(crate) struct Copy {
    bytes: BytesMut,
    fields: i16,
}

impl Copy {
    /// Rows of so many fields.
    pub fn new(fields: i16) -> Self {
        Self { bytes: BytesMut::from(HEAD), fields }
    }

    /// Begins a row; each of its fields is put next.
    pub fn row(&mut self) -> &mut Self {
        self.bytes.put_i16(self.fields);
        self
    }

    /// Puts the next field of a row.
    pub fn put(&mut self, field: impl Field) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.put_i32(0);
        let length = match field.write(&mut self.bytes) {
            Some(()) => (self.bytes.len() - start - size_of::<i32>()) as i32,
            None => NULL,
        };
        self.bytes[start..start + size_of::<i32>()].copy_from_slice(&length.to_be_bytes());
        self
    }

    /// Sends the rows to a table.
    pub async fn send(mut self, tx: &Transaction<'_>, table: &str, columns: &str) -> Result<(), Error> {
        self.bytes.put_i16(END);
        let sink = tx.copy_in(&format!("COPY {table} ({columns}) FROM STDIN BINARY")).await?;
        pin_mut!(sink);
        while !self.bytes.is_empty() {
            let piece = self.bytes.split_to(PIECE.min(self.bytes.len()));
            sink.feed(piece.freeze()).await?;
        }
        sink.finish().await?;
        Ok(())
    }
}

/// A value of a column of exactly this type.
pub(crate) trait Field {
    /// Writes its bytes; `None` for null.
    fn write(self, to: &mut BytesMut) -> Option<()>;
}

/// Text that a column of jsonb takes.
pub(crate) struct Json<'a>(pub &'a str);

/// Texts joined by commas, for a column that is a list of text.
pub(crate) struct List<'a>(pub &'a str);

impl Field for &[u8] {
    fn write(self, to: &mut BytesMut) -> Option<()> {
        to.put_slice(self);
        Some(())
    }
}

impl Field for &str {
    fn write(self, to: &mut BytesMut) -> Option<()> {
        self.as_bytes().write(to)
    }
}

impl Field for &String {
    fn write(self, to: &mut BytesMut) -> Option<()> {
        self.as_bytes().write(to)
    }
}

impl<'a, T> Field for &'a Option<T>
where
    &'a T: Field,
{
    fn write(self, to: &mut BytesMut) -> Option<()> {
        self.as_ref().and_then(|value| value.write(to))
    }
}

macro_rules! fixed {
    ($($ty:ty => $put:expr;)+) => {
        $(impl Field for &$ty {
            fn write(self, to: &mut BytesMut) -> Option<()> {
                let put: fn(&mut BytesMut, &$ty) = $put;
                put(to, self);
                Some(())
            }
        })+
    };
}

fixed! {
    bool => |to, value| to.put_u8(u8::from(*value));
    i16 => |to, value| to.put_i16(*value);
    i32 => |to, value| to.put_i32(*value);
    i64 => |to, value| to.put_i64(*value);
    f64 => |to, value| to.put_f64(*value);
    Uuid => |to, value| to.put_slice(value.as_bytes());
    DateTime<Utc> => |to, value| to.put_i64(value.timestamp_micros() - MICROSECONDS_BEFORE_2000);
    NaiveDate => |to, value| to.put_i32((*value - NaiveDate::default()).num_days() as i32 - DAYS_BEFORE_2000);
}

/// From 1970, where Rust's times begin, to 2000, where PostgreSQL's do.
const DAYS_BEFORE_2000: i32 = 10_957;
const MICROSECONDS_BEFORE_2000: i64 = DAYS_BEFORE_2000 as i64 * 86_400_000_000;

impl Field for Json<'_> {
    fn write(self, to: &mut BytesMut) -> Option<()> {
        to.put_u8(JSONB);
        self.0.write(to)
    }
}

impl Field for List<'_> {
    fn write(self, to: &mut BytesMut) -> Option<()> {
        let texts = || self.0.split(',').filter(|_| !self.0.is_empty());
        let (dimensions, nulls, lowest) = (i32::from(!self.0.is_empty()), 0, 1);
        [dimensions, nulls, TEXT_OID].into_iter().for_each(|word| to.put_i32(word));
        if dimensions > 0 {
            to.put_i32(texts().count() as i32);
            to.put_i32(lowest);
        }
        for text in texts() {
            to.put_i32(text.len() as i32);
            to.put_slice(text.as_bytes());
        }
        Some(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn put(field: impl Field) -> Vec<u8> {
        let mut copy = Copy::new(1);
        copy.put(field);
        copy.bytes[HEAD.len()..].to_vec()
    }

    #[test]
    fn fields_have_the_bytes_of_their_types() {
        let second = "2000-01-01T00:00:01Z".parse::<DateTime<Utc>>().unwrap();
        let before = "1999-12-31".parse::<NaiveDate>().unwrap();
        let rows: [(Vec<u8>, &[u8]); 8] = [
            (put("ab"), b"\0\0\0\x02ab"),
            (put(&None::<String>), b"\xff\xff\xff\xff"),
            (put(&Some(7_i16)), b"\0\0\0\x02\0\x07"),
            (put(&second), b"\0\0\0\x08\0\0\0\0\0\x0f\x42\x40"),
            (put(&before), b"\0\0\0\x04\xff\xff\xff\xff"),
            (put(Json("[]")), b"\0\0\0\x03\x01[]"),
            (put(List("")), b"\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\x19"),
            (put(List("a,")), b"\0\0\0\x1d\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x02\0\0\0\x01\0\0\0\x01a\0\0\0\0"),
        ];
        for (found, expected) in rows {
            assert_eq!(found, expected);
        }
    }
}
