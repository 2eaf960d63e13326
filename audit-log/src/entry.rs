//! The bytes of one entry, the thing that is hashed into the tree. Pure layout: hashes nothing, compresses nothing.
//!
//! All integers are big-endian and of fixed width. `len32` is a u32 that counts the bytes that follow it; [`ABSENT`] in its
//! place says that there is no value at all (Kafka tells an absent key or value from an empty one).
//!
//! | field | bytes |
//! |---|---|
//! | version | u8, [`VERSION`] |
//! | codec | u8, see [`Codec`] |
//! | topic | u16 length, UTF-8 without the deployment's prefix |
//! | partition | i32 |
//! | offset | i64 |
//! | timestamp | i64, milliseconds since 1970 as the broker gave it |
//! | key | len32, bytes |
//! | headers | u32 count, then for each in Kafka's order: u16 length, UTF-8 name; len32, value |
//! | stored value | len32, bytes; what they are is the codec's to say |
//!
//! A record that does not [fit](Entry::fits) leaves [`Codec::DigestOnly`], whatever its topic: nothing that a sender writes stops
//! the log. Where no plain entry can say it, the digest is over its *wide form*: the layout above with [`WIDE`] for the version
//! and u64 for every length and count. That form is never stored.

/// The only version of the layout so far.
const VERSION: u8 = 1;
/// In place of the version in the form that is only ever hashed.
const WIDE: u8 = 0;
/// In place of a length: the value is absent.
const ABSENT: u32 = u32::MAX;
/// The largest entry that a writer makes, bytes. Above what any topic of ours takes, and far below what a column, a COPY and the
/// memory of a reader hold. Writers that knew no such bound wrote entries of any size, so that reading has none of its own:
/// an entry is at most as long as the segment that holds it.
pub(crate) const MAX_ENTRY_BYTES: usize = 32 << 20;

/// What the stored value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// The record's value as it was on the topic.
    Plain,
    /// u8 length and name of a key, then HMAC-SHA-256 under it over the entry that [`Codec::Plain`] would have given, or over its
    /// wide form. Record key and headers are left out, but for those that name a failure.
    DigestOnly,
    /// The value encrypted under a key of its subject. Reserved: nothing writes it yet.
    Sealed,
}

impl Codec {
    fn number(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::DigestOnly => 1,
            Self::Sealed => 2,
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        [Self::Plain, Self::DigestOnly, Self::Sealed].into_iter().find(|codec| codec.number() == number)
    }
}

/// Name and value of a header.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

/// One record as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What the stored value is.
    pub codec: Codec,
    /// Topic without prefix.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Record key.
    pub key: Option<&'a [u8]>,
    /// Headers in their order.
    pub headers: Vec<Header<'a>>,
    /// Stored value.
    pub value: Option<&'a [u8]>,
}

/// Why bytes are not an entry, or a record cannot become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// The bytes end inside a field.
    #[error("the entry ends early")]
    Short,
    /// Bytes are left over behind the last field.
    #[error("{0} bytes are left over")]
    LeftOver(usize),
    /// A version that is not known here.
    #[error("unknown entry version {0}")]
    Version(u8),
    /// A codec that is not known here.
    #[error("unknown codec {0}")]
    Codec(u8),
    /// A topic or header name that is not UTF-8.
    #[error("a name is not UTF-8")]
    NotText,
    /// A field longer than its length can say.
    #[error("a field of {0} bytes is too long for the log")]
    TooLong(usize),
}

