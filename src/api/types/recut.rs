//! The query that asks for the bytes of a connection to be cut anew.

use serde_json::{Value, json};

use crate::api::extract::QueryPairs;
use crate::domain::{Cut, Direction, FieldError, FramingDraft, OnOverflow};
use crate::store::{Cursor, Position};

use super::framing::{read_framing, type_names};
use super::message::Style;
use super::query::{Parameters, direction};

/// Parameters of a list of messages that mean nothing where they are cut anew.
const OTHERS: [&str; 6] = ["since", "until", "contains", "contains_hex", "order", "wait"];
/// Bytes of a frame at most in the short forms: nothing waits for its end here, so it may be longer than on an endpoint.
const MAX: u64 = 1 << 20;
const HOW: &str = "write delimiter:0d0a (hex), fixed:64, length_prefixed:2 or ascii_length:4 (the width), \
                   octet_counting or until_close; or the JSON of a listener's framing";

/// How the bytes of a connection are to be cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecutRequest {
    /// By what.
    pub(crate) framing: FramingDraft,
    /// Which bytes.
    pub(crate) direction: Direction,
    /// Only what ends behind this place of the stream.
    pub(crate) after: u64,
    /// Items at most.
    pub(crate) limit: usize,
    /// How they are shown.
    pub(crate) style: Style,
}

/// Reads the query of a list that has `framing` in it.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_recut(query: QueryPairs) -> Result<RecutRequest, Vec<FieldError>> {
    let mut parameters = Parameters::new(query);
    parameters.refuse(&OTHERS, "framing");
    let mut faults = Vec::new();
    let framing = parameters.read("framing", |text| {
        let read = framing(text).map_err(|found| faults = found);
        Ok(read.ok())
    });
    let direction = parameters.read("direction", direction).unwrap_or(Direction::Received);
    let after = parameters.read("after", |text| Cursor::parse(text).map(|Cursor(Position(after))| after));
    let (limit, style) = (parameters.limit(), parameters.style());
    faults.into_iter().for_each(|fault| parameters.wrong("framing", said(fault)));
    parameters.finish()?;
    let framing = framing.flatten().ok_or_else(Vec::new)?;
    Ok(RecutRequest { framing, direction, after: after.unwrap_or_default(), limit, style })
}

/// A fault within the JSON of a parameter, which has no place of its own to point to.
fn said(fault: FieldError) -> String {
    if fault.pointer.is_empty() { fault.detail } else { fault.to_string() }
}

/// The JSON of a spec, or a type, alone or with its main member behind a colon.
fn framing(text: &str) -> Result<FramingDraft, Vec<FieldError>> {
    let wrong = |detail: String| vec![FieldError::new("", detail)];
    let number = |text: &str| {
        let number = text.parse::<u64>().map(Value::from);
        number.map_err(|_| wrong(format!("`{}` is no number; {HOW}", text.escape_debug())))
    };
    let is_short = !text.starts_with('{');
    let value = match text.split_once(':') {
        _ if !is_short => {
            serde_json::from_str(text).map_err(|fault| wrong(format!("is no JSON: {fault}; {HOW}")))?
        }
        Some((name @ "delimiter", hex)) => json!({"type": name, "delimiters": [{ "hex": hex }]}),
        Some((name @ "fixed", size)) => json!({"type": name, "size": number(size)?}),
        Some((name @ ("length_prefixed" | "ascii_length"), width)) => {
            json!({"type": name, "width": number(width)?})
        }
        None if type_names().any(|name| name == text) => json!({ "type": text }),
        _ => return Err(wrong(HOW.to_owned())),
    };
    let mut errors = Vec::new();
    match read_framing(&value, "", &mut errors) {
        _ if !errors.is_empty() => Err(errors),
        Some(FramingDraft { cut: Cut::IdleGap(_), .. }) => {
            Err(wrong(format!("the record does not say where in a message there was a pause; {HOW}")))
        }
        Some(draft) if is_short => Ok(FramingDraft { max: MAX, on_overflow: OnOverflow::Raw, ..draft }),
        Some(draft) => Ok(draft),
        None => Err(wrong(format!("without `framing`, messages are listed as they were recorded; {HOW}"))),
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts;
    use axum::http::Request;

    use super::*;

    async fn recut(query: &str) -> Result<RecutRequest, Vec<FieldError>> {
        let (mut parts, ()) = Request::get(format!("/x?{query}")).body(()).unwrap().into_parts();
        parse_recut(QueryPairs::from_request_parts(&mut parts, &()).await.unwrap())
    }

    #[tokio::test]
    async fn a_framing_is_read_in_short_and_as_json() {
        let short = recut("framing=fixed:64&limit=5&direction=sent").await.unwrap();
        assert_eq!((short.framing.cut, short.framing.max), (Cut::Fixed(64), MAX));
        assert_eq!((short.limit, short.direction, short.after), (5, Direction::Sent, 0));
        for text in ["delimiter:0d0a", "length_prefixed:4", "ascii_length:4", "octet_counting", "until_close"]
        {
            assert!(recut(&format!("framing={text}")).await.is_ok(), "{text}");
        }
        let json =
            recut("framing={\"type\":\"fixed\",\"size\":3,\"max\":9}".replace('"', "%22").as_str()).await;
        assert_eq!(json.unwrap().framing.max, 9);
    }

    #[tokio::test]
    async fn what_is_wrong_is_said() {
        for text in
            ["", "none", "idle_gap", "lines", "fixed:x", "fixed", "delimiter:0", "{", "{}", "{%22type%22:1}"]
        {
            let faults = recut(&format!("framing={text}")).await.unwrap_err();
            assert_eq!(
                faults.iter().map(|fault| &*fault.pointer).collect::<Vec<_>>(),
                ["?framing"],
                "{text}"
            );
        }
        let faults = recut("framing=fixed:1&wait=1s&order=asc").await.unwrap_err();
        assert_eq!(faults.len(), 2);
        assert!(faults[0].detail.contains("does not go with `framing`"));
    }
}
