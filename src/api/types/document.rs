//! All listeners as one document.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::{FieldError, ListenerDraft, ListenerSpec};
use crate::engine::{Applied, ListenerSnapshot};

use super::fields::{Fields, kind};
use super::spec::{parse_spec, spec_to_json};

/// Reads the listeners of a document: `{"listeners": [SPEC, …]}`.
///
/// A listener is found again by its name, or by its host and port; one that has neither a name nor a port of its own could
/// not be, and is refused.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_document(value: &Value, defaults: &ListenerDraft) -> Result<Vec<ListenerSpec>, Vec<FieldError>> {
    let mut errors = Vec::new();
    let Some(mut fields) = Fields::new(value, "", &["listeners"], &mut errors) else { return Err(errors) };
    let list: &[Value] = match fields.get("listeners") {
        Some(Value::Array(list)) => list,
        Some(other) => {
            fields.wrong("listeners", format!("must be an array of listeners, not {}", kind(other)));
            &[]
        }
        None => {
            fields.wrong("listeners", "is required: an array of listeners, as POST /listeners takes them");
            &[]
        }
    };
    let mut specs = Vec::with_capacity(list.len());
    let errors = fields.errors();
    for (n, value) in list.iter().enumerate() {
        match parse_spec(value, defaults) {
            Ok(spec) => specs.push((n, spec)),
            Err(faults) => {
                errors.extend(faults.into_iter().map(|fault| fault.below(&format!("/listeners/{n}"))))
            }
        }
    }
    check_apart(&specs, errors);
    if errors.is_empty() {
        Ok(specs.into_iter().map(|(_, spec)| spec).collect())
    } else {
        Err(std::mem::take(errors))
    }
}

/// Notes which of them cannot be told from others.
fn check_apart(specs: &[(usize, ListenerSpec)], errors: &mut Vec<FieldError>) {
    let (mut names, mut places) = (HashSet::new(), HashSet::new());
    for (n, spec) in specs {
        let draft = spec.draft();
        let mut wrong = |name: &str, detail: &str| {
            errors.push(FieldError::new(format!("/listeners/{n}/{name}"), detail));
        };
        match &draft.name {
            Some(name) if !names.insert(name) => {
                wrong("name", "is there twice; choose another for one of them")
            }
            None if draft.port == 0 => {
                wrong("name", "is required where the port is 0: without it, it could not be found again")
            }
            _ => {}
        }
        if draft.port != 0 && !places.insert((draft.host, draft.port)) {
            wrong("port", "is there twice on this host; choose another for one of them");
        }
    }
}

/// Writes listeners as a document that [`parse_document`] reads. One that closed by itself is not among them.
pub fn document_to_json(listeners: &[ListenerSnapshot]) -> Value {
    let write = |listener: &ListenerSnapshot| {
        let mut spec = spec_to_json(&listener.spec);
        let draft = listener.spec.draft();
        if draft.name.is_none() && draft.port == 0 {
            // Without a name it is found by its port.
            spec["port"] = json!(listener.address.port());
        }
        spec
    };
    json!({"listeners": listeners.iter().map(write).collect::<Vec<_>>()})
}

/// What has become of the listeners: each by its name, or else its id.
#[derive(Debug, Serialize)]
pub struct AppliedView {
    created: Vec<String>,
    changed: Vec<String>,
    unchanged: Vec<String>,
    closed: Vec<String>,
}

impl From<Applied> for AppliedView {
    fn from(applied: Applied) -> Self {
        let called = |listener: &ListenerSnapshot| {
            let name = listener.spec.draft().name.as_ref();
            name.map_or_else(|| listener.id.to_string(), ToString::to_string)
        };
        let all = |listeners: Vec<ListenerSnapshot>| listeners.iter().map(called).collect();
        Self {
            created: all(applied.created),
            changed: all(applied.changed),
            unchanged: all(applied.unchanged),
            closed: all(applied.closed),
        }
    }
}
