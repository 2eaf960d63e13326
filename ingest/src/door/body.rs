//! The bytes of a body, as they are behind its content coding. A packed body is unpacked as it comes, within the limits of one that
//! is not packed: a bomb ends at the limit, and counts against its tenant's bytes until then.

use super::entry::Caller;
use super::limits::{Over, Place};
use super::problem::{Problem, UNSUPPORTED_CODING};
use super::state::Door;
use crate::refusal::Reason;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use flate2::write::GzDecoder;
use http_body_util::BodyExt;
use std::io::Write;
use tokio::time::timeout_at;

/// Bytes for which each member of gzip counts at least: beginning one costs more than an empty one's own twenty.
const MEMBER_BYTES: usize = 1024;

impl Door {
    /// A body, held against the tenant's share as it comes, and against the slowest rate that is put up with.
    pub(super) async fn read(&self, caller: &Caller, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
        let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body did not arrive in time");
        let torn = |_| Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "The body did not arrive whole");
        let ended = |stop| match stop {
            Stop::TooLarge => Problem::of(Reason::BodyTooLarge),
            Stop::Over(over) => self.over(&caller.tenant, over),
            Stop::NoGzip => {
                let title = "The body is not what its Content-Encoding says";
                Problem::new(StatusCode::BAD_REQUEST, "bad_content_coding", title)
            }
        };
        let kept = Kept { bytes: Vec::new(), most: self.max_request_bytes, place: &caller.place };
        let mut unpacked = Unpacked::new(coding(headers)?, kept);
        let started = tokio::time::Instant::now();
        let (mut body, mut arrived) = (body, 0);
        loop {
            let until = started + self.patience.after(arrived);
            let Some(frame) = timeout_at(until, body.frame()).await.map_err(late)? else { break };
            let Ok(part) = frame.map_err(torn)?.into_data() else { continue };
            arrived += part.len();
            // Before it is unpacked, whatever it unpacks to.
            if arrived > self.max_request_bytes {
                return Err(Problem::of(Reason::BodyTooLarge));
            }
            unpacked.take(&part).map_err(ended)?;
        }
        unpacked.whole(arrived).map_err(ended)
    }
}

/// A content coding that is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
}

/// How a body is packed. `x-gzip` is gzip (RFC 9110, 8.4.1.3); what is packed twice is not read.
fn coding(headers: &HeaderMap) -> Result<Coding, Problem> {
    let mut found = Coding::Identity;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for name in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            found = match found {
                _ if name.is_empty() || is("identity") => found,
                Coding::Identity if is("gzip") || is("x-gzip") => Coding::Gzip,
                _ => {
                    let title = "The body has a content coding that is not read here";
                    return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, UNSUPPORTED_CODING, title));
                }
            };
        }
    }
    Ok(found)
}

/// Why a body is not read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It has more bytes than a request may.
    TooLarge,
    /// A limit of the door.
    Over(Over),
    /// It is not gzip, or not all of it.
    NoGzip,
}

/// A body so far.
enum Unpacked<'p> {
    Plain(Kept<'p>),
    Packed(Box<Gzip<'p>>),
}

impl<'p> Unpacked<'p> {
    fn new(coding: Coding, kept: Kept<'p>) -> Self {
        match coding {
            Coding::Identity => Self::Plain(kept),
            Coding::Gzip => Self::Packed(Box::new(Gzip { decoder: GzDecoder::new(Vec::new()), members: 1, kept })),
        }
    }

    fn take(&mut self, part: &[u8]) -> Result<(), Stop> {
        match self {
            Self::Plain(kept) => kept.keep(part),
            Self::Packed(gzip) => gzip.take(part),
        }
    }

    /// All of it; a request without a body is not packed, whatever it says.
    fn whole(self, arrived: usize) -> Result<Vec<u8>, Stop> {
        match self {
            Self::Plain(kept) => Ok(kept.bytes),
            Self::Packed(_) if arrived == 0 => Ok(Vec::new()),
            Self::Packed(mut gzip) => {
                gzip.end()?;
                Ok(gzip.kept.bytes)
            }
        }
    }
}

/// Members of gzip, one after another.
struct Gzip<'p> {
    /// Gives at most 32 KiB at a time, which are kept before it is given more.
    decoder: GzDecoder<Vec<u8>>,
    members: usize,
    kept: Kept<'p>,
}

