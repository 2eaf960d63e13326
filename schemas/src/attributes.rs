//! What the models of each product read, as JSON Schema 2020-12 of `attributes`: generated, committed for the shipped models
//! (`json/products/`), and served by the door and read-api. What they read beside `attributes` is told in the same document. Judges
//! nothing.

use crate::catalogue::BASE_URI;
use domain::attributes::{Form, Range};
use domain::{Attribute, Attributes, ProductAttributes};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The dialect of every published schema.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What is read, with the documents that tell senders of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Published {
    /// By product and tenant.
    pub attributes: ProductAttributes,
    /// By product, as [`document`] writes it.
    pub documents: BTreeMap<String, Arc<str>>,
}

impl Published {
    /// Writes the documents once, for as many as ask.
    pub fn new(attributes: ProductAttributes) -> Self {
        let written = |(product, of): (&str, &Attributes)| (product.to_owned(), document(product, of).into());
        let documents = attributes.of_everybody().map(written).collect();
        Self { attributes, documents }
    }

    /// The products with the paths of their documents, as JSON.
    pub fn list(&self) -> Value {
        let one = |product: &String| {
            let path = PATH.replace("{product}", product);
            json!({ "product": product, "attributes_schema": path })
        };
        json!({ "products": self.documents.keys().map(one).collect::<Vec<_>>() })
    }
}

/// Where servers list the products.
pub const LIST_PATH: &str = "/v1/products";
/// Where servers have the schema of a product's attributes.
pub const PATH: &str = "/v1/products/{product}/attributes.schema.json";
/// The keyword of what is read beside `attributes`: an annotation, by JSON pointer into an application.
const ALSO_READ: &str = "x-also-read";
/// The media type of a schema.
pub const MEDIA_TYPE: &str = "application/schema+json";

/// The file of a product below `schemas/json/`, and the end of its `$id`.
pub fn file_name(product: &str) -> String {
    format!("products/{product}.attributes.json")
}

/// The schema of a product's `attributes`, as it is committed and served: the same bytes for the same contracts.
pub fn document(product: &str, attributes: &Attributes) -> String {
    let names = attributes.names();
    let mut properties: Map<String, Value> =
        names.iter().map(|(name, attribute)| ((*name).to_owned(), property(attribute))).collect();
    for path in attributes.amounts().iter().filter(|_| !attributes.currencies.is_empty()) {
        if let Some((name, below)) = path.split_first()
            && let Some(property) = properties.get_mut(name)
        {
            hold_currency(property, below, &attributes.currencies);
        }
    }
    let elsewhere = attributes.elsewhere();
    let also_read: Map<String, Value> =
        elsewhere.iter().map(|(pointer, read)| ((*pointer).to_owned(), property(read))).collect();
    let others = match attributes.is_open {
        true => "Others are taken too, and nothing is judged: not all contracts are known here.",
        false => {
            "Another name is read by no model: it is taken with the warning unknown_attribute, or refused where the tenant is strict."
        }
    };
    let description = format!(
        "Members of `attributes` that the models of {product} read, of their feature contracts; it changes with them. Absent means not asked, \
         null asked and unknown; neither is a warning. {others} What they read beside `attributes` is in {ALSO_READ}, by JSON pointer into \
         an application."
    );
    let schema = json!({
        "$schema": DIALECT,
        "$id": format!("{BASE_URI}{}", file_name(product)),
        "title": format!("Attributes of {product}"),
        "description": description,
        "type": "object",
        "properties": properties,
        "additionalProperties": attributes.is_open,
        ALSO_READ: also_read,
    });
    serde_json::to_string_pretty(&schema).expect("a schema is plain data") + "\n"
}

/// The schema of one attribute.
pub fn property(attribute: &Attribute) -> Value {
    let mut schema = match attribute.forms() {
        [form] => form_schema(form, true),
        forms => json!({ "anyOf": forms.iter().map(|form| form_schema(form, true)).collect::<Vec<_>>() }),
    };
    let features = attribute.features.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut told: Vec<String> = attribute.about.iter().cloned().collect();
    if !features.is_empty() {
        told.push(format!("Read for the features {features}"));
    }
    if !told.is_empty() {
        schema["description"] = Value::from(told.join(". ") + ".");
    }
    schema
}

