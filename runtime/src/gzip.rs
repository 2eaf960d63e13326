//! PURE. Unpacks gzip within limits: librdkafka's own has none (`ffi.rs`).

use flate2::read::{GzDecoder, ZlibDecoder};
use std::io::Read;

/// Most bytes that a gzip batch may unpack to.
const GZIP_UNPACKED_MAX: usize = 32 << 20;
/// Most bytes for each packed one. Applications packed in batches have 10 to 20; gzip goes up to 1,032.
const GZIP_RATIO_MAX: usize = 200;
/// A batch may have so many whatever its ratio: one record of blanks harms nobody.
const GZIP_ANY_RATIO: usize = 64 << 10;

/// The first member of what is packed; `None` where it is none, or too large.
pub(crate) fn gunzip(packed: &[u8]) -> Option<Vec<u8>> {
    let limit = packed.len().saturating_mul(GZIP_RATIO_MAX).clamp(GZIP_ANY_RATIO, GZIP_UNPACKED_MAX);
    let mut unpacked = Vec::with_capacity(packed.len().saturating_mul(4).min(limit));
    let at_most = limit as u64 + 1;
    let read = match packed {
        [0x1f, 0x8b, ..] => GzDecoder::new(packed).take(at_most).read_to_end(&mut unpacked),
        _ => ZlibDecoder::new(packed).take(at_most).read_to_end(&mut unpacked),
    };
    (read.is_ok() && unpacked.len() <= limit).then_some(unpacked)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use std::io::Write;

    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn what_is_packed_comes_back_within_its_limits() {
        let noise: Vec<u8> = (0..3_000_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
        for bytes in [Vec::new(), b"{}".to_vec(), vec![b' '; GZIP_ANY_RATIO], noise] {
            assert_eq!(gunzip(&gzip(&bytes)).as_ref(), Some(&bytes), "{} bytes", bytes.len());
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
            zlib.write_all(&bytes).unwrap();
            assert_eq!(gunzip(&zlib.finish().unwrap()).as_ref(), Some(&bytes), "zlib, {} bytes", bytes.len());
        }
        let bomb = gzip(&vec![b' '; GZIP_UNPACKED_MAX + 1]);
        let cut = &gzip(b"a record that is not all there")[..20];
        for bad in [&bomb[..], &gzip(&vec![b' '; 1 << 20]), cut, b"", b"\x1f\x8b", b"plain"] {
            assert_eq!(gunzip(bad), None, "{} bytes", bad.len());
        }
    }
}
