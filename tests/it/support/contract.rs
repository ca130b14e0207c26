//! The published contract as the judge of every answer that a test sees.
//!
//! `openapi.yaml` is compiled in. [`Contract::check`] finds the operation that an answer belongs to and panics, with
//! everything that is wrong, unless status, content type, headers and body are what the document promises.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::{Draft, Registry, Validator};
use serde_json::Value;

/// The name under which schemas refer to the document; nothing is fetched.
const DOCUMENT: &str = "urn:answerback:openapi";

/// The keys of a path item that are operations (OpenAPI 3.1, section 4.8.9).
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// What may be answered where there is no operation: the guard speaks before the router does.
const WITHOUT_OPERATION: [(u16, &str); 10] = [
    (400, "MalformedRequest"),
    (401, "Unauthorized"),
    (403, "OriginNotAllowed"),
    (404, "NotFound"),
    (405, "MethodNotAllowed"),
    (413, "BodyTooLarge"),
    (415, "UnsupportedMediaType"),
    (421, "HostNotAllowed"),
    (431, "HeadersTooLarge"),
    (500, "Internal"),
];

/// `openapi.yaml`, parsed once for the whole test run.
pub(crate) struct Contract {
    document: Value,
    registry: Registry<'static>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One answer as a test saw it.
struct Answer<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    status: u16,
    content_type: Option<&'a str>,
    headers: Option<&'a [(String, String)]>,
    body: &'a [u8],
}

