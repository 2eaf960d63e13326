//! What a witness is asked (C2SP tlog-witness, `add-checkpoint`): a note, the size of the log that the witness has seen, and the
//! proof that the one is the beginning of the other.

use crate::note::number;
use crate::proof::MAX_PROOF_HASHES;
use crate::tree::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Bytes of a request, at most: 63 hashes and a note.
pub const MAX_REQUEST_BYTES: usize = 64 << 10;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint<'r> {
    /// The size of the log that the witness has seen; 0 for none.
    pub old: u64,
    /// Consistency proof from that size to the note's.
    pub proof: Vec<Hash>,
    /// The note, with its signatures.
    pub note: &'r str,
}

/// Why a witness cannot take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// No end of the proof.
    #[error("no empty line in front of the note")]
    NoNote,
    /// No size.
    #[error("the first line is not `old` and a size")]
    NoSize,
    /// A line of the proof.
    #[error("a line is no hash")]
    NoHash,
    /// More than a proof may have.
    #[error("too many hashes")]
    TooManyHashes,
    /// What follows is not the note of a head.
    #[error("the note is no checkpoint")]
    NoCheckpoint,
    /// A log does not shrink.
    #[error("the old size is larger than the new one")]
    Shrunk,
}

impl<'r> AddCheckpoint<'r> {
    /// The body of the request.
    pub fn to_text(&self) -> String {
        let lines: String = self.proof.iter().map(|hash| BASE64.encode(hash) + "\n").collect();
        format!("old {}\n{lines}\n{}", self.old, self.note)
    }

    /// Reads the body. What the note says is not looked at.
    ///
    /// # Errors
    /// [`BadRequest`].
    pub fn parse(body: &'r str) -> Result<Self, BadRequest> {
        let (head, note) = body.split_once("\n\n").ok_or(BadRequest::NoNote)?;
        let mut lines = head.lines();
        let old = lines.next().and_then(|line| number(line.strip_prefix("old ")?)).ok_or(BadRequest::NoSize)?;
        let hash = |line: &str| BASE64.decode(line).ok().and_then(|hash| hash.try_into().ok());
        let proof = lines.map(hash).collect::<Option<Vec<Hash>>>().ok_or(BadRequest::NoHash)?;
        if proof.len() > MAX_PROOF_HASHES {
            return Err(BadRequest::TooManyHashes);
        }
        Ok(Self { old, proof, note })
    }
}

/// The size that a witness has seen, out of its answer that it is another than the request says.
pub fn parse_size(answer: &str) -> Option<u64> {
    number(answer.trim())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_as_it_went() {
        for (old, hashes) in [(0, 0), (1, 1), (u64::MAX >> 1, MAX_PROOF_HASHES)] {
            let request =
                AddCheckpoint { old, proof: vec![[7; 32]; hashes], note: "a/0\n9\nBQ==\n\n\u{2014} a BQ==\n" };
            let text = request.to_text();
            assert_eq!(AddCheckpoint::parse(&text), Ok(request), "{old} {hashes}");
            assert!(text.len() <= MAX_REQUEST_BYTES);
        }
        let note = "a/0\n1\nAA==\n\nb\n";
        let request = AddCheckpoint { old: 3, proof: vec![[0; 32]], note };
        let line = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(request.to_text(), format!("old 3\n{line}\n\n{note}"), "the form never moves");
    }

    #[test]
    fn what_is_no_request_is_named() {
        let line = format!("{}\n", BASE64.encode([7; 32]));
        for (body, expected) in [
            ("old 0".to_owned(), BadRequest::NoNote),
            ("old 00\n\nnote".to_owned(), BadRequest::NoSize),
            ("old -1\n\nnote".to_owned(), BadRequest::NoSize),
            ("old 9223372036854775808\n\nnote".to_owned(), BadRequest::NoSize),
            ("\n\nnote".to_owned(), BadRequest::NoSize),
            ("old 1\nAA==\n\nnote".to_owned(), BadRequest::NoHash),
            ("old 1\nwords\n\nnote".to_owned(), BadRequest::NoHash),
            (format!("old 1\n{}\nnote", line.repeat(MAX_PROOF_HASHES + 1)), BadRequest::TooManyHashes),
        ] {
            assert_eq!(AddCheckpoint::parse(&body), Err(expected), "{body}");
        }
    }

    #[test]
    fn a_size_is_written_in_one_way() {
        for (answer, expected) in
            [("12\n", Some(12)), ("0", Some(0)), ("012", None), ("+1", None), ("", None), ("x", None)]
        {
            assert_eq!(parse_size(answer), expected, "{answer:?}");
        }
    }
}
