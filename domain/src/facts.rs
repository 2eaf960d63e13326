//! The closed words of an applicant's facts. What each means stands in the JSON Schema, the one place that senders read.

use crate::word::words;

words! {
    /// What a regular amount is for.
    #[allow(missing_docs)]
    Period { Week = "week", Month = "month", Year = "year" }
}

words! {
    /// Before or after tax and social contributions.
    #[allow(missing_docs)]
    IncomeBasis { Gross = "gross", Net = "net" }
}

words! {
    /// Whether the applicant said so or a document proves it.
    #[allow(missing_docs)]
    Evidence { Stated = "stated", Verified = "verified" }
}

words! {
    /// A number of dependants.
    #[allow(missing_docs)]
    DependantsBand { UpToTwo = "0_to_2", ThreeOrMore = "3_or_more" }
}

words! {
    /// How an applicant works.
    #[allow(missing_docs)]
    EmploymentStatus {
        Employed = "employed",
        SelfEmployed = "self_employed",
        Unemployed = "unemployed",
        Retired = "retired",
        Student = "student",
        Other = "other",
    }
}

words! {
    /// Years with the present employer.
    #[allow(missing_docs)]
    TenureBand { None = "none", LessThan1 = "lt_1y", From1To4 = "1_4y", From4To7 = "4_7y", AtLeast7 = "ge_7y" }
}

words! {
    /// Kind of work.
    #[allow(missing_docs)]
    Occupation {
        UnskilledNonResident = "unskilled_non_resident",
        Unskilled = "unskilled",
        Skilled = "skilled",
        Management = "management",
    }
}

words! {
    /// How an applicant lives.
    #[allow(missing_docs)]
    HousingStatus { Own = "own", Rent = "rent", Free = "free" }
}

words! {
    /// Years at the present address.
    #[allow(missing_docs)]
    ResidenceBand { LessThan1 = "lt_1y", From1To4 = "1_4y", From4To7 = "4_7y", AtLeast7 = "ge_7y" }
}

words! {
    /// Balance of the checking account.
    #[allow(missing_docs)]
    CheckingBand { None = "none", Negative = "negative", LessThan200 = "lt_200", AtLeast200 = "ge_200" }
}

words! {
    /// Savings.
    #[allow(missing_docs)]
    SavingsBand {
        None = "none",
        LessThan100 = "lt_100",
        From100To500 = "100_500",
        From500To1000 = "500_1000",
        AtLeast1000 = "ge_1000",
    }
}

words! {
    /// How earlier credit went.
    #[allow(missing_docs)]
    CreditHistory {
        Delayed = "delayed",
        Critical = "critical",
        NoneOrAllPaid = "none_or_all_paid",
        ExistingPaid = "existing_paid",
        AllPaidHere = "all_paid_here",
    }
}

words! {
    /// Instalments in percent of disposable income.
    #[allow(missing_docs)]
    InstalmentRateBand { AtLeast35 = "ge_35", From25To35 = "25_35", From20To25 = "20_25", LessThan20 = "lt_20" }
}

words! {
    /// Instalment plans with others.
    #[allow(missing_docs)]
    OtherInstalmentPlans { Bank = "bank", Stores = "stores", None = "none" }
}

words! {
    /// Credits with this lender, this one included.
    #[allow(missing_docs)]
    ExistingCreditsBand { One = "1", TwoOrThree = "2_3", FourOrFive = "4_5", AtLeast6 = "ge_6" }
}

words! {
    /// Who else is liable.
    #[allow(missing_docs)]
    OtherDebtors { None = "none", CoApplicant = "co_applicant", Guarantor = "guarantor" }
}

words! {
    /// Kind of the most valuable asset.
    #[allow(missing_docs)]
    MostValuable {
        None = "none",
        CarOrOther = "car_or_other",
        SavingsOrLifeInsurance = "savings_or_life_insurance",
        RealEstate = "real_estate",
    }
}
