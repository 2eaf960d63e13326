//! A segment: entries one after another, each behind its length, as they are stored: packed with zstd. `len32 ‖ entry` repeated, with
//! nothing before, between or behind.

use crate::entry::{BadEntry, Entry, MAX_ENTRY_BYTES, Reader};
use zstd::bulk::Compressor;

/// Bytes of the length in front of each entry.
pub const LENGTH_BYTES: usize = 4;
/// The most bytes that a segment unpacks to. What claims more is not unpacked at all, so that no row makes a reader hold more.
///
/// The writer, the walk and readers once had bounds of their own: none, 256 MiB and 64 MiB. This is the largest that anybody read
/// by: each segment that could be read before still can, by everybody. No writer makes a larger one any more.
const MAX_SEGMENT_BYTES: usize = 1 << 28;
/// A writer closes a segment once it holds so many bytes, or fewer: one more entry, of any size that is written, goes in before that.
pub const MAX_OPEN_SEGMENT_BYTES: usize = MAX_SEGMENT_BYTES - LENGTH_BYTES - MAX_ENTRY_BYTES;

// The column that says how much a segment unpacks to is an int4.
const _: () = assert!(MAX_SEGMENT_BYTES <= i32::MAX as usize);

/// A segment as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Bytes that it unpacks to.
    pub raw_bytes: i32,
    /// Its entries, zstd.
    pub body: Vec<u8>,
}

