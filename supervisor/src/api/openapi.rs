//! The description of the API, for programs that make clients or tests of it.

use actix_web::{HttpRequest, HttpResponse};

use super::etag;

/// OpenAPI 3.1. Written by hand; the tests compare it with the routes and with what they answer.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn document(request: HttpRequest) -> HttpResponse {
    etag::text(&request, DOCUMENT.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::DOCUMENT;
    use crate::api::routes::ROUTES;

    #[test]
    fn the_document_describes_the_routes_that_exist() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let mut described = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                described.insert((method.clone(), path.clone()));
                assert!(
                    ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                    "{path}: the id is not its own"
                );
                let places = |place: &str| {
                    let all = operation["parameters"].as_array().cloned().unwrap_or_default();
                    let resolved = all.into_iter().map(|one| match one["$ref"].as_str() {
                        Some(name) => document.pointer(name.trim_start_matches('#')).unwrap().clone(),
                        None => one,
                    });
                    resolved
                        .filter(|one| one["in"] == place)
                        .map(|one| one["name"].as_str().unwrap().to_owned())
                        .collect::<BTreeSet<_>>()
                };
                let parts = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
                assert_eq!(places("path"), parts.map(str::to_owned).collect(), "{path}: its parameters");
            }
        }
        let existing: BTreeSet<(String, String)> =
            // What a part of a path has to look like is the schema of the parameter in the document.
            ROUTES.iter().map(|(method, path)| ((*method).to_owned(), path.replace(":[0-9]+", ""))).collect();
        assert_eq!(described, existing);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut open = vec![&document];
        let mut count = 0;
        while let Some(value) = open.pop() {
            match value {
                Value::Object(fields) => open.extend(fields.values()),
                Value::Array(items) => open.extend(items),
                _ => {}
            }
            if let Some(name) = value["$ref"].as_str() {
                assert!(document.pointer(name.trim_start_matches('#')).is_some(), "{name}");
                count += 1;
            }
        }
        assert!(count > 50, "{count}");
    }
}
