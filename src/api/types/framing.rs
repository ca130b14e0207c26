//! A framing as JSON, read and written.

use serde_json::{Map, Value, json};

use crate::domain::{
    Cut, Endian, FieldError, FramingDraft, LengthPrefix, Literal, OnOverflow, format_duration, parse_duration,
};

use super::fields::{Fields, integer, kind, string};
use super::literal::{literal_to_json, read_literal};
use super::spec::size;

/// The types, and the members that each has beside those that all have.
const TYPES: [(&str, &[&str]); 9] = [
    ("none", &[]),
    ("delimiter", &["delimiters"]),
    ("length_prefixed", &["offset", "width", "endian", "counts_prefix", "adjust"]),
    ("ascii_length", &["width", "counts_prefix"]),
    ("octet_counting", &[]),
    ("fixed", &["size"]),
    ("start_end", &["start", "end"]),
    ("idle_gap", &["gap"]),
    ("until_close", &[]),
];
/// The members that all but `none` have.
const SHARED: [&str; 5] = ["type", "max", "on_overflow", "frame_replies", "keep"];

/// Reads a framing that stands at `pointer`; what is wrong with it is noted.
pub(super) fn read_framing(
    value: &Value,
    pointer: &str,
    errors: &mut Vec<FieldError>,
) -> Option<FramingDraft> {
    let all: Vec<_> = TYPES.iter().flat_map(|(_, members)| *members).chain(&SHARED).copied().collect();
    let Some(word) = value.get("type") else {
        if let Some(mut fields) = Fields::new(value, pointer, &all, errors) {
            fields.wrong("type", format!("is required: one of {}", types()));
        }
        return None;
    };
    let Some((name, members)) = TYPES.iter().find(|(name, _)| word.as_str() == Some(name)) else {
        errors.push(FieldError::new(format!("{pointer}/type"), format!("must be one of {}", types())));
        return None;
    };
    let known: Vec<_> = if *name == "none" { vec!["type"] } else { [&SHARED, *members].concat() };
    let mut fields = Fields::new(value, pointer, &known, errors)?;
    let cut = cut(&mut fields, name)?;
    let draft = FramingDraft::new(cut);
    Some(FramingDraft {
        max: fields.read("max", draft.max, size),
        on_overflow: fields.read("on_overflow", draft.on_overflow, on_overflow),
        frame_replies: fields.read("frame_replies", false, boolean),
        keep: fields.read("keep", false, boolean),
        ..draft
    })
}

fn types() -> String {
    TYPES.map(|(name, _)| name).join(", ")
}

/// The types.
pub(super) fn type_names() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(name, _)| *name)
}

/// The cut of a type; `None` for no framing, and where something is wrong.
fn cut(fields: &mut Fields<'_>, name: &str) -> Option<Cut> {
    Some(match name {
        "delimiter" => Cut::Delimiter(delimiters(fields)?),
        "length_prefixed" => Cut::LengthPrefixed(LengthPrefix {
            offset: fields.read("offset", 0, |v| integer(v, 0, u64::from(u32::MAX))),
            width: fields.read("width", 2, width),
            endian: fields.read("endian", Endian::Big, endian),
            counts_prefix: fields.read("counts_prefix", false, boolean),
            adjust: fields.read("adjust", 0, signed),
        }),
        "ascii_length" => {
            let width = required(fields, "width", "how many digits the length has", width)?;
            Cut::AsciiLength { width, counts_prefix: fields.read("counts_prefix", false, boolean) }
        }
        "octet_counting" => Cut::OctetCounting,
        "fixed" => Cut::Fixed(required(fields, "size", "how many bytes a message has", size)?),
        "start_end" => {
            let (start, end) = (marker(fields, "start"), marker(fields, "end"));
            Cut::StartEnd { start: start?, end: end? }
        }
        "idle_gap" => {
            let gap = |v: &Value| parse_duration(string(v)?);
            Cut::IdleGap(required(fields, "gap", "how long a pause ends a message, such as \"50ms\"", gap)?)
        }
        "until_close" => Cut::UntilClose,
        _ => return None,
    })
}

fn required<T>(
    fields: &mut Fields<'_>,
    name: &str,
    what: &str,
    parse: impl FnOnce(&Value) -> Result<T, String>,
) -> Option<T> {
    if fields.get(name).is_none() {
        fields.wrong(name, format!("is required: {what}"));
    }
    fields.read(name, None, |value| parse(value).map(Some))
}

