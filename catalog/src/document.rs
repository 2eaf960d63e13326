//! The text of one version, with its digest.

use crate::error::Error;
use crate::finding::{Finding, Rejected};
use crate::folder;
use domain::Digest;
use schemas::control::{Document as Text, MAX_DOCUMENT_BYTES};
use std::path::Path;

/// A document: UTF-8 of at most 256 KiB. Clones share its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    text: Text,
    digest: Digest,
}

impl Document {
    /// The document of these bytes.
    ///
    /// # Errors
    /// The one [`Finding`] that it is too long or no UTF-8.
    pub fn of(bytes: Vec<u8>) -> Result<Self, Finding> {
        if bytes.len() > MAX_DOCUMENT_BYTES {
            let message = format!("is longer than {MAX_DOCUMENT_BYTES} bytes");
            return Err(Finding::error("too_long", "", message));
        }
        let digest = Digest::of(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| Finding::error("malformed", "", "is not UTF-8"))?;
        Ok(Self { text: text.into(), digest })
    }

    /// The bytes of a file that should be a document: where it is longer, one more than a document has, so that this can be told.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
        folder::read_at_most(path, MAX_DOCUMENT_BYTES as u64 + 1)
    }

    /// The document of a file.
    ///
    /// # Errors
    /// [`Error::Unreadable`], or [`Error::Rejected`] with what [`Document::of`] finds.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::of(Self::bytes(path)?).map_err(|finding| Error::Rejected(Rejected::of(path, vec![finding])))
    }

    /// What an activation carried, which was held against its digest where it was received.
    pub(crate) fn carried(text: &Text) -> Self {
        Self { digest: Digest::of(text.as_str().as_bytes()), text: text.clone() }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// Its text, as an activation carries it.
    pub fn text(&self) -> Text {
        self.text.clone()
    }

    /// SHA-256 of its bytes: a comment changes it.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_text_of_a_bounded_length() {
        let most = vec![b'a'; MAX_DOCUMENT_BYTES];
        let rows: [(Vec<u8>, Option<&str>); 4] = [
            (b"name: a".to_vec(), None),
            (most.clone(), None),
            ([most, b"a".to_vec()].concat(), Some("too_long")),
            (vec![b'a', 0xFF], Some("malformed")),
        ];
        for (bytes, expected) in rows {
            let len = bytes.len();
            assert_eq!(Document::of(bytes).err().map(|finding| finding.code), expected, "{len} bytes");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.0.0.yaml");
        std::fs::write(&path, vec![b'a'; 2 * MAX_DOCUMENT_BYTES]).unwrap();
        assert_eq!(Document::bytes(&path).unwrap().len(), MAX_DOCUMENT_BYTES + 1, "no more of it is held");
        assert!(Document::read(&path).unwrap_err().to_string().contains("too_long"));
        let document = Document::of(b"name: a".to_vec()).unwrap();
        assert_eq!((document.as_str(), document.digest()), ("name: a", Digest::of(b"name: a")));
        assert_eq!(Document::carried(&document.text()), document);
    }
}
