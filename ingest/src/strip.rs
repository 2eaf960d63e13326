//! Takes personal data out of a body and writes what is left in its normal form: customer references become pseudonyms, lists
//! are present, the order is that of RFC 8785. What was taken out goes into bodies of its own, and nowhere else.

use crate::data_digest::Told;
use crate::rules::TenantRule;
use crate::strict::{Node, Object, canonical_bytes};
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

/// Strips a body whose shape is checked: `app` is `root` in types.
pub fn strip(mut root: Node<'_>, app: &Application, digest: &Told, tenant: &TenantRule) -> Stripped {
    let mut identities = Vec::with_capacity(app.applicants.len());
    let mut protected = Vec::new();
    if let Some(body) = root.as_map_mut() {
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
            identities.push(Node::Map(subject));
            present(applicant, &["consents", "reports"]);
        }
    }
    let apart = |applicants| canonical_bytes(&Node::Map(envelope(app, digest, applicants)));
    Stripped {
        body: canonical_bytes(&root),
        identities: apart(identities),
        protected: (!protected.is_empty()).then(|| apart(protected)),
    }
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
        ("kind", Node::Text(Cow::Borrowed(&typed.kind))),
        ("role", Node::Text(Cow::Borrowed(&typed.role))),
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