/// Why a segment cannot be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum BadSegment {
    /// The compressor refuses.
    #[error("zstd: {0}")]
    NotPacked(#[source] std::io::Error),
    /// It is said to unpack to less than nothing.
    #[error("negative size")]
    Negative,
    /// More bytes than a segment may have.
    #[error("it unpacks to {0} bytes, and a segment has at most {MAX_SEGMENT_BYTES}")]
    TooLarge(usize),
    /// It is damaged, or larger than it says.
    #[error("it does not unpack: {0}")]
    NotUnpacked(#[source] std::io::Error),
    /// It is smaller than it says.
    #[error("it unpacks to {found} bytes, not {said}")]
    Smaller {
        /// Bytes that it unpacks to.
        found: usize,
        /// Bytes that it should.
        said: usize,
    },
}

/// Appends an entry to a segment.
///
/// # Errors
/// [`BadEntry::TooLong`], where a field is longer than its length can say; `raw` is then as it was.
pub fn push_entry(raw: &mut Vec<u8>, entry: &Entry<'_>) -> Result<(), BadEntry> {
    let start = raw.len();
    raw.extend_from_slice(&[0; LENGTH_BYTES]);
    let length = entry.encode_into(raw).and_then(|()| {
        let length = raw.len() - start - LENGTH_BYTES;
        u32::try_from(length).map_err(|_| BadEntry::TooLong(length))
    });
    match length {
        Ok(length) => raw[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes()),
        Err(_) => raw.truncate(start),
    }
    length.map(|_| ())
}

/// Walks the entries of a segment's unpacked bytes. Stops after the first fault.
pub fn entries(raw: &[u8]) -> impl Iterator<Item = Result<&[u8], BadEntry>> {
    let mut rest = Reader(raw);
    std::iter::from_fn(move || {
        if rest.0.is_empty() {
            return None;
        }
        let entry = rest.bytes().and_then(|bytes| bytes.ok_or(BadEntry::Short));
        if entry.is_err() {
            rest.0 = &[];
        }
        Some(entry)
    })
}

/// The entries of a stored segment, which says that they are `raw_bytes` long.
///
/// # Errors
/// [`BadSegment`] says why they cannot be had.
pub fn unpack(body: &[u8], raw_bytes: i32) -> Result<Vec<u8>, BadSegment> {
    let said = usize::try_from(raw_bytes).map_err(|_| BadSegment::Negative)?;
    if said > MAX_SEGMENT_BYTES {
        return Err(BadSegment::TooLarge(said));
    }
    let raw = zstd::bulk::decompress(body, said).map_err(BadSegment::NotUnpacked)?;
    if raw.len() == said { Ok(raw) } else { Err(BadSegment::Smaller { found: raw.len(), said }) }
}

/// Packs segments one after another.
pub struct Packer(Compressor<'static>);

impl Packer {
    /// At a level of zstd, 1 to 19.
    ///
    /// # Errors
    /// [`BadSegment::NotPacked`].
    pub fn new(level: i32) -> Result<Self, BadSegment> {
        Compressor::new(level).map(Self).map_err(BadSegment::NotPacked)
    }

    /// The segment as it is stored.
    ///
    /// # Errors
    /// [`BadSegment::TooLarge`] for what nobody could read back.
    pub fn pack(&mut self, raw: &[u8]) -> Result<Packed, BadSegment> {
        if raw.len() > MAX_SEGMENT_BYTES {
            return Err(BadSegment::TooLarge(raw.len()));
        }
        let body = self.0.compress(raw).map_err(BadSegment::NotPacked)?;
        Ok(Packed { raw_bytes: raw.len() as i32, body })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::entry::Codec;
    use proptest::prelude::*;

    /// What read-api unpacked at most, before there was one bound.
    const FORMER_READER_BYTES: usize = 1 << 26;

    fn entry<'a>(topic: &'a str, value: Option<&'a [u8]>) -> Entry<'a> {
        let (codec, headers) = (Codec::Plain, Vec::new());
        Entry { codec, topic, partition: 0, offset: 0, timestamp_ms: 0, key: None, headers, value }
    }

    #[test]
    fn a_segment_comes_back_or_says_why_not() {
        let raw = b"as it was".repeat(9);
        let Packed { raw_bytes, body } = Packer::new(1).unwrap().pack(&raw).unwrap();
        assert_eq!((raw_bytes, unpack(&body, raw_bytes).unwrap()), (81, raw));
        for (body, raw_bytes, why) in [
            (&body[..], 80, "does not unpack"),
            (&body, 82, "it unpacks to 81 bytes, not 82"),
            (&body, 0, "does not unpack"),
            (&body, -1, "negative size"),
            (&body, i32::MIN, "negative size"),
            (&body[..4], 81, "does not unpack"),
            (&[], 1, "it unpacks to 0 bytes, not 1"),
        ] {
            let wrong = unpack(body, raw_bytes).unwrap_err().to_string();
            assert!(wrong.contains(why), "{raw_bytes}: {wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_whatever_its_size() {
        let mut packer = Packer::new(1).unwrap();
        for (what, size) in [
            ("nothing", 0),
            ("the size at which a writer closes one", 1 << 20),
            ("and the largest entry", (1 << 20) + LENGTH_BYTES + MAX_ENTRY_BYTES),
            ("what read-api refused once", FORMER_READER_BYTES + 1),
        ] {
            let Packed { raw_bytes, body } = packer.pack(&vec![0; size]).unwrap();
            assert_eq!(unpack(&body, raw_bytes).unwrap().len(), size, "{what}");
        }
    }

    #[test]
    fn what_is_too_large_is_neither_written_nor_unpacked() {
        let body = zstd::bulk::compress(b"small", 1).unwrap();
        for (raw_bytes, why) in [
            (5, None),
            (MAX_SEGMENT_BYTES as i32, Some("it unpacks to 5 bytes, not 268435456")),
            (MAX_SEGMENT_BYTES as i32 + 1, Some("it unpacks to 268435457 bytes, and a segment has at most 268435456")),
            (i32::MAX, Some("it unpacks to 2147483647 bytes, and a segment has at most 268435456")),
        ] {
            let found = unpack(&body, raw_bytes).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), why, "{raw_bytes}");
        }
        let packed = Packer::new(1).unwrap().pack(&vec![0; MAX_SEGMENT_BYTES + 1]);
        assert!(matches!(packed, Err(BadSegment::TooLarge(268_435_457))), "{packed:?}");
    }

    #[test]
    fn a_segment_comes_apart_and_stops_at_a_fault() {
        type Parts<'a> = &'a [Result<&'a [u8], BadEntry>];
        let rows: [(&[u8], Parts<'_>); 5] = [
            (&[], &[]),
            (&[0, 0, 0, 1, 7, 0, 0, 0, 0], &[Ok(&[7]), Ok(&[])]),
            (&[0, 0, 0, 1, 7, 0, 0, 0, 9, 1, 0, 0, 0, 0], &[Ok(&[7]), Err(BadEntry::Short)]),
            (&[0, 0, 0], &[Err(BadEntry::Short)]),
            (&[255, 255, 255, 255, 0, 0, 0, 0], &[Err(BadEntry::Short)]),
        ];
        for (raw, expected) in rows {
            assert_eq!(entries(raw).collect::<Vec<_>>(), expected, "{raw:?}");
        }
    }

    #[test]
    fn an_entry_that_cannot_be_said_leaves_a_segment_as_it_was() {
        let (mut raw, long) = (Vec::new(), "t".repeat(65_536));
        push_entry(&mut raw, &entry("t", None)).unwrap();
        let before = raw.clone();
        assert_eq!(push_entry(&mut raw, &entry(&long, None)), Err(BadEntry::TooLong(65_536)));
        assert_eq!(raw, before);
    }

    proptest! {
        #[test]
        fn entries_come_out_as_they_went_in(values in prop::collection::vec(any::<Option<Vec<u8>>>(), 0..6)) {
            let mut raw = Vec::new();
            for value in &values {
                push_entry(&mut raw, &entry("t", value.as_deref())).unwrap();
            }
            let Packed { raw_bytes, body } = Packer::new(1).unwrap().pack(&raw).unwrap();
            let unpacked = unpack(&body, raw_bytes).unwrap();
            let read: Vec<_> = entries(&unpacked).map(|bytes| Entry::decode(bytes.unwrap()).unwrap()).collect();
            prop_assert_eq!(read, values.iter().map(|value| entry("t", value.as_deref())).collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), raw_bytes in -9..1024) {
            prop_assert!(entries(&bytes).count() <= bytes.len());
            let unpacked = unpack(&bytes, raw_bytes);
            prop_assert!(unpacked.is_err() || unpacked.is_ok_and(|raw| raw.len() as i32 == raw_bytes));
        }
    }
}
