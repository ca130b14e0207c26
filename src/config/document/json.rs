//! JSON, read as strictly as the API reads it. As every JSON document is a YAML one, YAML's reader knows the lines.

use serde_json::Value;

use crate::api::read_json_text;

use super::{Document, yaml};

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    match read_json_text(text)? {
        Value::Object(members) => {
            // A place that is not known is no reason not to take the file.
            let lines = yaml::parse(text).map(|document| document.lines).unwrap_or_default();
            Ok(Document { members, lines })
        }
        _ => Err("must be one object, with settings and `listeners` as its members".to_owned()),
    }
}
