//! A matcher as JSON, read and written.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::domain::{FieldError, Literal, MatcherDraft};

use super::fields::{Fields, integer, kind, string};
use super::literal::{format_hex, literal_to_json, parse_hex, read_literal};

/// The member that tells which matcher it is.
const FORMS: [&str; 12] = [
    "equals",
    "starts_with",
    "ends_with",
    "contains",
    "regex",
    "bytes_at",
    "length",
    "peer",
    "nth",
    "all",
    "any",
    "not",
];

/// How deep matchers are read at all; the domain allows fewer and says so.
const DEEPEST: usize = 64;

/// Reads a matcher that stands at `pointer`; what is wrong with it is noted.
pub(crate) fn read_matcher(
    value: &Value,
    pointer: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MatcherDraft> {
    read(value, pointer, errors, 1)
}

fn read(value: &Value, pointer: &str, errors: &mut Vec<FieldError>, depth: usize) -> Option<MatcherDraft> {
    let forms = FORMS.join(", ");
    if depth > DEEPEST {
        errors.push(FieldError::new(pointer, "matchers stand in each other too deep"));
        return None;
    }
    let Value::Object(object) = value else {
        errors.push(FieldError::new(
            pointer,
            format!("must be an object with one of {forms}, not {}", kind(value)),
        ));
        return None;
    };
    let mut fields = Fields::new(value, pointer, &FORMS, errors)?;
    let mut named = FORMS.into_iter().filter(|form| object.contains_key(*form));
    let Some(form) = named.next() else {
        if object.is_empty() {
            fields.errors().push(FieldError::new(pointer, format!("must have one of {forms}")));
        }
        return None;
    };
    if let Some(second) = named.next() {
        fields.wrong(
            second,
            format!("a matcher has one form, and this one has {form}; put both into \"all\":[…]"),
        );
        return None;
    }
    let (inner, place) = (&object[form], fields.pointer(form));
    let errors = fields.errors();
    let literal = |errors: &mut Vec<FieldError>, make: fn(Literal) -> MatcherDraft| {
        read_literal(inner, &place, errors).map(make)
    };
    match form {
        "equals" => literal(errors, MatcherDraft::Equals),
        "starts_with" => literal(errors, MatcherDraft::StartsWith),
        "ends_with" => literal(errors, MatcherDraft::EndsWith),
        "contains" => literal(errors, MatcherDraft::Contains),
        "bytes_at" => bytes_at(inner, &place, errors),
        "length" => length(inner, &place, errors),
        "all" => list(inner, &place, errors, depth).map(MatcherDraft::All),
        "any" => list(inner, &place, errors, depth).map(MatcherDraft::Any),
        "not" => read(inner, &place, errors, depth + 1).map(|not| MatcherDraft::Not(Box::new(not))),
        "regex" => fields.read("regex", None, |v| Ok(Some(MatcherDraft::Regex(string(v)?.to_owned())))),
        "nth" => fields.read("nth", None, |v| integer(v, 1, u64::MAX).map(|n| Some(MatcherDraft::Nth(n)))),
        _ => fields.read("peer", None, |v| network(string(v)?).map(|n| Some(MatcherDraft::Peer(n)))),
    }
}

fn list(
    value: &Value,
    pointer: &str,
    errors: &mut Vec<FieldError>,
    depth: usize,
) -> Option<Vec<MatcherDraft>> {
    let Value::Array(list) = value else {
        errors.push(FieldError::new(pointer, format!("must be an array of matchers, not {}", kind(value))));
        return None;
    };
    let read_one = |(n, value)| read(value, &format!("{pointer}/{n}"), errors, depth + 1);
    let read: Vec<_> = list.iter().enumerate().map(read_one).collect();
    read.into_iter().collect()
}

fn bytes_at(value: &Value, pointer: &str, errors: &mut Vec<FieldError>) -> Option<MatcherDraft> {
    let mut fields = Fields::new(value, pointer, &["offset", "hex", "mask"], errors)?;
    if fields.get("hex").is_none() {
        fields.wrong("hex", "is required: the bytes, such as \"01\"");
    }
    let offset = fields.read("offset", 0, |v| integer(v, 0, 1 << 40));
    let mask = fields.nullable("mask", None, |v| parse_hex(string(v)?));
    let bytes = fields.read("hex", None, |v| parse_hex(string(v)?).map(Some))?;
    Some(MatcherDraft::BytesAt { offset, bytes, mask })
}

fn length(value: &Value, pointer: &str, errors: &mut Vec<FieldError>) -> Option<MatcherDraft> {
    let mut fields = Fields::new(value, pointer, &["min", "max"], errors)?;
    let min = fields.nullable("min", None, |v| integer(v, 0, u64::MAX));
    let max = fields.nullable("max", None, |v| integer(v, 0, u64::MAX));
    if fields.get("min").is_none() && fields.get("max").is_none() {
        errors.push(FieldError::new(pointer, "must have min, max or both"));
        return None;
    }
    Some(MatcherDraft::Length { min, max })
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = |text: &str| text.parse().ok().map(|ip: std::net::IpAddr| IpNet::from(ip.to_canonical()));
    let network = text.parse::<IpNet>().ok().map(|network| network.trunc());
    network
        .or_else(|| address(text))
        .ok_or_else(|| "must be an IP address or a network such as 10.0.0.0/8".to_owned())
}

/// Writes a matcher, such that [`read_matcher`] reads it back.
pub(crate) fn matcher_to_json(matcher: &MatcherDraft) -> Value {
    match matcher {
        MatcherDraft::Equals(literal) => json!({"equals": literal_to_json(literal)}),
        MatcherDraft::StartsWith(literal) => json!({"starts_with": literal_to_json(literal)}),
        MatcherDraft::EndsWith(literal) => json!({"ends_with": literal_to_json(literal)}),
        MatcherDraft::Contains(literal) => json!({"contains": literal_to_json(literal)}),
        MatcherDraft::Regex(pattern) => json!({"regex": pattern}),
        MatcherDraft::BytesAt { offset, bytes, mask } => {
            let mut inner = json!({"offset": offset, "hex": format_hex(bytes)});
            if let Some(mask) = mask {
                inner["mask"] = format_hex(mask).into();
            }
            json!({"bytes_at": inner})
        }
        MatcherDraft::Length { min, max } => {
            let mut inner = Map::new();
            inner.extend(min.map(|min| ("min".to_owned(), json!(min))));
            inner.extend(max.map(|max| ("max".to_owned(), json!(max))));
            json!({"length": inner})
        }
        MatcherDraft::Peer(network) => json!({"peer": network.to_string()}),
        MatcherDraft::Nth(nth) => json!({"nth": nth}),
        MatcherDraft::All(list) => json!({"all": list.iter().map(matcher_to_json).collect::<Vec<_>>()}),
        MatcherDraft::Any(list) => json!({"any": list.iter().map(matcher_to_json).collect::<Vec<_>>()}),
        MatcherDraft::Not(not) => json!({"not": matcher_to_json(not)}),
    }
}
