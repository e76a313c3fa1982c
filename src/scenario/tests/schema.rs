//! Good scenarios satisfy the schema, and what is plainly wrong does not. The judge here knows exactly the keywords
//! that we write; any other one fails the test, so that none is passed over in silence.

use super::good;
use crate::scenario::{json_schema, tree, yaml};
use serde_json::{Value, json};

/// What a value breaks, with the way to it.
fn judge(value: &Value, schema: &Value, root: &Value, way: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for (keyword, rule) in schema.as_object().unwrap() {
        broken.extend(keyword_holds(keyword, rule, value, schema, root, way));
    }
    broken
}

fn keyword_holds(keyword: &str, rule: &Value, value: &Value, schema: &Value, root: &Value, way: &str) -> Vec<String> {
    let list = |rule: &Value| rule.as_array().unwrap().clone();
    let holding = |rules: &Value| list(rules).iter().filter(|rule| judge(value, rule, root, way).is_empty()).count();
    let says = |good: bool| if good { Vec::new() } else { vec![format!("{way}: {keyword} {rule} of {value}")] };
    let object = value.as_object();
    match keyword {
        "description" | "examples" | "default" | "title" | "$schema" | "$defs" => Vec::new(),
        "$ref" => judge(value, root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap(), root, way),
        "type" => {
            let types = if rule.is_array() { list(rule) } else { vec![rule.clone()] };
            says(types.iter().any(|name| is_a(value, name.as_str().unwrap())))
        }
        "pattern" => says(value.as_str().is_none_or(|text| matches(rule.as_str().unwrap(), text))),
        "const" => says(value == rule),
        "anyOf" => says(holding(rule) >= 1),
        "oneOf" => says(holding(rule) == 1),
        "required" => says(object.is_none_or(|o| list(rule).iter().all(|key| o.contains_key(key.as_str().unwrap())))),
        "minItems" => says(value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap())),
        "minProperties" => says(object.is_none_or(|o| o.len() as u64 >= rule.as_u64().unwrap())),
        "items" => value.as_array().into_iter().flatten().flat_map(|item| judge(item, rule, root, way)).collect(),
        "propertyNames" => {
            object.into_iter().flat_map(|o| o.keys()).flat_map(|k| judge(&json!(k), rule, root, way)).collect()
        }
        "properties" | "patternProperties" | "additionalProperties" => match object {
            Some(object) => {
                object.iter().flat_map(|(key, value)| property(keyword, key, value, schema, root, way)).collect()
            }
            None => Vec::new(),
        },
        other => panic!("the schema uses {other}, which nobody judges"),
    }
}

/// Judges one entry of an object by the keyword that is in charge of it.
fn property(keyword: &str, key: &str, value: &Value, schema: &Value, root: &Value, way: &str) -> Vec<String> {
    let way = format!("{way}.{key}");
    let own = schema.get("properties").and_then(|all| all.get(key));
    let pattern = schema
        .get("patternProperties")
        .and_then(|all| all.as_object().unwrap().iter().find(|(regex, _)| matches(regex, key)).map(|(_, rule)| rule));
    let rest = schema.get("additionalProperties").filter(|_| own.is_none() && pattern.is_none());
    match (keyword, own, pattern, rest) {
        ("properties", Some(rule), ..) | ("patternProperties", _, Some(rule), _) => judge(value, rule, root, &way),
        ("additionalProperties", .., Some(Value::Bool(allowed))) if !allowed => vec![format!("{way}: is unknown")],
        ("additionalProperties", .., Some(rule)) => judge(value, rule, root, &way),
        _ => Vec::new(),
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("no such type: {other}"),
    }
}

fn matches(regex: &str, text: &str) -> bool {
    regex::Regex::new(regex).unwrap().is_match(text)
}

fn broken(text: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    judge(&tree::json(&yaml::read(text).unwrap()), &schema, &schema, "")
}

#[test]
fn good_scenarios_satisfy_the_schema() {
    for (path, text) in good() {
        assert_eq!(broken(&text), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn the_schema_underlines_what_is_plainly_wrong() {
    let sketch = include_str!("../../../tests/scenarios/good/sketch.yaml");
    for (right, wrong) in [
        ("service: redis", "servise: redis"),
        ("rate: 200/s", "rate: 200"),
        ("for: 30s", "for: 30"),
        ("p99: \"<= 100ms\"", "p101: \"<= 100ms\""),
        ("p99: \"<= 100ms\"", "p99: 100ms"),
        ("errors: \"<= 0.1%\"", "errors: \"<= 0.1\""),
        ("pick: 50%", "pick: most"),
        ("pick: all", "pick: { where: [redis-cli] }"),
        ("kill: { target: cache }", "kill: { target: cache, signal: USR1 }"),
        ("kill: { target: cache }", "kill: { target: cache }\n    pause: { target: cache }"),
        ("kill: { target: cache }", "delay: { target: cache }"),
        ("kill: { target: cache }", "kill: {}"),
        ("scenario: cache-loss", "scenario: Cache Loss"),
        ("status: 2xx", "status: 20x"),
        ("method: POST", "method: post"),
        ("url: \"http://", "url: \"ftp://"),
    ] {
        let text = sketch.replacen(right, wrong, 1);
        assert_ne!(text, sketch, "{right} is not in the sketch");
        assert!(!broken(&text).is_empty(), "the schema lets `{wrong}` through");
    }
}
