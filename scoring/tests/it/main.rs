//! Tests of whole packages: those of the repository, and the same ones broken in every way.
#![allow(clippy::unwrap_used)]

mod packages;

mod proof {
    use super::packages;

    #[test]
    fn every_package_of_the_repository_proves_itself() {
        for model in packages::all() {
            assert!(!model.features().is_empty());
        }
    }
}
