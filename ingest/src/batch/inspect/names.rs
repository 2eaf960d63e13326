//! What people call their columns, in a few languages. Pure.

/// The place of `data` that a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    ApplicationId,
    CustomerRef,
    Amount,
    TermMonths,
    Purpose,
    Product,
    Channel,
    /// The day that the facts describe, and on which it was asked.
    Day,
    /// A member of `identity`: whose row it is.
    Identity(&'static str),
    /// A member of `protected`: what nobody may decide by.
    Protected(&'static str),
    /// A monthly income.
    Income,
    /// What came after the decision: nobody knows it of an applicant.
    Outcome,
}

use Meaning::{
    Amount, ApplicationId, Channel, CustomerRef, Day, Identity, Income, Outcome, Product, Protected, Purpose,
    TermMonths,
};

/// Names as [`folded`] gives them, with a space between.
const NAMES: &[(&str, Meaning)] = &[
    (
        "antrag antragid antragsid antragnr antragsnr antragsnummer antragnummer applicationid applicationno \
         applicationnumber appid loanid loannumber loanno loannrchkdgt creditid kreditnr kreditnummer \
         vertragsnr vertragsnummer vorgangsnummer aktenzeichen contractno numerodossier nodossier dossier \
         numerodemande idsolicitud numerosolicitud solicitud idpratica numeropratica nrwniosku id",
        ApplicationId,
    ),
    (
        "kunde kundennr kundennummer kundenid kdnr customer customerid customerno customernumber customerref \
         clientid clientno borrowerid numeroclient noclient idclient idcliente numerocliente codicecliente \
         nrklienta",
        CustomerRef,
    ),
    (
        "betrag kreditbetrag darlehensbetrag darlehenssumme kreditsumme finanzierungsbetrag antragsbetrag \
         amount loanamount creditamount requestedamount principal montant montantpret montantcredit \
         montantdemande importe monto montoprestamo importo importorichiesto kwota kwotakredytu limitbal \
         grappv kreditrahmen limit",
        Amount,
    ),
    (
        "laufzeit laufzeitmonate laufzeitinmonaten laufzeitm term termmonths loanterm duration durationmonths \
         duree dureemois dureeenmois plazo plazomeses durata duratamesi okres",
        TermMonths,
    ),
    ("verwendungszweck zweck purpose loanpurpose objet objetpret finalidad destino finalita cel", Purpose),
    ("produkt produktart product productcode produit producto prodotto", Product),
    ("kanal vertriebsweg channel canal canale", Channel),
    (
        "datum antragsdatum antragdatum stichtag eingangsdatum eingang applicationdate applieddate \
         dateofapplication submittedat asof asofdate date datedemande datedossier fecha fechasolicitud data \
         datarichiesta datawniosku approvaldate",
        Day,
    ),
    ("name fullname vollername kundenname nomcomplet nombrecompleto nominativo", Identity("full_name")),
    ("vorname firstname givenname prenom nombre nome imie", Identity("given_name")),
    ("nachname familienname zuname lastname surname nom apellido apellidos cognome", Identity("family_name")),
    ("email mail emailadresse courriel correo", Identity("email")),
    ("telefonnummer telefonnr phone phonenumber mobile handy mobil", Identity("phone")),
    ("strasse adresse anschrift street address rue direccion indirizzo", Identity("address")),
    ("plz postleitzahl zip zipcode postcode codepostal codigopostal cap", Identity("postal_code")),
    ("ort wohnort stadt city ville ciudad citta", Identity("city")),
    ("iban kontonummer accountnumber", Identity("iban")),
    ("steuerid steuernummer ausweisnummer nationalid ssn taxid dni nif codicefiscale pesel", Identity("national_id")),
    (
        "geburtsdatum geburtstag gebdatum birthdate dateofbirth dob datenaissance fechanacimiento",
        Protected("birth_date"),
    ),
    ("alter age edad eta wiek", Protected("age")),
    ("geschlecht sex gender sexe sexo sesso anrede", Protected("sex")),
    ("familienstand maritalstatus marriage etatcivil estadocivil statocivile", Protected("marital_status")),
    ("nationalitaet staatsangehoerigkeit nationality nationalite nacionalidad", Protected("nationality")),
    (
        "einkommen nettoeinkommen monatseinkommen monatsnetto income monthlyincome netincome revenu \
         revenumensuel ingresos reddito",
        Income,
    ),
    ("default ausfall defaulted ausgefallen chgoffdate chgoffpringr label target", Outcome),
];

/// What a name stands for, where it is one of those that are known.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    let name = folded(name);
    let bare = ["ineur", "inusd", "inchf", "eur", "usd", "chf"].iter().find_map(|unit| name.strip_suffix(unit));
    let known = |name: &str| {
        NAMES.iter().find(|(names, _)| names.split(' ').any(|known| known == name)).map(|(_, meaning)| *meaning)
    };
    known(&name).or_else(|| bare.and_then(known))
}

/// Small letters and digits, without accents.
pub(super) fn folded(name: &str) -> String {
    spelt(name).chars().filter(char::is_ascii_alphanumeric).collect()
}

/// As a key of `attributes`: small letters and digits, with `_` for whatever is between.
pub(super) fn key(name: &str) -> String {
    let spelt: String = spelt(name).chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    spelt.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
}

fn spelt(name: &str) -> String {
    let mut spelt = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'ä' | 'æ' => spelt.push_str("ae"),
            'ö' | 'œ' => spelt.push_str("oe"),
            'ü' => spelt.push_str("ue"),
            'ß' => spelt.push_str("ss"),
            'à' | 'á' | 'â' | 'ã' | 'å' | 'ą' => spelt.push('a'),
            'ç' | 'ć' | 'č' => spelt.push('c'),
            'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => spelt.push('e'),
            'ì' | 'í' | 'î' | 'ï' => spelt.push('i'),
            'ł' => spelt.push('l'),
            'ñ' | 'ń' => spelt.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ø' => spelt.push('o'),
            'ù' | 'ú' | 'û' => spelt.push('u'),
            other => spelt.push(other),
        }
    }
    spelt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_however_they_are_spelt() {
        let rows = [
            ("Antrags-Nr.", Some(ApplicationId)),
            ("APPLICATION_ID", Some(ApplicationId)),
            ("N° dossier", None),
            ("Kreditbetrag (EUR)", Some(Amount)),
            ("Betrag in EUR", Some(Amount)),
            ("Durée (mois)", Some(TermMonths)),
            ("Straße", Some(Identity("address"))),
            ("Geschlecht", Some(Protected("sex"))),
            ("PAY_AMT1", None),
        ];
        for (name, expected) in rows {
            assert_eq!(meaning(name), expected, "{name}");
        }
        assert_eq!(
            (key("Beschäftigt seit (Jahre)"), key("PAY_AMT1")),
            ("beschaeftigt_seit_jahre".into(), "pay_amt1".into())
        );
    }

    #[test]
    fn a_name_stands_for_one_thing() {
        for (index, (names, _)) in NAMES.iter().enumerate() {
            for name in names.split(' ') {
                assert_eq!(folded(name), name, "as it is looked for");
                let is_there = |(others, _): &(&str, Meaning)| others.split(' ').any(|other| other == name);
                assert!(!NAMES[..index].iter().any(is_there), "{name}");
            }
        }
    }
}
