//! PURE. Whether an application id looks like a person: a national id, an e-mail address, a phone number. Such an id stands in
//! every topic, in the log and in every answer, where no erasure reaches it. It is never a reason to refuse: a number of a
//! sender's own may look like one by chance, so that only forms with a check digit, a date or separators in their places count.

/// What an id looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A number that a state gives to a person.
    NationalId,
    /// An e-mail address; an id has no `@`, so with another sign in its place.
    Email,
    /// A telephone number.
    Phone,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::NationalId, Self::Email, Self::Phone];

    /// The word of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NationalId => "national_id",
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    /// The word in an answer to the sender.
    pub fn warning(self) -> &'static str {
        match self {
            Self::NationalId => "application_id_like_national_id",
            Self::Email => "application_id_like_email",
            Self::Phone => "application_id_like_phone",
        }
    }
}

/// Ends of addresses that everybody has.
const MAIL: [&str; 9] =
    ["gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "proton.me", "gmx.de", "qq.com", "163.com"];

/// What the id looks like, alone or behind a word such as `APP-`.
pub(crate) fn form_of(application_id: &str) -> Option<Form> {
    let behind_a_word = application_id
        .split_once(['-', '_', ':', '.'])
        .filter(|(word, _)| (2..=12).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphabetic()));
    if is_email(application_id) {
        return Some(Form::Email);
    }
    let parts = std::iter::once(application_id).chain(behind_a_word.map(|(_, rest)| rest));
    for part in parts {
        let part = part.to_ascii_uppercase();
        if is_national_id(&part) {
            return Some(Form::NationalId);
        }
        if is_phone(&part) {
            return Some(Form::Phone);
        }
    }
    None
}

fn is_email(id: &str) -> bool {
    let id = id.to_ascii_lowercase();
    let has_own_end = MAIL.iter().any(|end| id.strip_suffix(end).is_some_and(|name| name.len() > 1 && ends_name(name)));
    let replaced = ["-at-", "_at_", ":at:", ".at."].iter().find_map(|at| id.split_once(at));
    let is_host = |host: &str| {
        let top = host.rsplit_once('.').map_or("", |(_, top)| top);
        (2..=24).contains(&top.len()) && top.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    has_own_end || replaced.is_some_and(|(name, host)| !name.is_empty() && is_host(host))
}

/// Whether what stands before a host ends with a sign in place of `@`.
fn ends_name(name: &str) -> bool {
    name.ends_with(['-', '_', ':', '.'])
}

fn is_phone(id: &str) -> bool {
    let digits = id.bytes().filter(u8::is_ascii_digit).count();
    let id = id.strip_prefix("00").unwrap_or(id);
    is_like(id, "ddd-ddd-dddd")
        || is_like(id, "ddd.ddd.dddd")
        || is_like(id, "d-ddd-ddd-dddd")
        || ((9..=13).contains(&digits)
            && ["dd-dd-dddd-dddd", "dd-ddd-ddddddd", "ddd-d-dddd-dddd"].iter().any(|form| is_like(id, form)))
}

fn is_national_id(id: &str) -> bool {
    is_social_security(id)
        || is_dated(id)
        || is_like(id, "LLddddddL") && id.ends_with(['A', 'B', 'C', 'D'])
        || is_taiwanese(id)
        || is_chinese(id)
        || is_spanish(id)
        || is_like(id, "LLLLLLddLddLdddL")
        || is_brazilian(id)
        || is_like(id, "LLLLLddddL") && id.as_bytes()[3] == b'P'
        || is_french(id)
}

/// `d` is a digit, `L` a capital letter, anything else itself.
fn is_like(id: &str, form: &str) -> bool {
    id.len() == form.len()
        && id.bytes().zip(form.bytes()).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            b'L' => byte.is_ascii_uppercase(),
            other => byte == other,
        })
}

fn digits(id: &str) -> Vec<u32> {
    id.chars().filter_map(|digit| digit.to_digit(10)).collect()
}

/// United States: no area 000, 666 or from 900.
fn is_social_security(id: &str) -> bool {
    is_like(id, "ddd-dd-dddd") && !id.starts_with("000") && !id.starts_with("666") && !id.starts_with('9')
}

/// A date of birth and a number: Sweden (with its check digit), Denmark, Finland, Korea.
fn is_dated(id: &str) -> bool {
    let two = |at: usize| id.get(at..at + 2).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let is_date = |month: u32, day: u32| (1..=12).contains(&month) && (1..=31).contains(&day);
    if is_like(id, "dddddd-dddd") {
        return (is_date(two(2), two(4)) && has_luhn(&digits(id)))
            || (is_date(two(2), two(0)) && !is_date(two(2), two(4)));
    }
    let finnish = ["dddddd-dddd", "ddddddAdddd", "dddddd-dddL", "ddddddAdddL"].iter().any(|form| is_like(id, form));
    (is_like(id, "dddddddd-dddd") && is_date(two(4), two(6)) && has_luhn(&digits(id)[2..]))
        || (finnish && is_date(two(2), two(0)) && has_finnish_check(id))
        || (is_like(id, "dddddd-ddddddd") && is_date(two(2), two(4)) && (b'1'..=b'4').contains(&id.as_bytes()[7]))
}