impl<'a> Entry<'a> {
    /// Appends the entry's bytes, without the `len32` that a segment puts in front.
    ///
    /// # Errors
    /// [`BadEntry::TooLong`]; `out` then holds a part of the entry and must be cut back by the caller.
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), BadEntry> {
        out.extend_from_slice(&[VERSION, self.codec.number()]);
        put_name(out, self.topic)?;
        out.extend_from_slice(&self.partition.to_be_bytes());
        out.extend_from_slice(&self.offset.to_be_bytes());
        out.extend_from_slice(&self.timestamp_ms.to_be_bytes());
        put_bytes(out, self.key)?;
        out.extend_from_slice(&length(self.headers.len())?.to_be_bytes());
        for (name, value) in &self.headers {
            put_name(out, name)?;
            put_bytes(out, *value)?;
        }
        put_bytes(out, self.value)
    }

    /// Whether the log holds it whole: every field within its length, and all of it within `MAX_ENTRY_BYTES`.
    pub fn fits(&self) -> bool {
        let names = self.headers.iter().all(|(name, _)| name.len() <= usize::from(u16::MAX));
        let bytes = |bytes: Option<&[u8]>| 4 + bytes.map_or(0, <[u8]>::len);
        let headers: usize = self.headers.iter().map(|(name, value)| 2 + name.len() + bytes(*value)).sum();
        let fixed = 2 + 2 + self.topic.len() + 4 + 8 + 8 + 4;
        names && fixed + bytes(self.key) + headers + bytes(self.value) <= MAX_ENTRY_BYTES
    }

    /// Hands what a digest is over to `take`, piece by piece: the entry's bytes if it [fits](Self::fits), else its wide form.
    pub(crate) fn digested(&self, mut take: impl FnMut(&[u8])) {
        let mut bytes = Vec::new();
        match self.fits().then(|| self.encode_into(&mut bytes)) {
            Some(Ok(())) => take(&bytes),
            _ => self.wide(&mut take),
        }
    }

    fn wide(&self, take: &mut impl FnMut(&[u8])) {
        fn sized(part: Option<&[u8]>, take: &mut impl FnMut(&[u8])) {
            take(&part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            take(part.unwrap_or_default());
        }
        take(&[WIDE, self.codec.number()]);
        sized(Some(self.topic.as_bytes()), take);
        take(&self.partition.to_be_bytes());
        take(&self.offset.to_be_bytes());
        take(&self.timestamp_ms.to_be_bytes());
        sized(self.key, take);
        take(&(self.headers.len() as u64).to_be_bytes());
        for (name, value) in &self.headers {
            sized(Some(name.as_bytes()), take);
            sized(*value, take);
        }
        sized(self.value, take);
    }

    /// Reads an entry back; every byte must belong to it.
    ///
    /// # Errors
    /// [`BadEntry`] says what does not fit.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, BadEntry> {
        let mut rest = Reader(bytes);
        let [version, codec] = rest.array()?;
        if version != VERSION {
            return Err(BadEntry::Version(version));
        }
        let entry = Self {
            codec: Codec::of_number(codec).ok_or(BadEntry::Codec(codec))?,
            topic: rest.name()?,
            partition: i32::from_be_bytes(rest.array()?),
            offset: i64::from_be_bytes(rest.array()?),
            timestamp_ms: i64::from_be_bytes(rest.array()?),
            key: rest.bytes()?,
            headers: rest.headers()?,
            value: rest.bytes()?,
        };
        if rest.0.is_empty() { Ok(entry) } else { Err(BadEntry::LeftOver(rest.0.len())) }
    }

    /// The last header of that name.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().rev().find(|(key, _)| *key == name).and_then(|(_, value)| *value)
    }
}

fn length(count: usize) -> Result<u32, BadEntry> {
    u32::try_from(count).ok().filter(|len| *len != ABSENT).ok_or(BadEntry::TooLong(count))
}

