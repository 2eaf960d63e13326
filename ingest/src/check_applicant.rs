//! The applicants of a body: their order, consents, reports and typed facts, held against the closed lists of the contract.

use crate::check::Check;
use crate::refusal::Reason;
use crate::rules::limit;
use schemas::application::{Applicant, Consent, Debt, Facts, Income, Report};

const PERIODS: &[&str] = &["week", "month", "year"];
const EVIDENCE: &[&str] = &["stated", "verified"];

impl Check<'_> {
    pub(crate) fn applicants(&mut self, applicants: &[Applicant]) {
        self.at_most(limit::APPLICANTS, applicants.len(), || "/applicants".into());
        let primaries = applicants.iter().filter(|applicant| applicant.role == "primary").count();
        let first = applicants.first().is_some_and(|applicant| applicant.role == "primary");
        self.that(first && primaries == 1, Reason::BadApplicants, || "/applicants".into());
        for (i, applicant) in applicants.iter().enumerate().take(limit::APPLICANTS) {
            let at = |rest: &str| format!("/applicants/{i}/{rest}");
            self.word(&applicant.role, &["primary", "co_applicant", "guarantor"], || at("role"));
            self.word(&applicant.kind, &["person", "organisation"], || at("kind"));
            self.reference(&applicant.customer_ref, limit::CUSTOMER_REF_CHARS, || at("customer_ref"));
            self.consents(&applicant.consents, &at);
            self.reports(&applicant.reports, &at);
            self.facts(&applicant.facts, &at);
        }
    }

    fn consents(&mut self, consents: &[Consent], at: &impl Fn(&str) -> String) {
        self.at_most(limit::ELEMENTS, consents.len(), || at("consents"));
        for (i, consent) in consents.iter().enumerate() {
            self.token(&consent.purpose, || at(&format!("consents/{i}/purpose")));
            self.moment(&consent.granted_at, || at(&format!("consents/{i}/granted_at")));
            if let Some(version) = &consent.version {
                self.reference(version, limit::NAME_CHARS, || at(&format!("consents/{i}/version")));
            }
        }
    }

    fn reports(&mut self, reports: &[Report], at: &impl Fn(&str) -> String) {
        self.at_most(limit::ELEMENTS, reports.len(), || at("reports"));
        for (i, report) in reports.iter().enumerate() {
            let within = |rest: &str| at(&format!("reports/{i}/{rest}"));
            self.reference(&report.source, limit::NAME_CHARS, || within("source"));
            self.reference(&report.report_id, limit::ID_CHARS, || within("report_id"));
            self.moment(&report.pulled_at, || within("pulled_at"));
            self.word(&report.status, &["hit", "no_hit", "thin", "frozen", "error"], || within("status"));
            self.that(report.range.is_none_or(|[low, high]| low <= high), Reason::BadValue, || within("range"));
            self.at_most(limit::ATTRIBUTES, report.fields.len(), || within("fields"));
        }
    }

    fn facts(&mut self, facts: &Facts, at: &impl Fn(&str) -> String) {
        let at = |rest: &str| at(&format!("facts/{rest}"));
        self.at_most(limit::ELEMENTS, facts.income.len(), || at("income"));
        facts.income.iter().enumerate().for_each(|(i, income)| self.income(income, i, &at));
        self.at_most(limit::DEBTS, facts.debts.len(), || at("debts"));
        facts.debts.iter().enumerate().for_each(|(i, debt)| self.debt(debt, i, &at));
        self.that(facts.dependants.unwrap_or(0) <= 100, Reason::BadValue, || at("dependants"));
        self.optional_word(facts.dependants_band.as_ref(), &["0_to_2", "3_or_more"], || at("dependants_band"));
        self.standing(facts, &at);
        self.finances(facts, &at);
    }

    fn income(&mut self, income: &Income, i: usize, at: &impl Fn(&str) -> String) {
        let at = |rest: &str| at(&format!("income/{i}/{rest}"));
        self.money(&income.amount, None, || at("amount"));
        self.word(&income.period, PERIODS, || at("period"));
        self.word(&income.basis, &["gross", "net"], || at("basis"));
        self.word(&income.evidence, EVIDENCE, || at("evidence"));
    }

    fn debt(&mut self, debt: &Debt, i: usize, at: &impl Fn(&str) -> String) {
        let at = |rest: &str| at(&format!("debts/{i}/{rest}"));
        self.token(&debt.kind, || at("kind"));
        for (name, money, least) in [("balance", &debt.balance, None), ("payment", &debt.payment, Some(0))] {
            if let Some(money) = money {
                self.money(money, least, || at(name));
            }
        }
        self.optional_word(debt.period.as_ref(), PERIODS, || at("period"));
        self.word(&debt.evidence, EVIDENCE, || at("evidence"));
    }

    /// Employment and housing.
    fn standing(&mut self, facts: &Facts, at: &impl Fn(&str) -> String) {
        if let Some(work) = &facts.employment {
            let statuses = ["employed", "self_employed", "unemployed", "retired", "student", "other"];
            self.optional_word(work.status.as_ref(), &statuses, || at("employment/status"));
            let tenures = ["none", "lt_1y", "1_4y", "4_7y", "ge_7y"];
            self.optional_word(work.tenure_band.as_ref(), &tenures, || at("employment/tenure_band"));
            let months = work.tenure_months.unwrap_or(0);
            self.that(months <= 1200, Reason::BadValue, || at("employment/tenure_months"));
            let occupations = ["unskilled_non_resident", "unskilled", "skilled", "management"];
            self.optional_word(work.occupation.as_ref(), &occupations, || at("employment/occupation"));
        }
        if let Some(home) = &facts.housing {
            self.optional_word(home.status.as_ref(), &["own", "rent", "free"], || at("housing/status"));
            let months = home.residence_months.unwrap_or(0);
            self.that(months <= 1200, Reason::BadValue, || at("housing/residence_months"));
            let bands = ["lt_1y", "1_4y", "4_7y", "ge_7y"];
            self.optional_word(home.residence_band.as_ref(), &bands, || at("housing/residence_band"));
        }
    }

    /// Accounts, obligations and assets.
    fn finances(&mut self, facts: &Facts, at: &impl Fn(&str) -> String) {
        if let Some(accounts) = &facts.accounts {
            let checking = ["none", "negative", "lt_200", "ge_200"];
            self.optional_word(accounts.checking_band.as_ref(), &checking, || at("accounts/checking_band"));
            let savings = ["none", "lt_100", "100_500", "500_1000", "ge_1000"];
            self.optional_word(accounts.savings_band.as_ref(), &savings, || at("accounts/savings_band"));
        }
        if let Some(owed) = &facts.obligations {
            let histories = ["delayed", "critical", "none_or_all_paid", "existing_paid", "all_paid_here"];
            self.optional_word(owed.credit_history.as_ref(), &histories, || at("obligations/credit_history"));
            let rates = ["ge_35", "25_35", "20_25", "lt_20"];
            self.optional_word(owed.instalment_rate_band.as_ref(), &rates, || at("obligations/instalment_rate_band"));
            let plans = ["bank", "stores", "none"];
            self.optional_word(owed.other_instalment_plans.as_ref(), &plans, || {
                at("obligations/other_instalment_plans")
            });
            let credits = ["1", "2_3", "4_5", "ge_6"];
            self.optional_word(owed.existing_credits_band.as_ref(), &credits, || {
                at("obligations/existing_credits_band")
            });
            let debtors = ["none", "co_applicant", "guarantor"];
            self.optional_word(owed.other_debtors.as_ref(), &debtors, || at("obligations/other_debtors"));
        }
        if let Some(assets) = &facts.assets {
            let kinds = ["none", "car_or_other", "savings_or_life_insurance", "real_estate"];
            self.optional_word(assets.most_valuable.as_ref(), &kinds, || at("assets/most_valuable"));
        }
    }
}
