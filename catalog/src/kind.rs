//! The kinds of documents that an activation puts in force. A new kind begins here; the compiler leads to what it needs.

domain::words! {
    /// What an activation switches.
    Kind {
        /// What is decided. Travels by value.
        Policy = "policy",
        /// Which package scores whom. Travels by value, with the digests of the packages that it names.
        Route = "route",
        /// One version of a package. Travels by digest.
        Model = "model",
    }
}

impl Kind {
    /// The knob that names the folder of its versions.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Policy => "policy_dir",
            Self::Route => "routes_dir",
            Self::Model => "models_dir",
        }
    }

    /// The ending of a version's file; none where a version is a folder.
    pub fn extension(self) -> Option<&'static str> {
        match self {
            Self::Policy => Some("yaml"),
            Self::Route => Some("toml"),
            Self::Model => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_back_and_no_other() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(["", "Policy", "scales"].map(Kind::parse), [None; 3]);
    }

    #[test]
    fn every_kind_has_a_folder_and_a_form_of_its_own() {
        let all = |of: fn(Kind) -> String| Kind::ALL.iter().map(|kind| of(*kind)).collect::<Vec<_>>();
        assert_eq!(all(|kind| kind.to_string()), ["policy", "route", "model"]);
        assert_eq!(all(|kind| kind.folder().to_owned()), ["policy_dir", "routes_dir", "models_dir"]);
        assert_eq!(all(|kind| kind.extension().unwrap_or("folder").to_owned()), ["yaml", "toml", "folder"]);
    }
}
