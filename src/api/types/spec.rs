//! A listener's spec as JSON, read and written.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::domain::{
    Charset, FieldError, FramingDraft, Limits, ListenerDraft, ListenerSpec, Name, Reply, Then,
    format_duration, parse_duration, parse_size,
};

use super::fault::{fault_to_json, read_fault};
use super::fields::{Fields, integer, kind, string};
use super::framing::{framing_to_json, make_way, read_framing};
use super::periodic::{periodic_to_json, read_periodic};
use super::reply::{FORMS, read_reply, reply_to_json};
use super::rule::{read_rule, rule_to_json};

/// The members of a spec.
const MEMBERS: [&str; 15] = [
    "port",
    "host",
    "name",
    "backlog",
    "encoding",
    "framing",
    "greeting",
    "reply",
    "then",
    "rules",
    "sends",
    "faults",
    "limits",
    "max_connections_total",
    "ttl",
];

/// Reads a spec. What it does not say is as in `defaults`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_spec(value: &Value, defaults: &ListenerDraft) -> Result<ListenerSpec, Vec<FieldError>> {
    let mut errors = Vec::new();
    let Some(mut fields) = Fields::new(value, "", &MEMBERS, &mut errors) else { return Err(errors) };
    if fields.get("port").is_none() {
        fields.wrong("port", "is required: the TCP port to open, or 0 to let the system choose one");
    }
    let draft = ListenerDraft {
        port: fields.read("port", 0, port),
        host: fields.read("host", defaults.host, host),
        name: fields.nullable("name", None, |v| Name::parse(string(v)?)),
        backlog: fields.read("backlog", defaults.backlog, |v| small(v, 1, 65_535)),
        charset: fields.read("encoding", defaults.charset, |v| Charset::parse(string(v)?)),
        framing: framing(&mut fields, defaults),
        greeting: reply(&mut fields, "greeting", &defaults.greeting),
        reply: reply(&mut fields, "reply", &defaults.reply),
        then: fields.read("then", None, |v| then(v).map(Some)),
        rules: list(&mut fields, "rules", read_rule),
        sends: list(&mut fields, "sends", read_periodic),
        faults: list(&mut fields, "faults", read_fault),
        limits: limits(&mut fields, defaults.limits),
        max_connections_total: fields.limit("max_connections_total", None, |v| integer(v, 1, u64::MAX)),
        ttl: fields.limit("ttl", None, duration),
    };
    // What was replaced by a default for being wrong must not be found wrong, or right, a second time.
    if !errors.is_empty() {
        return Err(errors);
    }
    let is_standard = draft.reply == defaults.reply;
    ListenerSpec::new(draft).map_err(|errors| if is_standard { explained(errors) } else { errors })
}

/// Who gave no reply is told which one is meant.
fn explained(mut errors: Vec<FieldError>) -> Vec<FieldError> {
    for error in errors.iter_mut().filter(|error| error.pointer == "/reply") {
        let detail = &error.detail;
        error.detail = format!(
            "no other reply is given, and in the standard one {detail}; or give a `reply` of your own"
        );
    }
    errors
}

/// Writes what was asked for, such that [`parse_spec`] reads it back. A default `then` is left out: it depends on the
/// reply.
pub fn spec_to_json(spec: &ListenerSpec) -> Value {
    let draft = spec.draft();
    let mut object = Map::new();
    object.insert("port".into(), draft.port.into());
    object.insert("host".into(), draft.host.to_string().into());
    object.insert("name".into(), draft.name.as_ref().map(|n| n.as_str().to_owned()).into());
    object.insert("backlog".into(), draft.backlog.into());
    object.insert("encoding".into(), draft.charset.to_string().into());
    object.insert("framing".into(), framing_to_json(draft.framing.as_ref()));
    object.insert("greeting".into(), reply_to_json(&draft.greeting));
    object.insert("reply".into(), reply_to_json(&draft.reply));
    if let Some(then) = draft.then {
        object.insert("then".into(), then.as_str().into());
    }
    object.insert("rules".into(), draft.rules.iter().map(rule_to_json).collect());
    object.insert("sends".into(), draft.sends.iter().map(periodic_to_json).collect());
    object.insert("faults".into(), draft.faults.iter().map(fault_to_json).collect());
    object.insert("limits".into(), limits_to_json(&draft.limits));
    object.insert("max_connections_total".into(), draft.max_connections_total.into());
    object.insert("ttl".into(), draft.ttl.map(format_duration).into());
    Value::Object(object)
}

/// A spec as the journal keeps it: [`spec_to_json`] as a text. All that the settings had decided is written out.
pub fn write_spec(spec: &ListenerSpec) -> String {
    spec_to_json(spec).to_string()
}

/// Reads it back: as it was, whatever the settings are now.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_spec(text: &str) -> Result<ListenerSpec, Vec<FieldError>> {
    let value =
        serde_json::from_str(text).map_err(|e| vec![FieldError::new("", format!("is no JSON: {e}"))])?;
    parse_spec(&value, &ListenerDraft::default())
}

/// Changes a written spec as a JSON Merge Patch (RFC 7396) says.
///
/// A reply of another form than the one in force, or a framing of another type, takes its place: merged, the two would be
/// neither.
pub fn patch_spec(target: &mut Value, patch: &Value) {
    for name in ["reply", "greeting"] {
        let named =
            |value: &Value, form| value.get(name).and_then(|v| v.get(form)).is_some_and(|v| !v.is_null());
        if FORMS.into_iter().any(|form| named(patch, form) && !named(target, form)) {
            target[name] = Value::Null;
        }
    }
    make_way(target, patch);
    merge_patch(target, patch);
}

fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge_patch(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn port(value: &Value) -> Result<u16, String> {
    integer(value, 0, 65_535).map(|n| u16::try_from(n).unwrap_or_default())
}

fn small(value: &Value, least: u64, most: u32) -> Result<u32, String> {
    integer(value, least, u64::from(most)).map(|n| u32::try_from(n).unwrap_or_default())
}

fn host(value: &Value) -> Result<IpAddr, String> {
    let text = string(value)?;
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    match bare.parse().map(|ip: IpAddr| ip.to_canonical()) {
        Ok(ip) if ip.is_multicast() || ip == Ipv4Addr::BROADCAST => {
            Err(format!("{ip} is the address of many; TCP has one at each end: give an address of this machine"))
        }
        Ok(ip) => Ok(ip),
        Err(_) => Err("must be an IP address of this machine, such as 127.0.0.1, 0.0.0.0 or ::; names are not looked up"
            .to_owned()),
    }
}

pub(super) fn duration(value: &Value) -> Result<Duration, String> {
    let text =
        string(value).map_err(|_| format!("must be a duration such as \"30s\", not {}", kind(value)))?;
    parse_duration(text)
}

pub(super) fn size(value: &Value) -> Result<u64, String> {
    match value {
        Value::String(text) => parse_size(text),
        number => integer(number, 0, u64::MAX).map_err(|_| {
            format!("must be a number of bytes such as 65536 or \"64KiB\", not {}", kind(number))
        }),
    }
}

fn reply(fields: &mut Fields<'_>, name: &str, default: &Reply) -> Reply {
    let Some(value) = fields.get(name) else { return default.clone() };
    let pointer = fields.pointer(name);
    read_reply(value, &pointer, fields.errors()).unwrap_or_else(|| default.clone())
}

/// Reads each element of an array by itself; no array is an empty one.
pub(super) fn list<T>(
    fields: &mut Fields<'_>,
    name: &str,
    read: impl Fn(&Value, &str, &mut Vec<FieldError>) -> Option<T>,
) -> Vec<T> {
    match fields.get(name) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => {
            let place = fields.pointer(name);
            let read = |(n, value)| read(value, &format!("{place}/{n}"), fields.errors());
            list.iter().enumerate().filter_map(read).collect()
        }
        Some(other) => {
            fields.wrong(name, format!("must be an array, not {}", kind(other)));
            Vec::new()
        }
    }
}

fn framing(fields: &mut Fields<'_>, defaults: &ListenerDraft) -> Option<FramingDraft> {
    match fields.get("framing") {
        Some(value) => read_framing(value, "/framing", fields.errors()),
        None => defaults.framing.clone(),
    }
}

pub(super) fn then(value: &Value) -> Result<Then, String> {
    let words = [Then::Close, Then::Keep, Then::HalfClose, Then::Reset];
    let found = value.as_str().and_then(|text| words.into_iter().find(|then| then.as_str() == text));
    found.ok_or_else(|| "must be one of close, keep, half_close, reset".to_owned())
}

fn limits(fields: &mut Fields<'_>, defaults: Limits) -> Limits {
    const MEMBERS: [&str; 5] = ["connections", "idle", "lifetime", "write", "stored_bytes"];
    let Some(value) = fields.get("limits") else { return defaults };
    let Some(mut fields) = Fields::new(value, "/limits", &MEMBERS, fields.errors()) else { return defaults };
    Limits {
        connections: fields.read("connections", defaults.connections, |v| small(v, 1, u32::MAX)),
        idle: fields.limit("idle", defaults.idle, duration),
        lifetime: fields.limit("lifetime", defaults.lifetime, duration),
        write: fields.read("write", defaults.write, duration),
        stored_bytes: fields.read("stored_bytes", defaults.stored_bytes, size),
    }
}

fn limits_to_json(limits: &Limits) -> Value {
    json!({
        "connections": limits.connections,
        "idle": limits.idle.map(format_duration),
        "lifetime": limits.lifetime.map(format_duration),
        "write": format_duration(limits.write),
        "stored_bytes": limits.stored_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ReplyEncoding;

    #[test]
    fn a_spec_reads_back_as_it_was_written_whatever_it_says() {
        let text = |text: &str, encoding| Reply::Text { text: text.into(), encoding };
        let replies = [
            Reply::standard(),
            Reply::Silence,
            Reply::Echo,
            Reply::Hex(vec![0, 0xff].into()),
            Reply::Base64(vec![1].into()),
            text("none", None),
            text("\u{0}\"问题\"", Some(ReplyEncoding::Peer)),
            text("é", Some(ReplyEncoding::Fixed(Charset::Fixed(encoding_rs::WINDOWS_1252)))),
        ];
        let without = Limits { idle: None, lifetime: Some(Duration::from_nanos(1)), ..Limits::default() };
        for (reply, limits) in
            replies.into_iter().flat_map(|r| [(r.clone(), Limits::default()), (r, without)])
        {
            let greeting = if reply == Reply::Echo { Reply::Silence } else { reply.clone() };
            let draft = ListenerDraft {
                port: 65_535,
                host: "2001:db8::1".parse().unwrap(),
                name: Some(Name::parse("none").unwrap()),
                backlog: 1,
                charset: Charset::Auto,
                greeting,
                then: (limits.idle.is_none()).then_some(Then::HalfClose),
                reply,
                limits,
                max_connections_total: limits.lifetime.map(|_| u64::MAX),
                ttl: limits.lifetime,
                ..ListenerDraft::default()
            };
            let spec = ListenerSpec::new(draft).unwrap();
            assert_eq!(read_spec(&write_spec(&spec)).unwrap(), spec);
        }
        assert!(read_spec("{").is_err() && read_spec("null").is_err() && read_spec("").is_err());
    }
}
