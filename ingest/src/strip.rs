//! Takes personal data out of a body and writes what is left in its normal form: customer references become pseudonyms, lists
//! are present, the order is that of RFC 8785. What was taken out goes into bodies of its own, and nowhere else.

use crate::data_digest::Told;
use crate::rules::TenantRule;
use crate::strict::{Node, Object, canonical_bytes};
use domain::{FieldClass, FieldClasses, Free};
use schemas::application::Application;
use std::borrow::Cow;

/// The three bodies that one application becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stripped {
    /// Without personal data.
    pub body: Vec<u8>,
    /// Body of `identity.received.v1`.
    pub identities: Vec<u8>,
    /// Body of `protected.received.v1`; none when nobody stated any.
    pub protected: Option<Vec<u8>>,
}

/// Strips a body whose shape is checked: `app` is `root` in types. Free members that a feature contract calls personal go where
/// the identity goes.
pub fn strip(
    mut root: Node<'_>,
    app: &Application,
    digest: &Told,
    tenant: &TenantRule,
    personal: Option<&FieldClasses>,
) -> Stripped {
    let mut identities = Vec::with_capacity(app.applicants.len());
    let mut protected = Vec::new();
    let mut attributes = Object::default();
    if let Some(body) = root.as_map_mut() {
        attributes = personal_of(personal, Free::Attribute, body.get_mut("attributes"));
        present(body, &["collateral", "documents"]);
        let elements = body.get_mut("applicants").map(Node::elements_mut).unwrap_or_default();
        for (applicant, typed) in elements.iter_mut().filter_map(Node::as_map_mut).zip(&app.applicants) {
            let mut subject = pseudonym(applicant, typed, tenant);
            if let Some(taken) = applicant.remove("protected").filter(is_not_empty) {
                let mut with_facts = subject.clone();
                with_facts.insert("protected", taken);
                protected.push(Node::Map(with_facts));
            }
            subject.insert("customer_ref", Node::Text(Cow::Borrowed(&typed.customer_ref)));
            let taken = applicant.remove("identity").unwrap_or(Node::Map(Object::default()));
            subject.insert("identity", taken);
            let reports = personal_reports(applicant, personal);
            if !reports.is_empty() {
                subject.insert("reports", Node::List(reports));
            }
            identities.push(Node::Map(subject));
            present(applicant, &["consents", "reports"]);
        }
    }
    let apart = |applicants| envelope(app, digest, applicants);
    let mut who = apart(identities);
    if !attributes.is_empty() {
        who.insert("attributes", Node::Map(attributes));
    }
    Stripped {
        identities: canonical_bytes(&Node::Map(who)),
        protected: (!protected.is_empty()).then(|| canonical_bytes(&Node::Map(apart(protected)))),
        body: canonical_bytes(&root),
    }
}

/// Takes out the personal members of `attributes`, or of a report's `fields`.
fn personal_of<'a>(personal: Option<&FieldClasses>, place: Free, object: Option<&mut Node<'a>>) -> Object<'a> {
    let (Some(classes), Some(object)) = (personal, object.and_then(Node::as_map_mut)) else { return Object::default() };
    object.take(|name| classes.of(place, name) == FieldClass::Personal)
}

/// The reports of an applicant with personal fields: which they are, and those fields.
fn personal_reports<'a>(applicant: &mut Object<'a>, personal: Option<&FieldClasses>) -> Vec<Node<'a>> {
    let reports = applicant.get_mut("reports").map(Node::elements_mut).unwrap_or_default();
    let taken = reports.iter_mut().filter_map(Node::as_map_mut).filter_map(|report| {
        let fields = personal_of(personal, Free::ReportField, report.get_mut("fields"));
        let named = |name: &str| report.get(name).cloned().unwrap_or(Node::Null);
        let members =
            || [("fields", Node::Map(fields.clone())), ("report_id", named("report_id")), ("source", named("source"))];
        (!fields.is_empty()).then(|| Node::Map(Object::from_iter(members())))
    });
    taken.collect()
}

/// Puts the pseudonym in the reference's place, and gives what names the applicant in the bodies set apart.
fn pseudonym<'a>(
    applicant: &mut Object<'_>,
    typed: &'a schemas::application::Applicant,
    tenant: &'a TenantRule,
) -> Object<'a> {
    applicant.remove("customer_ref");
    let subject = tenant.subject(&typed.customer_ref);
    let key_id = || text(tenant.key_id().to_owned());
    let reference = Object::from_iter([("key_id", key_id()), ("subject", text(subject.clone()))]);
    applicant.insert("subject", Node::Map(reference));
    Object::from_iter([
        ("key_id", key_id()),
        ("kind", Node::Text(Cow::Borrowed(typed.kind.as_str()))),
        ("role", Node::Text(Cow::Borrowed(typed.role.as_str()))),
        ("subject", text(subject)),
    ])
}

fn envelope<'a>(app: &'a Application, digest: &'a Told, applicants: Vec<Node<'a>>) -> Object<'a> {
    Object::from_iter([
        ("applicants", Node::List(applicants)),
        ("application_id", Node::Text(Cow::Borrowed(&app.application_id))),
        ("data_digest", Node::Text(Cow::Borrowed(&digest.digest))),
        ("data_digest_key", Node::Text(Cow::Borrowed(&digest.key_id))),
        ("revision", Node::Int(app.revision)),
        ("tenant", Node::Text(Cow::Borrowed(&app.tenant))),
    ])
}

/// Lists that a reader may count on. Lists of facts are not among them: there, absent means not asked.
fn present(object: &mut Object<'_>, lists: &[&'static str]) {
    for list in lists {
        if object.get(list).is_none() {
            object.insert(list, Node::List(Vec::new()));
        }
    }
}

fn is_not_empty(node: &Node<'_>) -> bool {
    node.as_map().is_some_and(|object| !object.is_empty())
}

fn text<'a>(text: String) -> Node<'a> {
    Node::Text(Cow::Owned(text))
}