fn has_luhn(digits: &[u32]) -> bool {
    let doubled = |(at, digit): (usize, &u32)| if at % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { *digit };
    digits.iter().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

fn has_finnish_check(id: &str) -> bool {
    let number = digits(&id[..10]).iter().fold(0, |number, digit| number * 10 + digit);
    b"0123456789ABCDEFHJKLMNPRSTUVWXY".get(number as usize % 31) == id.as_bytes().last()
}

fn is_taiwanese(id: &str) -> bool {
    let Some(place) = id.chars().next().and_then(|letter| "ABCDEFGHJKLMNPQRSTUVXYWZIO".find(letter)) else {
        return false;
    };
    let code = place as u32 + 10;
    let weighted =
        digits(id).iter().zip([8, 7, 6, 5, 4, 3, 2, 1, 1]).map(|(digit, weight)| digit * weight).sum::<u32>();
    is_like(id, "Lddddddddd") && (code / 10 + code % 10 * 9 + weighted).is_multiple_of(10)
}

fn is_chinese(id: &str) -> bool {
    let Some((body, check)) = id.split_at_checked(17) else { return false };
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits(body).iter().zip(weights).map(|(digit, weight)| digit * weight).sum();
    is_like(body, &"d".repeat(17))
        && check.len() == 1
        && "10X98765432".chars().nth(sum as usize % 11) == check.chars().next()
}

fn is_spanish(id: &str) -> bool {
    let number = match id.chars().next() {
        Some(first @ ('X' | 'Y' | 'Z')) if is_like(&id[1..], "dddddddL") => {
            format!("{}{}", first as u32 - 'X' as u32, &id[1..8])
        }
        _ if is_like(id, "ddddddddL") => id[..8].to_owned(),
        _ => return false,
    };
    let place = number.parse::<usize>().unwrap_or(0) % 23;
    b"TRWAGMYFPDXBNJZSQVHLCKE".get(place) == id.as_bytes().last()
}

fn is_brazilian(id: &str) -> bool {
    let found = digits(id);
    let check = |count: usize| {
        let sum: u32 =
            found[..count].iter().zip((2..=count as u32 + 1).rev()).map(|(digit, weight)| digit * weight).sum();
        sum * 10 % 11 % 10 == found[count]
    };
    is_like(id, "ddd.ddd.ddd-dd") && check(9) && check(10)
}

/// France: sex, year and month of birth, place, number, and 97 less the rest.
fn is_french(id: &str) -> bool {
    is_like(id, &"d".repeat(15))
        && id.starts_with(['1', '2'])
        && id[3..5].parse().is_ok_and(|month: u32| (1..=12).contains(&month))
        && id[..13]
            .parse::<u64>()
            .ok()
            .zip(id[13..].parse::<u64>().ok())
            .is_some_and(|(body, key)| 97 - body % 97 == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_person_is_told_and_what_a_system_numbers_is_not() {
        let rows: [(&str, Option<Form>); 44] = [
            ("123-45-6789", Some(Form::NationalId)),
            ("APP-123-45-6789", Some(Form::NationalId)),
            ("811218-9876", Some(Form::NationalId)),
            ("19811218-9876", Some(Form::NationalId)),
            ("281162-0001", Some(Form::NationalId)),
            ("131052-308T", Some(Form::NationalId)),
            ("131052A308T", Some(Form::NationalId)),
            ("QQ123456C", Some(Form::NationalId)),
            ("A123456789", Some(Form::NationalId)),
            ("a123456789", Some(Form::NationalId)),
            ("11010519491231002X", Some(Form::NationalId)),
            ("12345678Z", Some(Form::NationalId)),
            ("X1234567L", Some(Form::NationalId)),
            ("RSSMRA85T10A562S", Some(Form::NationalId)),
            ("529.982.247-25", Some(Form::NationalId)),
            ("ABCPE1234F", Some(Form::NationalId)),
            ("255081416802538", Some(Form::NationalId)),
            ("loan:900101-1234567", Some(Form::NationalId)),
            ("anna.svensson_at_example.com", Some(Form::Email)),
            ("Anna-at-Bank.example.co", Some(Form::Email)),
            ("anna.svensson.gmail.com", Some(Form::Email)),
            ("202-555-0143", Some(Form::Phone)),
            ("tel:202.555.0143", Some(Form::Phone)),
            ("1-202-555-0143", Some(Form::Phone)),
            ("0046-8-1234-5678", None),
            ("46-70-1234-5678", Some(Form::Phone)),
            ("L-1", None),
            ("taiwan-1", None),
            ("demo-2026-000017", None),
            ("APP-2026-11-0001", None),
            ("000-12-3456", None),
            ("20261103-0001", None),
            ("202611-0042", None),
            ("0000001234", None),
            ("1234567890", None),
            ("123456789012345678", None),
            ("A123456788", None),
            ("12345678A", None),
            ("529.982.247-24", None),
            ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", None),
            ("01HZX3V7Q2K4M6N8P0R2T4V6W8", None),
            ("look-at-this", None),
            ("batch.at.7", None),
            ("gmail.com", None),
        ];
        for (id, form) in rows {
            assert_eq!(form_of(id), form, "{id}");
        }
    }

    #[test]
    fn any_id_has_an_answer() {
        for id in ["", "-", "é", "L", "X", "XÄÄÄÄÄÄÄ", "00", ":at:", "ABC", "９９９-99-9999", &"9".repeat(64)]
        {
            let _: Option<Form> = form_of(id);
        }
    }
}
