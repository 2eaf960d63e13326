//! The slow path: every fault of a body that is not of the contract's shape. The typed reading stops at the first, so what is wrong is
//! mended in a copy and read again, and at last what `check` says of the rest is added. Nothing of the copy goes anywhere.

use crate::published::Published;
use crate::refusal::{Fault, MAX_FAULTS, Reason};
use crate::strict::typed::Mistake;
use crate::strict::{Node, read};
use serde::de::DeserializeOwned;

/// The faults of shape in the order in which reading meets them, then those that `check` finds beside them.
pub(crate) fn faults<T: DeserializeOwned>(
    data: &Node<'_>,
    event_type: &str,
    published: &Published,
    check: impl FnOnce(&T) -> Vec<Fault>,
) -> Vec<Fault> {
    let mut copy = data.clone();
    let mut faults: Vec<Fault> = Vec::new();
    let mut mended: Vec<String> = Vec::new();
    while faults.len() < MAX_FAULTS {
        let mistake = match read::<T>(&copy) {
            Ok(body) => {
                faults.extend(check(&body).into_iter().filter(|fault| !is_of_a_stand_in(fault, &mended)));
                break;
            }
            Err(mistake) => mistake,
        };
        faults.push(mistake.fault());
        let pointer = mistake.pointer();
        // A second mistake at one place would be of our own making.
        if mended.contains(&pointer) || mend(&mut copy, &mistake, event_type, published).is_none() {
            break;
        }
        mended.push(pointer);
    }
    faults.truncate(MAX_FAULTS);
    faults
}

/// Takes out what should not be there, or puts a value of the right type in its place; none where that cannot be done.
fn mend(copy: &mut Node<'_>, mistake: &Mistake, event_type: &str, published: &Published) -> Option<()> {
    let steps: Vec<&str> = mistake.path().collect();
    let (last, parents) = steps.split_last()?;
    let parent = parents.iter().try_fold(copy, |node, step| below(node, step))?;
    if mistake.is_too_much() {
        return parent.as_map_mut()?.remove(last).map(drop);
    }
    let value = published.stand_in(event_type, mistake.path().map(Into::into))?;
    match parent {
        Node::Map(object) => object.put((*last).to_owned().into(), value),
        Node::List(elements) => *elements.get_mut(last.parse::<usize>().ok()?)? = value,
        _ => return None,
    }
    Some(())
}

fn below<'n, 'a>(node: &'n mut Node<'a>, step: &str) -> Option<&'n mut Node<'a>> {
    match node {
        Node::Map(object) => object.get_mut(step),
        Node::List(elements) => elements.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Whether a fault is one of a value that we put there ourselves, or follows from one.
fn is_of_a_stand_in(fault: &Fault, mended: &[String]) -> bool {
    mended.iter().any(|pointer| {
        let rest = fault.pointer.strip_prefix(pointer.as_str());
        let is_below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        // Who is the primary applicant is a matter of all roles.
        is_below || (fault.reason == Reason::BadApplicants && pointer.starts_with(&fault.pointer))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::strict::parse;
    use schemas::application::{WITHDRAWN, Withdrawal};

    fn found(text: &str) -> Vec<(Reason, String)> {
        let node = parse(text.as_bytes(), 8).unwrap();
        let check = |body: &Withdrawal| {
            let fault = |holds: bool, at: &str| (!holds).then(|| Fault::new(Reason::BadValue, at.to_owned()));
            let reason = body.reason.as_deref().unwrap_or("fine");
            let rows = [
                fault(body.application_id == "a-1", "/application_id"),
                fault(body.withdrawn_at.ends_with('Z'), "/withdrawn_at"),
                fault(reason == "fine", "/reason"),
            ];
            rows.into_iter().flatten().collect()
        };
        let faults = faults(&node, WITHDRAWN, &Published::new().unwrap(), check);
        faults.into_iter().map(|fault| (fault.reason, fault.pointer)).collect()
    }

    #[test]
    fn every_fault_is_found_and_none_is_made() {
        let fault = |reason, pointer: &str| (reason, pointer.to_owned());
        assert_eq!(
            found(r#"{"tenant":"bank","application_id":7,"reason":"moved","withdrawn":"2026","because":1}"#),
            [
                fault(Reason::WrongType, "/application_id"),
                fault(Reason::UnknownField, "/because"),
                fault(Reason::UnknownField, "/withdrawn"),
                fault(Reason::MissingField, "/withdrawn_at"),
                fault(Reason::BadValue, "/reason"),
            ]
        );
        assert_eq!(found("[]"), [fault(Reason::WrongType, "")], "nothing else can be looked at");
        assert_eq!(found("{}").len(), 3);
    }

    #[test]
    fn at_most_so_many_are_told() {
        let many: Vec<String> = (0..40).map(|n| format!("\"x{n}\":1")).collect();
        assert_eq!(found(&format!("{{{}}}", many.join(","))).len(), MAX_FAULTS);
    }

    #[test]
    fn a_name_that_is_too_long_to_tell_is_taken_out_all_the_same() {
        let long = "y".repeat(400);
        let faults =
            found(&format!(r#"{{"tenant":"bank","application_id":"a-1","withdrawn_at":"Z","{long}":1,"z":2}}"#));
        assert_eq!(faults.iter().map(|fault| fault.1.len()).collect::<Vec<_>>(), [256, 2]);
    }

    #[test]
    fn a_role_that_is_missing_makes_no_fault_of_all_applicants() {
        let fault = |reason| Fault::new(reason, "/applicants".to_owned());
        let mended = ["/applicants/1/role".to_owned()];
        assert!(is_of_a_stand_in(&fault(Reason::BadApplicants), &mended));
        assert!(!is_of_a_stand_in(&fault(Reason::TooMany), &mended));
    }
}
