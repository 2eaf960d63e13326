//! The applicants of a body: their order, consents, reports and typed facts, held against the closed lists of the contract.

use crate::check::Check;
use crate::refusal::{Fault, Reason};
use crate::rules::limit;
use domain::Role;
use schemas::application::{Applicant, Consent, Debt, Facts, Income, Report};

impl Check<'_> {
    pub(crate) fn applicants(&mut self, applicants: &[Applicant]) {
        self.at_most(limit::APPLICANTS, applicants.len(), || "/applicants".into());
        let primaries = applicants.iter().filter(|applicant| applicant.role.is(Role::Primary)).count();
        let first = applicants.first().is_some_and(|applicant| applicant.role.is(Role::Primary));
        self.that(first && primaries == 1, Reason::BadApplicants, || "/applicants".into());
        for (i, applicant) in applicants.iter().enumerate().take(limit::APPLICANTS) {
            let at = |rest: &str| format!("/applicants/{i}/{rest}");
            self.known(&applicant.role, || at("role"));
            self.known(&applicant.kind, || at("kind"));
            self.customer_ref(&applicant.customer_ref, || at("customer_ref"));
            self.consents(&applicant.consents, &at);
            self.reports(&applicant.reports, &at);
            self.facts(&applicant.facts, &at);
        }
    }

    /// A reference of which something is left when it becomes a subject: customers whose references are blank would all be one.
    fn customer_ref(&mut self, text: &str, at: impl Fn() -> String) {
        self.reference(text, limit::CUSTOMER_REF_CHARS, &at);
        if !text.is_empty() {
            self.that(!text.trim().is_empty(), Reason::BadValue, at);
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
            self.known(&report.status, || within("status"));
            self.or(report.range.is_none_or(|[low, high]| low <= high), || {
                Fault::new(Reason::BadValue, within("range")).because("the lowest comes first")
            });
            self.at_most(limit::ATTRIBUTES, report.fields.len(), || within("fields"));
        }
    }

    fn facts(&mut self, facts: &Facts, at: &impl Fn(&str) -> String) {
        let at = |rest: &str| at(&format!("facts/{rest}"));
        self.at_most(limit::ELEMENTS, facts.income.len(), || at("income"));
        facts.income.iter().enumerate().for_each(|(i, income)| self.income(income, i, &at));
        let debts = facts.debts.as_deref().unwrap_or_default();
        self.at_most(limit::DEBTS, debts.len(), || at("debts"));
        debts.iter().enumerate().for_each(|(i, debt)| self.debt(debt, i, &at));
        self.that(facts.dependants.unwrap_or(0) <= 100, Reason::BadValue, || at("dependants"));
        self.known_if_said(&facts.dependants_band, || at("dependants_band"));
        self.standing(facts, &at);
        self.finances(facts, &at);
    }

    fn income(&mut self, income: &Income, i: usize, at: &impl Fn(&str) -> String) {
        let at = |rest: &str| at(&format!("income/{i}/{rest}"));
        self.money(&income.amount, None, || at("amount"));
        self.known(&income.period, || at("period"));
        self.known(&income.basis, || at("basis"));
        self.known(&income.evidence, || at("evidence"));
    }

    fn debt(&mut self, debt: &Debt, i: usize, at: &impl Fn(&str) -> String) {
        let at = |rest: &str| at(&format!("debts/{i}/{rest}"));
        self.token(&debt.kind, || at("kind"));
        for (name, money, least) in [("balance", &debt.balance, None), ("payment", &debt.payment, Some(0))] {
            if let Some(money) = money {
                self.money(money, least, || at(name));
            }
        }
        self.known_if_said(&debt.period, || at("period"));
        self.known(&debt.evidence, || at("evidence"));
    }

    /// Employment and housing.
    fn standing(&mut self, facts: &Facts, at: &impl Fn(&str) -> String) {
        if let Some(work) = &facts.employment {
            self.known_if_said(&work.status, || at("employment/status"));
            self.known_if_said(&work.tenure_band, || at("employment/tenure_band"));
            let months = work.tenure_months.unwrap_or(0);
            self.that(months <= 1200, Reason::BadValue, || at("employment/tenure_months"));
            self.known_if_said(&work.occupation, || at("employment/occupation"));
        }
        if let Some(home) = &facts.housing {
            self.known_if_said(&home.status, || at("housing/status"));
            let months = home.residence_months.unwrap_or(0);
            self.that(months <= 1200, Reason::BadValue, || at("housing/residence_months"));
            self.known_if_said(&home.residence_band, || at("housing/residence_band"));
        }
    }

    /// Accounts, obligations and assets.
    fn finances(&mut self, facts: &Facts, at: &impl Fn(&str) -> String) {
        if let Some(accounts) = &facts.accounts {
            self.known_if_said(&accounts.checking_band, || at("accounts/checking_band"));
            self.known_if_said(&accounts.savings_band, || at("accounts/savings_band"));
        }
        if let Some(owed) = &facts.obligations {
            self.known_if_said(&owed.credit_history, || at("obligations/credit_history"));
            self.known_if_said(&owed.instalment_rate_band, || at("obligations/instalment_rate_band"));
            self.known_if_said(&owed.other_instalment_plans, || at("obligations/other_instalment_plans"));
            self.known_if_said(&owed.existing_credits_band, || at("obligations/existing_credits_band"));
            self.known_if_said(&owed.other_debtors, || at("obligations/other_debtors"));
        }
        if let Some(assets) = &facts.assets {
            self.known_if_said(&assets.most_valuable, || at("assets/most_valuable"));
        }
    }
}
