//! The JSON Schema of a scenario file, from the table of the language. Editors complete and underline from it.
//!
//! It says what a file may look like; what fits together (targets that exist, windows that are long enough) is
//! for `firedrill validate`. Where a variable may stand for a value, the schema lets `${` through.

use super::{
    form::{Form, Json, Key, Leaf, Need, Shape},
    language::SCENARIO,
};
use serde_json::{Map, Value, json};

/// The schema, as JSON text.
pub fn json_schema() -> String {
    let mut defs = Map::new();
    let root = shape(&SCENARIO, &mut defs);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "firedrill scenario",
    });
    merge(&mut schema, root);
    schema["$defs"] = Value::Object(defs);
    format!("{schema:#}\n")
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// Something with a name of its own is written once, under `$defs`.
fn reference(name: &str, defs: &mut Map<String, Value>, make: impl FnOnce(&mut Map<String, Value>) -> Value) -> Value {
    if !defs.contains_key(name) {
        defs.insert(name.to_owned(), Value::Null);
        let made = make(defs);
        defs.insert(name.to_owned(), made);
    }
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn form(of: Form, defs: &mut Map<String, Value>) -> Value {
    match of {
        Form::Leaf(leaf) => reference(leaf.name, defs, |_| self::leaf(leaf)),
        Form::List(of, at_least) => json!({ "type": "array", "items": form(*of, defs), "minItems": at_least }),
        Form::OneOrMore(of) => {
            let one = form(*of, defs);
            json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
        }
        Form::Map(shape) => reference(shape.name, defs, |defs| self::shape(shape, defs)),
        Form::Names { name, of, .. } => json!({
            "type": "object",
            "propertyNames": { "pattern": name.pattern.unwrap_or(".") },
            "additionalProperties": form(*of, defs),
            "minProperties": 1,
        }),
        Form::Either(leaf, of) => {
            let (leaf, of) = (form(Form::Leaf(leaf), defs), form(*of, defs));
            json!({ "anyOf": [leaf, of] })
        }
        Form::Anything => json!({}),
    }
}

fn leaf(leaf: &Leaf) -> Value {
    let types = match leaf.json {
        Json::Text => json!("string"),
        Json::Scalar => json!(["string", "number", "boolean"]),
        Json::Integer => json!(["integer", "string"]),
        Json::Boolean => json!(["boolean", "string"]),
    };
    let mut schema = json!({ "type": types, "examples": leaf.examples });
    if let Some(pattern) = leaf.pattern {
        schema["pattern"] = pattern.into();
    }
    if !leaf.words.is_empty() {
        let word = |(word, about): &(&str, &str)| json!({ "const": word, "description": about });
        let spelt = json!({ "pattern": r"\$\{" });
        schema["anyOf"] = leaf.words.iter().map(word).chain([spelt]).collect();
    }
    schema
}

fn shape(shape: &'static Shape, defs: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for key in shape.all_keys() {
        properties.insert(key.name.to_owned(), self::key(key, defs));
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !shape.about.is_empty() {
        schema["description"] = shape.about.into();
    }
    let required: Vec<&str> = shape.keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    if let Some(choice) = &shape.choice {
        schema["oneOf"] = choice.keys.iter().map(|key| json!({ "required": [key.name] })).collect();
    }
    if let Some(pattern) = &shape.pattern {
        let mut value = form(pattern.form, defs);
        merge(&mut value, json!({ "description": pattern.about, "examples": [example(pattern.example)] }));
        schema["patternProperties"] = json!({ pattern.regex: value });
    }
    schema
}

fn key(key: &Key, defs: &mut Map<String, Value>) -> Value {
    let mut schema = form(key.form, defs);
    merge(&mut schema, json!({ "description": key.about, "examples": [example(key.example)] }));
    if let Need::Default(default) = key.need {
        schema["default"] = example(default);
    }
    schema
}

/// An example is written in YAML's flow style; editors want it as the value it stands for.
fn example(yaml: &str) -> Value {
    super::yaml::read(yaml).map_or_else(|_| yaml.into(), |node| super::tree::json(&node))
}