/// All delimiters, or `None` where one of them is wrong.
fn delimiters(fields: &mut Fields<'_>) -> Option<Vec<Literal>> {
    match fields.get("delimiters") {
        Some(Value::Array(list)) => {
            let pointer = |n| fields.pointer(&format!("delimiters/{n}"));
            let places: Vec<_> = (0..list.len()).map(pointer).collect();
            let read: Vec<_> =
                list.iter().zip(&places).map(|(v, place)| read_literal(v, place, fields.errors())).collect();
            read.into_iter().collect()
        }
        Some(other) => {
            fields.wrong("delimiters", format!("must be an array such as [\"\\n\"], not {}", kind(other)));
            None
        }
        None => {
            fields.wrong(
                "delimiters",
                "is required: what ends a message, such as [\"\\n\"] or [{\"hex\":\"0d0a\"}]",
            );
            None
        }
    }
}

fn marker(fields: &mut Fields<'_>, name: &str) -> Option<Literal> {
    let Some(value) = fields.get(name) else {
        fields.wrong(name, "is required: the bytes of the marker, such as {\"hex\":\"0b\"}");
        return None;
    };
    let pointer = fields.pointer(name);
    read_literal(value, &pointer, fields.errors())
}

fn width(value: &Value) -> Result<u8, String> {
    integer(value, 1, 9).map(|n| u8::try_from(n).unwrap_or_default())
}

fn endian(value: &Value) -> Result<Endian, String> {
    let found = [Endian::Big, Endian::Little].into_iter().find(|word| value.as_str() == Some(word.as_str()));
    found.ok_or_else(|| "must be one of big, little".to_owned())
}

fn on_overflow(value: &Value) -> Result<OnOverflow, String> {
    let found =
        [OnOverflow::Close, OnOverflow::Raw].into_iter().find(|word| value.as_str() == Some(word.as_str()));
    found.ok_or_else(|| "must be one of close, raw".to_owned())
}

fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("must be true or false, not {}", kind(value)))
}

fn signed(value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| "must be a whole number, such as 2 or -4".to_owned())
}

/// Writes a framing, such that [`read_framing`] reads it back.
pub(super) fn framing_to_json(framing: Option<&FramingDraft>) -> Value {
    let Some(FramingDraft { cut, max, on_overflow, frame_replies, keep }) = framing else {
        return json!({"type": "none"});
    };
    let (name, Value::Object(members)) = cut_to_json(cut) else { return Value::Null };
    let mut object = Map::new();
    object.insert("type".into(), name.into());
    object.extend(members);
    object.insert("max".into(), (*max).into());
    object.insert("on_overflow".into(), on_overflow.as_str().into());
    object.insert("frame_replies".into(), (*frame_replies).into());
    object.insert("keep".into(), (*keep).into());
    Value::Object(object)
}

fn cut_to_json(cut: &Cut) -> (&'static str, Value) {
    match cut {
        Cut::Delimiter(list) => {
            let list: Vec<_> = list.iter().map(literal_to_json).collect();
            ("delimiter", json!({ "delimiters": list }))
        }
        Cut::LengthPrefixed(LengthPrefix { offset, width, endian, counts_prefix, adjust }) => {
            let endian = endian.as_str();
            let members = json!({"offset": offset, "width": width, "endian": endian,
                                 "counts_prefix": counts_prefix, "adjust": adjust});
            ("length_prefixed", members)
        }
        Cut::AsciiLength { width, counts_prefix } => {
            ("ascii_length", json!({"width": width, "counts_prefix": counts_prefix}))
        }
        Cut::OctetCounting => ("octet_counting", json!({})),
        Cut::Fixed(size) => ("fixed", json!({ "size": size })),
        Cut::StartEnd { start, end } => {
            ("start_end", json!({"start": literal_to_json(start), "end": literal_to_json(end)}))
        }
        Cut::IdleGap(gap) => ("idle_gap", json!({"gap": format_duration(*gap)})),
        Cut::UntilClose => ("until_close", json!({})),
    }
}

/// Changes a written framing as a patch of the spec says: what of the one in force does not go with it is gone first.
pub(super) fn make_way(target: &mut Value, patch: &Value) {
    let (Some(now), Some(patch)) = (target.get_mut("framing"), patch.get("framing")) else { return };
    if patch.get("type").is_some_and(|word| Some(word) != now.get("type")) {
        *now = Value::Null;
    }
    for marker in ["start", "end"] {
        if let (Some(now), Some(Value::Object(_))) = (now.get_mut(marker), patch.get(marker)) {
            *now = Value::Null;
        }
    }
}
