//! PURE. What of a detail a role may see: members that senders may send freely have a class in the feature contracts, and a detail
//! leaves out what is above the caller's. It says how many it left out, never their names: a name can itself be a value.

use crate::application_detail_parts::{ReplyParts, ScoreParts};
use domain::{FieldClass, FieldClasses, Free};
use serde_json::{Map, Value};

/// In front of an attribute's name in a JSON pointer.
const ATTRIBUTES: &str = "/attributes/";

/// What somebody may see.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'c> {
    /// What the members are.
    pub classes: &'c FieldClasses,
    /// The strictest class that is shown. Personal members are shown to nobody here: they are not logged either.
    pub most: FieldClass,
}

impl Shown<'_> {
    fn takes(&self, class: FieldClass) -> bool {
        class <= self.most && class < FieldClass::Personal
    }

    /// Takes out of an accepted body what may not be seen; gives how many members.
    pub fn request(&self, request: &mut Value) -> u32 {
        let mut withheld = self.members(Free::Attribute, request.get_mut("attributes"));
        let applicants = request.get_mut("applicants").and_then(Value::as_array_mut);
        for applicant in applicants.into_iter().flatten() {
            let reports = applicant.get_mut("reports").and_then(Value::as_array_mut);
            for report in reports.into_iter().flatten() {
                withheld += self.members(Free::ReportField, report.get_mut("fields"));
            }
        }
        withheld
    }

    fn members(&self, place: Free, object: Option<&mut Value>) -> u32 {
        let Some(members) = object.and_then(Value::as_object_mut) else { return 0 };
        let before = members.len();
        let kept = std::mem::take(members).into_iter().filter(|(name, _)| self.takes(self.classes.of(place, name)));
        *members = kept.collect::<Map<_, _>>();
        left_out(before, members.len())
    }

    /// Takes out of a score what may not be seen; gives how many features.
    pub fn features(&self, model: &str, version: &str, score: &mut ScoreParts) -> u32 {
        let before = score.features.len();
        score.features.retain(|feature| self.takes(self.classes.of_feature(model, version, &feature.name)));
        left_out(before, score.features.len())
    }

    /// Takes out of an answer what points at members that may not be seen; gives how many. The words stay.
    pub fn warnings(&self, reply: &mut ReplyParts) -> u32 {
        let before = reply.warning_details.len();
        reply.warning_details.retain(|warning| {
            let Some(member) = warning.pointer.strip_prefix(ATTRIBUTES) else { return true };
            let name = member.split('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
            self.takes(self.classes.of(Free::Attribute, &name))
        });
        left_out(before, reply.warning_details.len())
    }
}

fn left_out(before: usize, after: usize) -> u32 {
    u32::try_from(before - after).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn classes() -> FieldClasses {
        let mut classes = FieldClasses::default();
        classes.used(Free::Attribute, "naics");
        classes.said(Free::Attribute, "branch", FieldClass::Restricted);
        classes.said(Free::Attribute, "email", FieldClass::Personal);
        classes.used(Free::ReportField, "inquiries");
        classes.feature("m", "1", "branch_risk", FieldClass::Restricted);
        classes
    }

    #[test]
    fn each_role_sees_its_classes() {
        let body = json!({
            "product": "p",
            "attributes": {"naics": "72", "branch": 7, "email": "a@b.example", "Anna Svensson": 1},
            "applicants": [{"reports": [{"source": "b", "fields": {"inquiries": 1, "unheard_of": 2}}, {"source": "c"}]}, {}],
        });
        let classes = classes();
        let shown = |most| {
            let mut body = body.clone();
            let withheld = Shown { classes: &classes, most }.request(&mut body);
            let reports = body["applicants"][0]["reports"].clone();
            (body["attributes"].clone(), reports[0]["fields"].clone(), reports[1].clone(), withheld)
        };
        let second = json!({"source": "c"});
        let plain = (json!({"naics": "72"}), json!({"inquiries": 1}), second.clone(), 4);
        assert_eq!(shown(FieldClass::Plain), plain);
        let attributes = json!({"naics": "72", "branch": 7, "Anna Svensson": 1});
        let all = (attributes, json!({"inquiries": 1, "unheard_of": 2}), second, 1);
        assert_eq!(shown(FieldClass::Restricted), all);
        assert_eq!(shown(FieldClass::Personal), all, "what is personal is shown to nobody");
    }

    #[test]
    fn a_restricted_feature_is_seen_by_those_who_decide() {
        let classes = classes();
        let left = |most, version: &str| {
            let text = json!({"features": [{"name": "branch_risk", "value": 1.0}, {"name": "naics", "value": 2.0}]});
            let mut score: ScoreParts = serde_json::from_value(text).unwrap();
            let withheld = Shown { classes: &classes, most }.features("m", version, &mut score);
            (score.features.len(), withheld)
        };
        assert_eq!(left(FieldClass::Plain, "1"), (1, 1));
        assert_eq!(left(FieldClass::Plain, "2"), (2, 0), "another contract");
        assert_eq!(left(FieldClass::Restricted, "1"), (2, 0));
    }

    #[test]
    fn a_warning_names_what_its_reader_may_see() {
        let classes = classes();
        let told = |most| {
            let warning = |pointer: &str| json!({"type": "attribute_wrong_type", "pointer": pointer});
            let all =
                ["/attributes/naics", "/attributes/branch", "/attributes/email/x", "/attributes/a~1b", "/requested"];
            let text = json!({"warnings": ["unknown_attribute"], "warning_details": all.map(warning)});
            let mut reply: ReplyParts = serde_json::from_value(text).unwrap();
            let withheld = Shown { classes: &classes, most }.warnings(&mut reply);
            let left: Vec<String> = reply.warning_details.into_iter().map(|warning| warning.pointer).collect();
            (left.join(" "), reply.warnings.len(), withheld)
        };
        assert_eq!(told(FieldClass::Plain), ("/attributes/naics /requested".to_owned(), 1, 3));
        let all = "/attributes/naics /attributes/branch /attributes/a~1b /requested".to_owned();
        assert_eq!(told(FieldClass::Restricted), (all.clone(), 1, 1));
        assert_eq!(told(FieldClass::Personal), (all, 1, 1));
    }

    #[test]
    fn a_body_of_another_shape_does_no_harm() {
        let classes = classes();
        for mut body in [json!(null), json!([]), json!({"attributes": 1, "applicants": {}}), json!({"applicants": [1]})]
        {
            assert_eq!(Shown { classes: &classes, most: FieldClass::Plain }.request(&mut body), 0);
        }
    }
}
