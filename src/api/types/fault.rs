//! A fault as JSON, read and written.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::domain::{
    Direction, Distribution, FaultDraft, FaultKind, FieldError, Probability, When, format_duration,
};

use super::fields::{Fields, integer, kind, string};
use super::spec::{duration, size};

/// The types of a fault, and the members that each has of its own.
const TYPES: [(&str, &[&str]); 11] = [
    ("latency", &["delay", "jitter", "distribution"]),
    ("bandwidth", &["rate", "direction"]),
    ("dribble", &["bytes", "every"]),
    ("reset", &["when", "after_bytes"]),
    ("close", &["when", "after_bytes"]),
    ("truncate", &["bytes"]),
    ("corrupt", &["bits"]),
    ("stall", &[]),
    ("stop_reading", &["after_bytes"]),
    ("refuse", &[]),
    ("half_open", &[]),
];
/// The members that all have.
const COMMON: [&str; 4] = ["type", "probability", "seed", "ttl"];

/// Reads a fault that stands at `pointer`; what is wrong with it is noted.
pub(super) fn read_fault(value: &Value, pointer: &str, errors: &mut Vec<FieldError>) -> Option<FaultDraft> {
    let names = || TYPES.map(|(name, _)| name).join(", ");
    let Some(object) = value.as_object() else {
        errors.push(FieldError::new(pointer, format!("must be an object with a type, not {}", kind(value))));
        return None;
    };
    let named = object.get("type").and_then(Value::as_str);
    let Some((word, own)) = TYPES.into_iter().find(|(name, _)| named == Some(name)) else {
        errors.push(FieldError::new(format!("{pointer}/type"), format!("must be one of {}", names())));
        return None;
    };
    let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
    let mut fields = Fields::new(value, pointer, &known, errors)?;
    Some(FaultDraft {
        kind: kind_of(word, &mut fields),
        probability: fields.read("probability", Probability::CERTAIN, probability),
        seed: fields.nullable("seed", None, |v| integer(v, 0, u64::MAX)),
        ttl: fields.limit("ttl", None, duration),
    })
}

fn kind_of(word: &str, fields: &mut Fields<'_>) -> FaultKind {
    match word {
        "latency" => FaultKind::Latency {
            delay: fields.read("delay", Duration::ZERO, duration),
            jitter: fields.read("jitter", Duration::ZERO, duration),
            distribution: fields.read("distribution", Distribution::Uniform, distribution),
        },
        "bandwidth" => FaultKind::Bandwidth {
            rate: required(fields, "rate", "bytes a second, such as 1024 or \"64KiB\"", size),
            direction: fields.nullable("direction", None, direction),
        },
        "dribble" => FaultKind::Dribble {
            bytes: required(fields, "bytes", "the bytes of a drop", size),
            every: required(fields, "every", "the time between two drops, such as \"10ms\"", duration),
        },
        "reset" | "close" => {
            let when = fields.read("when", When::Reply, when);
            let after_bytes = fields.read("after_bytes", 0, size);
            match word {
                "reset" => FaultKind::Reset { when, after_bytes },
                _ => FaultKind::Close { when, after_bytes },
            }
        }
        "truncate" => FaultKind::Truncate { bytes: required(fields, "bytes", "the bytes that leave", size) },
        "corrupt" => {
            let bits = fields.read("bits", 1, |v| integer(v, 1, u64::from(u32::MAX)));
            FaultKind::Corrupt { bits: u32::try_from(bits).unwrap_or(u32::MAX) }
        }
        "stall" => FaultKind::Stall,
        "stop_reading" => FaultKind::StopReading { after_bytes: fields.read("after_bytes", 0, size) },
        "refuse" => FaultKind::Refuse,
        _ => FaultKind::HalfOpen,
    }
}

/// A member that must be there; what it is for is said where it is not.
fn required<T: Default>(
    fields: &mut Fields<'_>,
    name: &str,
    what: &str,
    parse: impl FnOnce(&Value) -> Result<T, String>,
) -> T {
    if fields.get(name).is_none() {
        fields.wrong(name, format!("is required: {what}"));
    }
    fields.read(name, T::default(), parse)
}

fn probability(value: &Value) -> Result<Probability, String> {
    let found = value.as_f64().and_then(Probability::new);
    found.ok_or_else(|| "must be a number more than 0 and up to 1".to_owned())
}

fn direction(value: &Value) -> Result<Direction, String> {
    let all = [Direction::Received, Direction::Sent];
    let found = all.into_iter().find(|direction| value.as_str() == Some(direction.as_str()));
    found.ok_or_else(|| "must be one of received, sent; without it, both are meant".to_owned())
}

fn distribution(value: &Value) -> Result<Distribution, String> {
    let word = string(value)?;
    let found = Distribution::ALL.into_iter().find(|distribution| word == distribution.as_str());
    found.ok_or_else(|| "must be one of uniform, normal".to_owned())
}

fn when(value: &Value) -> Result<When, String> {
    let word = string(value)?;
    let found = When::ALL.into_iter().find(|when| word == when.as_str());
    found.ok_or_else(|| "must be one of accept, message, reply".to_owned())
}

/// Writes a fault with all defaults, such that [`read_fault`] reads it back.
pub(super) fn fault_to_json(fault: &FaultDraft) -> Value {
    let mut object = Map::new();
    object.insert("type".to_owned(), fault.kind.as_str().into());
    let own = match &fault.kind {
        FaultKind::Latency { delay, jitter, distribution } => json!({
            "delay": format_duration(*delay), "jitter": format_duration(*jitter),
            "distribution": distribution.as_str(),
        }),
        FaultKind::Bandwidth { rate, direction } => {
            json!({"rate": rate, "direction": direction.map(Direction::as_str)})
        }
        FaultKind::Dribble { bytes, every } => json!({"bytes": bytes, "every": format_duration(*every)}),
        FaultKind::Reset { when, after_bytes } | FaultKind::Close { when, after_bytes } => {
            json!({"when": when.as_str(), "after_bytes": after_bytes})
        }
        FaultKind::Truncate { bytes } => json!({"bytes": bytes}),
        FaultKind::Corrupt { bits } => json!({"bits": bits}),
        FaultKind::StopReading { after_bytes } => json!({"after_bytes": after_bytes}),
        FaultKind::Stall | FaultKind::Refuse | FaultKind::HalfOpen => json!({}),
    };
    if let Value::Object(own) = own {
        object.extend(own);
    }
    object.insert("probability".to_owned(), fault.probability.get().into());
    object.insert("seed".to_owned(), fault.seed.into());
    object.insert("ttl".to_owned(), fault.ttl.map(format_duration).into());
    Value::Object(object)
}