fn put_name(out: &mut Vec<u8>, name: &str) -> Result<(), BadEntry> {
    let len = u16::try_from(name.len()).map_err(|_| BadEntry::TooLong(name.len()))?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(name.as_bytes());
    Ok(())
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) -> Result<(), BadEntry> {
    let Some(bytes) = bytes else {
        out.extend_from_slice(&ABSENT.to_be_bytes());
        return Ok(());
    };
    out.extend_from_slice(&length(bytes.len())?.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Takes fields off the front of bytes.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], BadEntry> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(BadEntry::Short)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadEntry> {
        self.take(N)?.try_into().map_err(|_| BadEntry::Short)
    }

    fn name(&mut self) -> Result<&'a str, BadEntry> {
        let len = u16::from_be_bytes(self.array()?);
        std::str::from_utf8(self.take(usize::from(len))?).map_err(|_| BadEntry::NotText)
    }

    /// A `len32` and what it counts; `None` for [`ABSENT`].
    pub fn bytes(&mut self) -> Result<Option<&'a [u8]>, BadEntry> {
        match u32::from_be_bytes(self.array()?) {
            ABSENT => Ok(None),
            len => self.take(len as usize).map(Some),
        }
    }

    fn headers(&mut self) -> Result<Vec<Header<'a>>, BadEntry> {
        let count = u32::from_be_bytes(self.array()?);
        (0..count).map(|_| Ok((self.name()?, self.bytes()?))).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Entry<'static> {
        Entry {
            codec: Codec::Plain,
            topic: "t",
            partition: 1,
            offset: 2,
            timestamp_ms: 3,
            key: Some(b"k"),
            headers: vec![("h", None), ("i", Some(b""))],
            value: Some(b"v"),
        }
    }

    #[test]
    fn the_layout_never_moves() {
        let mut bytes = Vec::new();
        sample().encode_into(&mut bytes).unwrap();
        let expected = [
            &[1, 0][..],
            &[0, 1, b't'],
            &[0, 0, 0, 1],
            &[0, 0, 0, 0, 0, 0, 0, 2],
            &[0, 0, 0, 0, 0, 0, 0, 3],
            &[0, 0, 0, 1, b'k'],
            &[0, 0, 0, 2],
            &[0, 1, b'h', 255, 255, 255, 255],
            &[0, 1, b'i', 0, 0, 0, 0],
            &[0, 0, 0, 1, b'v'],
        ];
        assert_eq!(bytes, expected.concat());
        assert_eq!(Entry::decode(&bytes), Ok(sample()));
    }

    #[test]
    fn what_fits_is_held_whole_and_the_rest_has_a_form_to_digest() {
        let digested = |entry: &Entry<'_>| {
            let mut bytes = Vec::new();
            entry.digested(|part| bytes.extend_from_slice(part));
            bytes
        };
        let (longest, long) = ("n".repeat(65_535), "n".repeat(65_536));
        let (large, larger) = (vec![0; MAX_ENTRY_BYTES - 52], vec![0; MAX_ENTRY_BYTES - 51]);
        for (name, value, fits) in
            [(longest.as_str(), &b"v"[..], true), (&long, b"v", false), ("i", &large, true), ("i", &larger, false)]
        {
            let entry = Entry { headers: vec![("h", None), (name, Some(b""))], value: Some(value), ..sample() };
            let mut bytes = Vec::new();
            let encoded = entry.encode_into(&mut bytes);
            assert_eq!(entry.fits(), fits, "{} {}", name.len(), value.len());
            assert!(!fits || encoded.is_ok() && bytes.len() <= MAX_ENTRY_BYTES, "fits says what encoding does");
            assert_eq!(digested(&entry) == bytes, fits);
            assert_eq!(digested(&entry)[0], if fits { VERSION } else { WIDE });
        }
        let wide = digested(&Entry { headers: vec![(&long, None)], ..sample() });
        let before = [&[0, 0][..], &[0, 0, 0, 0, 0, 0, 0, 1, b't'], &[0, 0, 0, 1], &[0, 0, 0, 0, 0, 0, 0, 2]].concat();
        let behind = [&[255; 8][..], &[0, 0, 0, 0, 0, 0, 0, 1, b'v']].concat();
        assert!(wide.starts_with(&before) && wide.ends_with(&behind), "the wide form never moves");
        assert_eq!(wide.len(), 2 + 9 + 4 + 8 + 8 + 9 + 8 + 8 + long.len() + 8 + 9);
    }

    #[test]
    fn what_is_not_an_entry_is_named() {
        let mut good = Vec::new();
        sample().encode_into(&mut good).unwrap();
        let changed = |at: usize, to: u8| {
            let mut bytes = good.clone();
            bytes[at] = to;
            bytes
        };
        let longer = [good.as_slice(), &[0]].concat();
        for (bytes, expected) in [
            (changed(0, 2), BadEntry::Version(2)),
            (changed(1, 9), BadEntry::Codec(9)),
            (changed(4, 0xff), BadEntry::NotText),
            (good[..good.len() - 1].to_vec(), BadEntry::Short),
            (longer, BadEntry::LeftOver(1)),
        ] {
            assert_eq!(Entry::decode(&bytes), Err(expected));
        }
    }

    #[test]
    fn what_was_written_before_there_was_a_bound_is_read() {
        for more in [0, 1] {
            let value = vec![7; MAX_ENTRY_BYTES - 52 + more];
            let entry = Entry { headers: vec![("h", None), ("i", Some(b""))], value: Some(&value), ..sample() };
            let mut bytes = Vec::new();
            entry.encode_into(&mut bytes).unwrap();
            assert_eq!((entry.fits(), bytes.len()), (more == 0, MAX_ENTRY_BYTES + more));
            assert!(Entry::decode(&bytes).is_ok_and(|read| read == entry), "{more} above the bound");
        }
    }

    proptest! {
        #[test]
        fn entries_come_back_as_they_went(
            topic in "[a-z.]{0,30}",
            numbers in any::<(i32, i64, i64)>(),
            key in any::<Option<Vec<u8>>>(),
            headers in prop::collection::vec(any::<(String, Option<Vec<u8>>)>(), 0..4),
            value in any::<Option<Vec<u8>>>(),
        ) {
            let entry = Entry {
                codec: Codec::DigestOnly,
                topic: &topic,
                partition: numbers.0,
                offset: numbers.1,
                timestamp_ms: numbers.2,
                key: key.as_deref(),
                headers: headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect(),
                value: value.as_deref(),
            };
            let mut bytes = Vec::new();
            entry.encode_into(&mut bytes).unwrap();
            prop_assert_eq!(Entry::decode(&bytes), Ok(entry));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(entry) = Entry::decode(&bytes) {
                let mut again = Vec::new();
                entry.encode_into(&mut again).unwrap();
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
