//! The facts of one party as rules see them: borrowed from what was published, closed words as words, a group that was not asked as
//! one of which nothing is known.

use domain::facts::*;
use schemas::Word;
use schemas::application as wire;

/// An amount as it was published: its currency may be none that is known here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount<'e> {
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: &'e str,
}

impl<'e> Amount<'e> {
    pub(crate) fn of(money: &'e wire::WireMoney) -> Self {
        Self { amount_minor: money.amount_minor, currency: &money.currency }
    }
}

/// What is known of a party. What each fact means stands in the JSON Schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'e> {
    pub of_legal_age: Option<bool>,
    pub telephone: Option<bool>,
    pub dependants: Option<u32>,
    pub dependants_band: Option<&'e Word<DependantsBand>>,
    pub employment: Employment<'e>,
    pub housing: Housing<'e>,
    pub accounts: Accounts<'e>,
    pub obligations: Obligations<'e>,
    pub assets: Assets<'e>,
    incomes: &'e [wire::Income],
    debts: Option<&'e [wire::Debt]>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Employment<'e> {
    pub status: Option<&'e Word<EmploymentStatus>>,
    pub tenure_months: Option<u32>,
    pub tenure_band: Option<&'e Word<TenureBand>>,
    pub occupation: Option<&'e Word<Occupation>>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Housing<'e> {
    pub status: Option<&'e Word<HousingStatus>>,
    pub residence_months: Option<u32>,
    pub residence_band: Option<&'e Word<ResidenceBand>>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Accounts<'e> {
    pub checking_band: Option<&'e Word<CheckingBand>>,
    pub savings_band: Option<&'e Word<SavingsBand>>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Obligations<'e> {
    pub credit_history: Option<&'e Word<CreditHistory>>,
    pub instalment_rate_band: Option<&'e Word<InstalmentRateBand>>,
    pub other_instalment_plans: Option<&'e Word<OtherInstalmentPlans>>,
    pub existing_credits_band: Option<&'e Word<ExistingCreditsBand>>,
    pub other_debtors: Option<&'e Word<OtherDebtors>>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Assets<'e> {
    pub most_valuable: Option<&'e Word<MostValuable>>,
}

/// A regular income.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Income<'e> {
    pub amount: Amount<'e>,
    pub period: &'e Word<Period>,
    pub basis: &'e Word<IncomeBasis>,
    pub evidence: &'e Word<Evidence>,
}

/// A debt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Debt<'e> {
    pub kind: &'e str,
    pub balance: Option<Amount<'e>>,
    pub payment: Option<Amount<'e>>,
    pub period: Option<&'e Word<Period>>,
    pub evidence: &'e Word<Evidence>,
}

impl<'e> Facts<'e> {
    pub(crate) fn of(facts: &'e wire::Facts) -> Self {
        let employment = |of: &'e wire::Employment| Employment {
            status: of.status.as_ref(),
            tenure_months: of.tenure_months,
            tenure_band: of.tenure_band.as_ref(),
            occupation: of.occupation.as_ref(),
        };
        let housing = |of: &'e wire::Housing| Housing {
            status: of.status.as_ref(),
            residence_months: of.residence_months,
            residence_band: of.residence_band.as_ref(),
        };
        let accounts = |of: &'e wire::Accounts| Accounts {
            checking_band: of.checking_band.as_ref(),
            savings_band: of.savings_band.as_ref(),
        };
        let obligations = |of: &'e wire::Obligations| Obligations {
            credit_history: of.credit_history.as_ref(),
            instalment_rate_band: of.instalment_rate_band.as_ref(),
            other_instalment_plans: of.other_instalment_plans.as_ref(),
            existing_credits_band: of.existing_credits_band.as_ref(),
            other_debtors: of.other_debtors.as_ref(),
        };
        let assets = |of: &'e wire::Assets| Assets { most_valuable: of.most_valuable.as_ref() };
        Self {
            of_legal_age: facts.of_legal_age,
            telephone: facts.telephone,
            dependants: facts.dependants,
            dependants_band: facts.dependants_band.as_ref(),
            employment: facts.employment.as_ref().map(employment).unwrap_or_default(),
            housing: facts.housing.as_ref().map(housing).unwrap_or_default(),
            accounts: facts.accounts.as_ref().map(accounts).unwrap_or_default(),
            obligations: facts.obligations.as_ref().map(obligations).unwrap_or_default(),
            assets: facts.assets.as_ref().map(assets).unwrap_or_default(),
            incomes: &facts.income,
            debts: facts.debts.as_deref(),
        }
    }

    /// Regular incomes, as they were published.
    pub(crate) fn incomes(&self) -> impl ExactSizeIterator<Item = Income<'e>> + Clone + use<'e> {
        self.incomes.iter().map(|income| Income {
            amount: Amount::of(&income.amount),
            period: &income.period,
            basis: &income.basis,
            evidence: &income.evidence,
        })
    }

    /// Whether debts were asked for: a list that is there, and perhaps empty.
    pub(crate) fn has_debts_asked(&self) -> bool {
        self.debts.is_some()
    }

    /// Debts, as they were published; none where nobody asked.
    pub(crate) fn debts(&self) -> impl ExactSizeIterator<Item = Debt<'e>> + Clone + use<'e> {
        self.debts.unwrap_or_default().iter().map(|debt| Debt {
            kind: &debt.kind,
            balance: debt.balance.as_ref().map(Amount::of),
            payment: debt.payment.as_ref().map(Amount::of),
            period: debt.period.as_ref(),
            evidence: &debt.evidence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_was_not_asked_is_one_of_which_nothing_is_known() {
        let mut facts = wire::Facts::default();
        assert!(Facts::of(&facts).employment.status.is_none());
        let status = Some(EmploymentStatus::Student.into());
        facts.employment = Some(wire::Employment { status, tenure_months: None, tenure_band: None, occupation: None });
        let seen = Facts::of(&facts).employment;
        assert!(seen.status.is_some_and(|word| word.is(EmploymentStatus::Student)));
        assert!(seen.tenure_band.is_none() && Facts::of(&facts).housing.status.is_none());
    }

    #[test]
    fn words_of_tomorrow_and_currencies_of_nowhere_are_seen_as_they_were_published() {
        let income = wire::Income {
            amount: wire::WireMoney { amount_minor: 5, currency: "usd".into() },
            period: Word::parse("decade"),
            basis: IncomeBasis::Net.into(),
            evidence: Evidence::Stated.into(),
        };
        let facts = wire::Facts { income: vec![income], ..wire::Facts::default() };
        let seen: Vec<_> = Facts::of(&facts).incomes().collect();
        assert_eq!((seen[0].amount.amount_minor, seen[0].amount.currency), (5, "usd"));
        assert_eq!((seen[0].period.as_str(), seen[0].period.known()), ("decade", None));
        assert_eq!(Facts::of(&facts).debts().len(), 0);
    }
}
