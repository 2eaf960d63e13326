//! What the feature contracts of a folder say of free members: read from manifests alone, so that a worker without models knows
//! what it may keep and show. Proves no package.

use crate::error::Error;
use catalog::{Kind, places, read};
use domain::FieldClasses;
use scoring::classes::classes;
use scoring::error::Part;
use scoring::manifest::Manifest;
use std::path::Path;

/// The classes of every `<folder>/<name>/<version>/manifest.toml` together; none where there is no such folder. A manifest that
/// cannot be read may call anything personal, so that whatever no other one names is taken for that.
///
/// # Errors
/// [`Error::Catalog`] when the folder is there and cannot be listed.
pub fn of_folder(folder: &Path) -> Result<FieldClasses, Error> {
    let mut all = FieldClasses::default();
    if !folder.exists() {
        return Ok(all);
    }
    for (label, package) in places(Kind::Model, folder)? {
        let manifest = read(&package.join(Part::Manifest.file_name())).map_err(|error| error.to_string());
        let manifest = manifest.and_then(|text| Manifest::parse(&text).map_err(|error| error.to_string()));
        match manifest.and_then(|manifest| classes(&manifest).map_err(|error| error.to_string())) {
            Ok(classes) => all.join(classes),
            Err(reason) => {
                tracing::error!(
                    package = %label,
                    reason,
                    "its contract cannot be read: members that no other one names are taken for personal until the next start"
                );
                all.cannot_read_one();
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use domain::{FieldClass, Free};

    #[test]
    fn the_shipped_contracts_name_what_they_read() {
        let classes = of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")).unwrap();
        for name in ["naics", "bill_amount_1", "bill_amount_6", "bank_state", "guaranteed_amount"] {
            assert_eq!(classes.of(Free::Attribute, name), FieldClass::Plain, "{name}");
        }
        assert_eq!(classes.of(Free::Attribute, "unheard_of"), FieldClass::Restricted);
        assert!(!classes.has_personal(Free::Attribute) && !classes.has_personal(Free::ReportField));
    }

    #[test]
    fn a_folder_that_is_not_there_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(of_folder(&dir.path().join("none")).unwrap(), FieldClasses::default());
    }

    /// What the broken one of two packages called personal is no less so for being broken.
    #[test]
    fn a_broken_package_may_call_anything_personal() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/sba-scorecard/1.0.0/manifest.toml");
        let shipped = std::fs::read_to_string(shipped).unwrap();
        let email = "\n[[field]]\npointer = \"/attributes/email\"\nclass = \"personal\"\n";
        let broken = [
            ("a key that nobody knows", Some(format!("colour = 7\n{shipped}{email}"))),
            ("a class that cannot be", Some(format!("{shipped}{}", email.replace("email", "email/a")))),
            ("cut short", Some(shipped[..shipped.len() / 2].to_owned())),
            ("not there", None),
        ];
        for (what, manifest) in broken {
            let dir = tempfile::tempdir().unwrap();
            let whole = dir.path().join("whole/1.0.0");
            std::fs::create_dir_all(&whole).unwrap();
            std::fs::write(whole.join("manifest.toml"), &shipped).unwrap();
            assert_eq!(of_folder(dir.path()).unwrap().of(Free::Attribute, "email"), FieldClass::Restricted);
            let package = dir.path().join("broken/1.0.0");
            std::fs::create_dir_all(&package).unwrap();
            if let Some(manifest) = manifest {
                std::fs::write(package.join("manifest.toml"), manifest).unwrap();
            }
            let classes = of_folder(dir.path()).unwrap();
            assert_eq!(classes.of(Free::Attribute, "email"), FieldClass::Personal, "{what}");
            assert_eq!(classes.of(Free::Attribute, "naics"), FieldClass::Plain, "{what}: the other one reads it");
        }
    }
}
