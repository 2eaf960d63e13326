//! What people call the facts of an applicant, in English and German, and where each stands below `facts`. Pure.

use super::names::folded;

/// A fact, by what the cells of its column may hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// As [`folded`] gives them, with a space between.
    names: &'static str,
    /// Where yes and no stand.
    pub(super) truth: Option<&'static str>,
    /// Where a count stands.
    pub(super) count: Option<&'static str>,
    /// Where a word of a list stands.
    pub(super) word: Option<&'static str>,
}

const NONE: Fact = Fact { names: "", truth: None, count: None, word: None };

const FACTS: [Fact; 16] = [
    Fact {
        names: "volljaehrig volljaehrigkeit istvolljaehrig adult isadult ofage oflegalage islegalage legalage 18 18plus ueber18 over18 ab18 \
                18orolder majeur mayordeedad maggiorenne",
        truth: Some("of_legal_age"),
        ..NONE
    },
    Fact {
        names: "kinder unterhaltspflichtige unterhaltsberechtigte dependants dependents personnesacharge dependientes peopleliable",
        count: Some("dependants"),
        word: Some("dependants_band"),
        ..NONE
    },
    Fact { names: "telefon telefonvorhanden telephone hastelephone", truth: Some("telephone"), ..NONE },
    Fact {
        names: "beschaeftigung beschaeftigungsstatus beschaeftigungsverhaeltnis beschaeftigungsart arbeitsverhaeltnis erwerbsstatus \
                berufsstatus employment employmentstatus employmenttype",
        word: Some("employment/status"),
        ..NONE
    },
    Fact {
        names: "beschaeftigtseit beschaeftigungsdauer betriebszugehoerigkeit anstellungsdauer employmentduration employmentlength \
                emplength timeemployed jobtenure tenure",
        count: Some("employment/tenure_months"),
        word: Some("employment/tenure_band"),
        ..NONE
    },
    Fact {
        names: "beruf berufsgruppe taetigkeit occupation profession job",
        word: Some("employment/occupation"),
        ..NONE
    },
    Fact {
        names: "wohnsituation wohnverhaeltnis wohnstatus wohnart wohnen housing housingstatus homeownership residencestatus",
        word: Some("housing/status"),
        ..NONE
    },
    Fact {
        names: "wohndauer wohnhaftseit residenceduration presentresidence timeataddress residence",
        count: Some("housing/residence_months"),
        word: Some("housing/residence_band"),
        ..NONE
    },
    Fact {
        names: "girokonto girokontostand kontostand laufendeskonto checking checkingaccount checkingstatus checkingbalance checkingband \
                currentaccount",
        word: Some("accounts/checking_band"),
        ..NONE
    },
    Fact {
        names: "sparguthaben sparkonto ersparnisse spareinlagen savings savingsaccount savingsbalance savingsband",
        word: Some("accounts/savings_band"),
        ..NONE
    },
    Fact {
        names: "kredithistorie kreditgeschichte zahlungsmoral bisherigekredite credithistory paymenthistory",
        word: Some("obligations/credit_history"),
        ..NONE
    },
    Fact {
        names: "ratenquote belastungsquote installmentrate instalmentrate",
        word: Some("obligations/instalment_rate_band"),
        ..NONE
    },
    Fact {
        names: "weitereratenkredite andereratenkredite otherinstallmentplans otherinstalmentplans",
        word: Some("obligations/other_instalment_plans"),
        ..NONE
    },
    Fact {
        names: "anzahlkredite bestehendekredite laufendekredite numbercredits numberofcredits existingcredits",
        word: Some("obligations/existing_credits_band"),
        ..NONE
    },
    Fact {
        names: "weitereschuldner mitschuldner mitantragsteller buergen otherdebtors guarantors",
        word: Some("obligations/other_debtors"),
        ..NONE
    },
    Fact {
        names: "vermoegen vermoegenswert wertvollstesvermoegen property assets mostvaluableasset",
        word: Some("assets/most_valuable"),
        ..NONE
    },
];

/// The fact that a name stands for, where it is one of those that are known.
pub(super) fn fact(name: &str) -> Option<&'static Fact> {
    let name = folded(name);
    let bare = ["inmonaten", "monate", "months"].iter().find_map(|unit| name.strip_suffix(unit));
    let known = |name: &str| FACTS.iter().find(|fact| fact.names.split_whitespace().any(|known| known == name));
    // Months are a count, and say nothing of words.
    known(&name).or_else(|| bare.and_then(known).filter(|fact| fact.count.is_some()))
}

impl Fact {
    /// Where it stands, whatever its cells hold.
    pub(super) fn places(&self) -> impl Iterator<Item = &'static str> {
        [self.truth, self.count, self.word].into_iter().flatten()
    }

    /// Whether a column of it says what a place holds.
    pub(super) fn is(&self, place: &str) -> bool {
        self.places().any(|own| own == place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::meaning;
    use super::*;

    #[test]
    fn facts_are_known_by_what_people_call_them() {
        let rows = [
            ("Volljährig", Some("of_legal_age")),
            ("18+", Some("of_legal_age")),
            ("Of age", Some("of_legal_age")),
            ("is_adult", Some("of_legal_age")),
            ("Girokonto", Some("accounts/checking_band")),
            ("Betriebszugehörigkeit (Monate)", Some("employment/tenure_months")),
            ("Beschäftigt seit (Jahre)", None),
            ("housing", Some("housing/status")),
            ("Schuhgröße", None),
        ];
        for (name, expected) in rows {
            assert_eq!(fact(name).and_then(|fact| fact.places().next()), expected, "{name}");
        }
    }

    #[test]
    fn a_name_stands_for_one_fact_and_for_nothing_else() {
        for (at, of) in FACTS.iter().enumerate() {
            for name in of.names.split_whitespace() {
                assert_eq!(folded(name), name, "as it is looked for");
                assert_eq!(meaning(name), None, "{name}");
                let is_there = |other: &Fact| other.names.split_whitespace().any(|other| other == name);
                assert!(!FACTS[..at].iter().any(is_there), "{name}");
            }
        }
    }
}