impl Contract {
    /// The contract of this build.
    pub(crate) fn get() -> &'static Self {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        CONTRACT.get_or_init(|| {
            let document: Value = serde_norway::from_str(include_str!("../../../openapi.yaml"))
                .unwrap_or_else(|error| panic!("openapi.yaml is no YAML: {error}"));
            let registry = Registry::new()
                .draft(Draft::Draft202012)
                .add(DOCUMENT, document.clone())
                .and_then(|registry| registry.prepare())
                .unwrap_or_else(|error| panic!("openapi.yaml cannot be referred to: {error}"));
            Self { document, registry, validators: Mutex::new(HashMap::new()) }
        })
    }

    /// The whole document, to compare with what the service serves.
    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// Every operation as (METHOD, path template), in the order of the document.
    pub(crate) fn paths(&self) -> Vec<(String, String)> {
        self.path_items()
            .flat_map(|(template, item)| {
                METHODS
                    .iter()
                    .filter(|method| item.get(**method).is_some())
                    .map(|method| (method.to_uppercase(), template.clone()))
            })
            .collect()
    }

    /// Panics unless the value is what the contract calls by this name.
    #[track_caller]
    pub(crate) fn check_schema(&self, name: &str, value: &Value) {
        let violations = self.against(&format!("/components/schemas/{name}"), value);
        assert!(violations.is_empty(), "no {name}:\n  {}\nit was: {value}", violations.join("\n  "));
    }

    /// Panics unless the answer is one that the contract promises.
    ///
    /// `path` may carry a query; when the call succeeded, its parameters must be documented. `headers` may be left out
    /// where the test has none to show.
    #[track_caller]
    pub(crate) fn check(
        &self,
        method: &str,
        path: &str,
        status: u16,
        content_type: Option<&str>,
        headers: Option<&[(String, String)]>,
        body: &[u8],
    ) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let violations =
            self.violations(&Answer { method, path, query, status, content_type, headers, body });
        assert!(
            violations.is_empty(),
            "{method} {path} answered {status} ({}) and breaks openapi.yaml:\n  {}\nthe body was: {:.2000}",
            content_type.unwrap_or("no content type"),
            violations.join("\n  "),
            String::from_utf8_lossy(body),
        );
    }

    fn violations(&self, answer: &Answer<'_>) -> Vec<String> {
        let template = self.template(answer.path);
        // A HEAD is answered as a GET without the body (RFC 9110, section 9.3.2).
        let head = answer.method.eq_ignore_ascii_case("HEAD");
        let method = if head { "get".to_owned() } else { answer.method.to_lowercase() };
        let item = template.as_ref().map(|template| child("/paths", template));
        let operation = item.as_ref().map(|item| child(item, &method));
        let operation = operation.filter(|operation| self.document.pointer(operation).is_some());

        let response = match &operation {
            Some(operation) => self.documented(operation, answer.status),
            None => self.without_operation(template.is_some(), answer.status),
        };
        let response = match response {
            Ok(response) => response,
            Err(violation) => return vec![violation],
        };
        let mut found = self.wrong_headers(&response, answer);
        if !head {
            found.extend(self.wrong_body(&response, answer));
        }
        if let (Some(item), Some(operation), 200..=299) = (item, operation, answer.status) {
            found.extend(self.unknown_parameters(&item, &operation, answer.query));
        }
        found
    }

    /// The template that the path is one of. A segment that is written out wins over a parameter.
    fn template(&self, path: &str) -> Option<String> {
        let fits = |template: &String| -> bool {
            template.split('/').count() == path.split('/').count()
                && template
                    .split('/')
                    .zip(path.split('/'))
                    .all(|(want, have)| want == have || (want.starts_with('{') && !have.is_empty()))
        };
        let parameters = |template: &String| -> Vec<bool> {
            template.split('/').map(|segment| segment.starts_with('{')).collect()
        };
        self.path_items().map(|(template, _)| template.clone()).filter(fits).min_by_key(parameters)
    }

    fn documented(&self, operation: &str, status: u16) -> Result<String, String> {
        let response = child(&child(operation, "responses"), &status.to_string());
        match self.document.pointer(&response) {
            Some(_) => Ok(self.follow(response)),
            None => Err(format!("{operation} does not document the status {status}")),
        }
    }

    fn without_operation(&self, path_exists: bool, status: u16) -> Result<String, String> {
        let allowed = |&(code, _): &(u16, &str)| match code {
            404 => !path_exists,
            405 => path_exists,
            _ => true,
        };
        WITHOUT_OPERATION
            .into_iter()
            .filter(allowed)
            .find(|(code, _)| *code == status)
            .map(|(_, name)| child("/components/responses", name))
            .ok_or_else(|| "there is no such operation in openapi.yaml".to_owned())
    }

    fn wrong_headers(&self, response: &str, answer: &Answer<'_>) -> Vec<String> {
        let (Some(have), Some(want)) =
            (answer.headers, self.document.pointer(&child(response, "headers")).and_then(Value::as_object))
        else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for name in want.keys() {
            let header = self.follow(child(&child(response, "headers"), name));
            let required = self.document.pointer(&child(&header, "required")) == Some(&Value::Bool(true));
            match have.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
                Some((_, value)) => found.extend(
                    self.against(&child(&header, "schema"), &scalar(value))
                        .into_iter()
                        .map(|violation| format!("header {name}: {violation}")),
                ),
                None if required => found.push(format!("the header {name} is missing")),
                None => {}
            }
        }
        found
    }

    fn wrong_body(&self, response: &str, answer: &Answer<'_>) -> Vec<String> {
        let content = child(response, "content");
        let Some(media_types) = self.document.pointer(&content).and_then(Value::as_object) else {
            let empty = answer.body.is_empty();
            return if empty {
                Vec::new()
            } else {
                vec!["there is a body where none is documented".to_owned()]
            };
        };
        // Parameters such as a charset are no part of the contract.
        let essence = answer.content_type.unwrap_or("").split(';').next().unwrap_or("").trim();
        let Some(media_type) = media_types.keys().find(|key| key.eq_ignore_ascii_case(essence)) else {
            let want = media_types.keys().cloned().collect::<Vec<_>>().join(" or ");
            return vec![format!("the content type is {essence:?}, documented is {want}")];
        };
        if essence != "application/json" && !essence.ends_with("+json") {
            return Vec::new();
        }
        match serde_json::from_slice(answer.body) {
            Ok(body) => self.against(&child(&child(&content, media_type), "schema"), &body),
            Err(error) => vec![format!("the body is no JSON: {error}")],
        }
    }

    /// A parameter that works but is not in the contract is a gap in the contract.
    fn unknown_parameters(&self, item: &str, operation: &str, query: &str) -> Vec<String> {
        let known: Vec<&str> = [item, operation]
            .iter()
            .filter_map(|owner| self.document.pointer(&child(owner, "parameters"))?.as_array())
            .flatten()
            .filter_map(|parameter| self.resolved(parameter).get("name")?.as_str())
            .collect();
        query
            .split('&')
            .map(|pair| pair.split('=').next().unwrap_or(pair))
            .filter(|name| !name.is_empty() && !known.contains(name))
            .map(|name| format!("the parameter {name} is not documented"))
            .collect()
    }

    /// What is wrong with `instance`, judged by the schema at `pointer` in the document.
    fn against(&self, pointer: &str, instance: &Value) -> Vec<String> {
        self.validator(pointer)
            .iter_errors(instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    fn validator(&self, pointer: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let built = validators.entry(pointer.to_owned()).or_insert_with(|| {
            // Braces of path templates are not allowed in the fragment of a URI (RFC 3986, section 3.5).
            let fragment = pointer.replace('{', "%7B").replace('}', "%7D");
            let schema = serde_json::json!({"$ref": format!("{DOCUMENT}#{fragment}")});
            let validator = jsonschema::options()
                .with_draft(Draft::Draft202012)
                .with_registry(&self.registry)
                .should_validate_formats(true)
                .offline()
                .build(&schema)
                .unwrap_or_else(|error| panic!("the schema at {pointer} is none: {error}"));
            Arc::new(validator)
        });
        Arc::clone(built)
    }

    fn path_items(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.document.get("paths").and_then(Value::as_object).into_iter().flatten()
    }

    /// The place that a reference object at `pointer` stands for, or `pointer` itself.
    fn follow(&self, pointer: String) -> String {
        match self.document.pointer(&pointer).and_then(reference) {
            Some(target) => self.follow(target),
            None => pointer,
        }
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        reference(value).and_then(|target| self.document.pointer(&target)).unwrap_or(value)
    }
}

/// The pointer in a reference object to this document.
fn reference(value: &Value) -> Option<String> {
    Some(value.get("$ref")?.as_str()?.strip_prefix('#')?.to_owned())
}

/// The JSON Pointer of a member (RFC 6901, section 3).
fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A header's value as the schema sees it: a number where it looks like one.
fn scalar(value: &str) -> Value {
    value.parse::<u64>().map_or_else(|_| Value::from(value), Value::from)
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;