/// An amount whose minor units are read, and not its currency, is in a currency of the product: another one is refused.
fn hold_currency(schema: &mut Value, below: &[String], currencies: &[String]) {
    if let Some((step, below)) = below.split_first() {
        return hold_currency(&mut schema["properties"][step.as_str()], below, currencies);
    }
    let read = schema.pointer("/properties/currency/enum").and_then(Value::as_array);
    let is_held = read.is_some_and(|read| read.iter().all(|code| currencies.iter().any(|held| code == held)));
    if is_held {
        return;
    }
    schema["if"] = json!({
        "required": ["amount_minor"],
        "properties": { "amount_minor": { "not": { "type": "null" } } },
    });
    schema["then"] = json!({
        "required": ["currency"],
        "properties": {
            "currency": { "description": "ISO 4217; one in which the product is lent.", "type": "string", "enum": currencies },
        },
    });
}

fn form_schema(form: &Form, may_be_null: bool) -> Value {
    let of = |name: &str| if may_be_null { json!([name, "null"]) } else { json!(name) };
    match form {
        Form::Any => json!({}),
        Form::Text => json!({ "type": of("string") }),
        Form::Boolean => json!({ "type": of("boolean") }),
        Form::Number(range) => in_range(of("number"), *range),
        Form::Whole(range) => in_range(of("integer"), *range),
        Form::Words(words) => {
            let null = may_be_null.then_some(Value::Null);
            let all: Vec<Value> = words.iter().map(|word| json!(word)).chain(null).collect();
            json!({ "type": of("string"), "enum": all })
        }
        Form::Money { currencies, minor: (least, most) } => json!({
            "type": of("object"),
            "properties": {
                "amount_minor": {
                    "description": "Minor units, such as cents.", "type": "integer", "minimum": least, "maximum": most,
                },
                "currency": { "description": "ISO 4217.", "type": "string", "enum": currencies },
            },
            "required": ["amount_minor", "currency"],
        }),
        Form::Members(members) => {
            let members: Map<String, Value> =
                members.iter().map(|(name, form)| (name.clone(), form_schema(form, true))).collect();
            json!({ "type": of("object"), "properties": members })
        }
    }
}

