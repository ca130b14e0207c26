//! Reading a JSON object member by member, so that every fault in it is found and named at once.

use serde_json::{Map, Value};

use crate::api::quote::unknown_names;
use crate::domain::FieldError;

/// An object that is being read, and the faults found so far.
pub(crate) struct Fields<'a> {
    pointer: &'a str,
    object: &'a Map<String, Value>,
    errors: &'a mut Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Begins to read `value`, which stands at `pointer` and may have the members `known`. `None` if it is no object.
    pub(crate) fn new(
        value: &'a Value,
        pointer: &'a str,
        known: &[&str],
        errors: &'a mut Vec<FieldError>,
    ) -> Option<Self> {
        let Value::Object(object) = value else {
            errors.push(FieldError::new(pointer, format!("must be an object with {}", known.join(", "))));
            return None;
        };
        let names = object.keys().map(String::as_str);
        errors.extend(unknown_names(names, known, pointer, |name| format!("{pointer}/{}", escape(name))));
        Some(Self { pointer, object, errors })
    }

    /// The member, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name)
    }

    /// The member as `parse` reads it; `default` where it is not there, or is wrong (which is noted).
    pub(crate) fn read<T>(
        &mut self,
        name: &str,
        default: T,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> T {
        let Some(value) = self.object.get(name) else { return default };
        parse(value).unwrap_or_else(|detail| {
            self.wrong(name, detail);
            default
        })
    }

    /// As `read`, where `null` is `None`.
    pub(crate) fn nullable<T>(
        &mut self,
        name: &str,
        default: Option<T>,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        self.read(name, default, |value| if value.is_null() { Ok(None) } else { parse(value).map(Some) })
    }

    /// As `nullable`, where the word `none` is `None` too: in a merge patch `null` means the default.
    pub(crate) fn limit<T>(
        &mut self,
        name: &str,
        default: Option<T>,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let is_none = |value: &Value| value.is_null() || value.as_str() == Some("none");
        self.read(name, default, |value| if is_none(value) { Ok(None) } else { parse(value).map(Some) })
    }

    /// Where the member stands.
    pub(crate) fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    /// Notes a fault of the member.
    pub(crate) fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(self.pointer(name), detail));
    }

    /// Where faults are noted.
    pub(crate) fn errors(&mut self) -> &mut Vec<FieldError> {
        self.errors
    }
}

/// A member's name within a JSON pointer (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A string.
pub(crate) fn string(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("must be a string, not {}", kind(value)))
}

/// A whole number from `least` to `most`.
pub(crate) fn integer(value: &Value, least: u64, most: u64) -> Result<u64, String> {
    let number = value.as_u64().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| match value {
        Value::Number(number) => format!("must be a whole number from {least} to {most}, not {number}"),
        other => format!("must be a whole number from {least} to {most}, not {}", kind(other)),
    })
}

/// What kind of JSON value it is, in words.
pub(crate) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