impl Gzip<'_> {
    fn take(&mut self, part: &[u8]) -> Result<(), Stop> {
        let mut rest = part;
        while !rest.is_empty() {
            let read = self.decoder.write(rest).map_err(|_| Stop::NoGzip)?;
            self.keep()?;
            if read == 0 {
                self.end()?;
                self.members += 1;
                if self.members * MEMBER_BYTES > self.kept.most {
                    return Err(Stop::TooLarge);
                }
                self.decoder = GzDecoder::new(Vec::new());
            }
            rest = &rest[read..];
        }
        Ok(())
    }

    /// The last member is whole.
    fn end(&mut self) -> Result<(), Stop> {
        self.decoder.try_finish().map_err(|_| Stop::NoGzip)?;
        self.keep()
    }

    fn keep(&mut self) -> Result<(), Stop> {
        self.kept.keep(self.decoder.get_ref())?;
        self.decoder.get_mut().clear();
        Ok(())
    }
}

/// Bytes that are held, and then kept.
struct Kept<'p> {
    bytes: Vec<u8>,
    most: usize,
    place: &'p Place,
}

impl Kept<'_> {
    fn keep(&mut self, part: &[u8]) -> Result<(), Stop> {
        if self.bytes.len() + part.len() > self.most {
            return Err(Stop::TooLarge);
        }
        self.place.hold(part.len()).map_err(Stop::Over)?;
        self.bytes.extend_from_slice(part);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::door::limits::{Limits, Shares};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::time::Instant;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    /// A packed body that comes in parts, from a tenant that may hold so many bytes.
    fn unpacked(packed: &[u8], most: usize, bytes_per_tenant: usize) -> Result<Vec<u8>, Stop> {
        let limits = Limits {
            places: 1,
            places_per_tenant: 1,
            bytes: usize::MAX,
            bytes_per_tenant,
            records_per_second: 0,
            burst_seconds: 1,
        };
        let place = Shares::new(limits).enter("bank", Instant::now()).unwrap();
        let mut body = Unpacked::new(Coding::Gzip, Kept { bytes: Vec::new(), most, place: &place });
        packed.chunks(7).try_for_each(|part| body.take(part))?;
        body.whole(packed.len())
    }

    #[test]
    fn what_is_packed_comes_back_and_what_is_no_gzip_does_not() {
        let text = b"{\"a\":1}\n".repeat(900);
        let two = [gzip(&text[..1000]), gzip(&text[1000..])].concat();
        for packed in [gzip(&text), two] {
            assert_eq!(unpacked(&packed, text.len(), text.len()).as_ref(), Ok(&text));
        }
        assert_eq!(unpacked(b"", 9, 9), Ok(Vec::new()));
        let whole = gzip(&text);
        let torn = &whole[..whole.len() - 1];
        let trailed = [&whole[..], b"more"].concat();
        let mut wrong_sum = whole.clone();
        let sum = wrong_sum.len() - 8;
        wrong_sum[sum] ^= 1;
        for bad in [b"{\"a\":1}", torn, &whole[..5], &trailed, &wrong_sum] {
            assert_eq!(unpacked(bad, text.len(), text.len()), Err(Stop::NoGzip), "{} bytes", bad.len());
        }
    }

    #[test]
    fn a_bomb_ends_at_the_limit_and_counts_for_its_tenant() {
        let bomb = gzip(&vec![b' '; 8 << 20]);
        assert!(bomb.len() < 16 << 10);
        assert_eq!(unpacked(&bomb, 1 << 20, usize::MAX), Err(Stop::TooLarge));
        assert_eq!(unpacked(&bomb, usize::MAX, 1 << 20), Err(Stop::Over(Over::TenantBytes)));
        assert_eq!(unpacked(&gzip(&vec![b' '; 1 << 20]), 1 << 20, 1 << 20).map(|bytes| bytes.len()), Ok(1 << 20));
        assert_eq!(unpacked(&gzip(b"").repeat(1024), 1 << 20, 0), Ok(Vec::new()));
        assert_eq!(unpacked(&gzip(b"").repeat(1025), 1 << 20, 0), Err(Stop::TooLarge));
    }

    #[test]
    fn one_coding_is_read() {
        let rows: [(&[&str], Option<Coding>); 11] = [
            (&[], Some(Coding::Identity)),
            (&["identity"], Some(Coding::Identity)),
            (&[""], Some(Coding::Identity)),
            (&["gzip"], Some(Coding::Gzip)),
            (&["GZip"], Some(Coding::Gzip)),
            (&["x-gzip, identity"], Some(Coding::Gzip)),
            (&["gzip, gzip"], None),
            (&["gzip", "gzip"], None),
            (&["deflate"], None),
            (&["br"], None),
            (&["\u{1f}gzip"], None),
        ];
        for (sent, expected) in rows {
            let mut headers = HeaderMap::new();
            for value in sent {
                if let Ok(value) = axum::http::HeaderValue::from_bytes(value.as_bytes()) {
                    headers.append(header::CONTENT_ENCODING, value);
                }
            }
            if headers.len() == sent.len() {
                assert_eq!(coding(&headers).ok(), expected, "{sent:?}");
            }
        }
    }
}