fn in_range(kind: Value, range: Range) -> Value {
    let mut schema = json!({ "type": kind });
    for (key, bound) in [("minimum", range.low), ("maximum", range.high)] {
        if bound.is_finite() {
            // Whole bounds without a fraction, as people write them.
            let whole = bound.fract() == 0.0 && bound.abs() < 9_007_199_254_740_992.0;
            schema[key] = if whole { json!(bound as i64) } else { json!(bound) };
        }
    }
    schema
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn attributes() -> Attributes {
        let mut one = Attributes::default();
        let mut put = |name: &str, form: Form| {
            let features = [format!("f_{name}")].into();
            one.and(name, Attribute::of(form).saying(["Months".to_owned()].into(), features));
        };
        put("whole", Form::Whole(Range { low: -2.0, high: 9.0 }));
        put("word", Form::Words(["a".to_owned(), "b".to_owned()].into()));
        put("bill", Form::money("TWD", 0.01, Range { low: 0.0, high: 0.5 }));
        put("deep", Form::Members([("amount_minor".to_owned(), Form::Number(Range::ALL))].into()));
        put("two", Form::Boolean);
        let mut other = Attributes::default();
        other.and("two", Attribute::of(Form::Number(Range { low: 0.5, ..Range::ALL })));
        one.or(&other);
        one
    }

    #[test]
    fn a_schema_takes_what_the_forms_take() {
        let text = document("loan", &attributes());
        let schema: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(schema["$id"], "https://schemas.defaultx.example/products/loan.attributes.json");
        assert_eq!(schema["properties"]["whole"]["description"], "Months. Read for the features f_whole.");
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let rows = [
            (json!({}), true),
            (json!({"whole": 9, "word": "a", "two": true, "deep": {"amount_minor": 1.5, "currency": "X"}}), true),
            (json!({"whole": null, "word": null, "bill": null, "deep": null, "two": null}), true),
            (json!({"whole": 9.0}), true),
            (json!({"whole": 10}), false),
            (json!({"whole": 1.5}), false),
            (json!({"word": "c"}), false),
            (json!({"two": 0.5}), true),
            (json!({"two": 0.4}), false),
            (json!({"deep": 1}), false),
            (json!({"deep": {"amount_minor": "1"}}), false),
            (json!({"bill": {"amount_minor": 50, "currency": "TWD"}}), true),
            (json!({"bill": {"amount_minor": 51, "currency": "TWD"}}), false),
            (json!({"bill": {"amount_minor": 50, "currency": "USD"}}), false),
            (json!({"bill": {"amount_minor": 50}}), false),
            (json!({"other": 1}), false),
        ];
        for (instance, good) in rows {
            assert_eq!(validator.is_valid(&instance), good, "{instance}");
        }
        let mut open = attributes();
        open.is_open = true;
        let open: Value = serde_json::from_str(&document("loan", &open)).unwrap();
        assert!(jsonschema::draft202012::new(&open).unwrap().is_valid(&json!({"other": 1})));
    }

    #[test]
    fn an_amount_that_is_read_without_its_currency_is_in_one_of_the_product() {
        let mut held = attributes();
        for path in [vec!["deep"], vec!["bill"], vec!["loan", "due"], vec!["gone"]] {
            held.and_amount(path.into_iter().map(str::to_owned).collect());
        }
        let due = Form::Members([("amount_minor".to_owned(), Form::Number(Range::ALL))].into());
        held.and("loan", Attribute::of(Form::Members([("due".to_owned(), due)].into())));
        let parsed = |held: &Attributes| serde_json::from_str::<Value>(&document("loan", held)).unwrap();
        assert!(parsed(&held)["properties"]["deep"].get("then").is_none(), "a product that takes any currency");
        held.currencies = vec!["TWD".to_owned()];
        let schema = parsed(&held);
        assert!(schema["properties"]["bill"].get("then").is_none(), "its own list says it");
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let rows = [
            (json!({"deep": {"amount_minor": 1, "currency": "TWD"}}), true),
            (json!({"deep": {"amount_minor": 1, "currency": "EUR"}}), false),
            (json!({"deep": {"amount_minor": 1, "currency": null}}), false),
            (json!({"deep": {"amount_minor": 1}}), false),
            (json!({"deep": {"amount_minor": null, "currency": "EUR"}}), true),
            (json!({"deep": {"currency": "EUR"}}), true),
            (json!({"deep": null}), true),
            (json!({"loan": {"due": {"amount_minor": 1, "currency": "TWD"}}}), true),
            (json!({"loan": {"due": {"amount_minor": 1, "currency": "EUR"}}}), false),
            (json!({"loan": {"due": null}}), true),
        ];
        for (instance, good) in rows {
            assert_eq!(validator.is_valid(&instance), good, "{instance}");
        }
    }

    #[test]
    fn what_is_read_beside_attributes_is_told_and_constrains_nothing() {
        let mut of = attributes();
        let purpose = Form::Words(["car".to_owned()].into());
        let purpose = Attribute::of(purpose).saying(["Why".to_owned()].into(), ["f_purpose".to_owned()].into());
        of.and_elsewhere("/requested/purpose", purpose);
        let schema: Value = serde_json::from_str(&document("loan", &of)).unwrap();
        let told = json!({
            "description": "Why. Read for the features f_purpose.", "type": ["string", "null"], "enum": ["car", null],
        });
        assert_eq!(schema[ALSO_READ], json!({ "/requested/purpose": told }));
        assert!(jsonschema::draft202012::new(&schema).unwrap().is_valid(&json!({"whole": 1})));
        assert!(jsonschema::meta::is_valid(&schema));
    }

    #[test]
    fn documents_are_written_for_what_everybody_may_know() {
        let mut all = ProductAttributes::default();
        all.set("loan", None, attributes());
        all.set("card", Some("bank-a"), attributes());
        let published = Published::new(all);
        assert_eq!(*published.documents["loan"], document("loan", &attributes()));
        let path = "/v1/products/loan/attributes.schema.json";
        assert_eq!(published.list(), json!({ "products": [{ "product": "loan", "attributes_schema": path }] }));
    }
}
