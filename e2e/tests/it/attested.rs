//! The audit log of the whole stack, as somebody sees it who kept its notes.

use crate::stack::{wait, whole};
use audit_sink::note::{notes, read};
use audit_sink::promises::Word;
use audit_sink::verify::{Options, run};
use std::path::Path;

#[test]
fn the_notes_of_the_stack_cover_its_log() {
    let whole = whole();
    let signer = &whole.stage.settings.audit_signer;
    let file = Path::new(&signer.notes_dir).join("0.notes");
    let kept =
        wait("a note that left the database", || std::fs::read_to_string(&file).ok().filter(|kept| !kept.is_empty()));
    let newest = notes(&kept).last().map(|note| read(note).unwrap().1.size).unwrap();
    let options = Options { keys: signer.verifier_keys().unwrap(), kept: vec![kept], ..Options::default() };
    let report = whole.runtime.block_on(run(whole.stage.settings.database.url.expose(), &options)).unwrap();
    assert!(report.is_whole(), "{report}");
    assert_eq!(report.logs[0].covered, newest, "{report}");
    assert!(report.logs[0].covered_at.is_some(), "{report}");
    for word in [Word::Signatures, Word::KeptNotes, Word::Times] {
        assert!(report.promises.iter().any(|promise| promise.promise == word && promise.checked), "{word}: {report}");
    }
}
