//! As much of JSON Schema as `openapi.json` uses.

use serde_json::Value;

/// What is wrong with a value, each with its place.
pub(crate) fn mistakes(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} is not there"));
        return mistakes(document, target, value, place);
    }
    let mut found = Vec::new();
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => panic!("{place}: the schema has no type: {schema}"),
    };
    let fits = |name: &&str| match *name {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    if !types.iter().any(fits) {
        found.push(format!("{place}: {value} is none of {types:?}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        found.push(format!("{place}: {value} is none of {words:?}"));
    }
    for (at, one) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(mistakes(document, &schema["items"], one, &format!("{place}[{at}]")));
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                found.push(format!("{place}: there is no {name}"));
            }
        }
        for (name, one) in fields {
            let place = format!("{place}.{name}");
            match (schema["properties"].get(name), schema.get("additionalProperties")) {
                (Some(schema), _) => found.extend(mistakes(document, schema, one, &place)),
                (None, Some(schema)) if schema.is_object() => found.extend(mistakes(document, schema, one, &place)),
                // An object of which the document says no more.
                (None, None) if schema.get("properties").is_none() => {}
                (None, _) => found.push(format!("{place}: the document does not have it")),
            }
        }
    }
    found
}

#[test]
fn what_does_not_fit_is_found() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"],
        "properties": {"a": {"type": ["string", "null"], "enum": ["x", null]}, "b": {"type": "array", "items": {"type": "integer"}}}
    });
    let check = |value| mistakes(&Value::Null, &schema, &value, "it").len();
    assert_eq!(check(serde_json::json!({"a": "x", "b": [1]})), 0);
    assert_eq!(check(serde_json::json!({"a": null})), 0);
    assert_eq!(check(serde_json::json!({"a": "y"})), 1);
    assert_eq!(check(serde_json::json!({"b": ["1"]})), 2);
    assert_eq!(check(serde_json::json!({"a": "x", "c": 1})), 1);
    assert_eq!(check(serde_json::json!([])), 1);
}
