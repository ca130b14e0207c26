//! A reply as JSON, read and written.

use serde_json::{Value, json};

use crate::domain::{Charset, FieldError, Reply, ReplyEncoding, TemplateForm};

use super::fields::{Fields, integer, kind, string};
use super::literal::{format_base64, format_hex, parse_base64, parse_hex};

/// The forms of a reply: the member that tells which it is.
pub(super) const FORMS: [&str; 5] = ["text", "hex", "base64", "echo", "template"];

/// Reads a reply that stands at `pointer`; what is wrong with it is noted.
pub(super) fn read_reply(value: &Value, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Reply> {
    let mut wrong = |pointer: String, detail: String| {
        errors.push(FieldError::new(pointer, detail));
        None
    };
    let object = match value {
        Value::Null => return Some(Reply::Silence),
        Value::String(text) => return Some(Reply::Text { text: text.clone(), encoding: None }),
        Value::Object(object) => object,
        other => {
            let detail = format!("must be a string, an object or null (silence), not {}", kind(other));
            return wrong(pointer.to_owned(), detail);
        }
    };
    let mut forms = FORMS.into_iter().filter(|form| object.contains_key(*form));
    let Some(form) = forms.next() else {
        let detail =
            "must have one of text, hex, base64, echo, template; or be a string, or null for silence";
        return wrong(pointer.to_owned(), detail.to_owned());
    };
    if let Some(second) = forms.next() {
        let detail = "a reply has one form: text, hex, base64, echo or template";
        return wrong(format!("{pointer}/{second}"), detail.to_owned());
    }
    let known: &[&str] = match form {
        "text" => &["text", "encoding"],
        "template" => &["template", "as", "seed"],
        _ => &[form],
    };
    of_form(Fields::new(value, pointer, known, errors)?, form)
}

fn of_form(mut fields: Fields<'_>, form: &str) -> Option<Reply> {
    match form {
        "text" => {
            let encoding = fields.nullable("encoding", None, |v| match string(v)? {
                "peer" => Ok(ReplyEncoding::Peer),
                label => Charset::parse(label).map(ReplyEncoding::Fixed),
            });
            let text = |v: &Value| Ok(Some(Reply::Text { text: string(v)?.to_owned(), encoding }));
            fields.read("text", None, text)
        }
        "hex" => fields.read("hex", None, |v| parse_hex(string(v)?).map(Reply::Hex).map(Some)),
        "base64" => fields.read("base64", None, |v| parse_base64(string(v)?).map(Reply::Base64).map(Some)),
        "template" => {
            let form = fields.read("as", TemplateForm::Text, template_form);
            let seed = fields.nullable("seed", None, |v| integer(v, 0, u64::MAX));
            let template =
                |v: &Value| Ok(Some(Reply::Template { source: string(v)?.to_owned(), form, seed }));
            fields.read("template", None, template)
        }
        _ => fields.read("echo", None, |v| match v {
            Value::Bool(true) => Ok(Some(Reply::Echo)),
            _ => Err("must be true; for silence, the reply is null".to_owned()),
        }),
    }
}

fn template_form(value: &Value) -> Result<TemplateForm, String> {
    let forms = [TemplateForm::Text, TemplateForm::Hex];
    let found = forms.into_iter().find(|form| value.as_str() == Some(form.as_str()));
    found.ok_or_else(|| "must be one of text, hex".to_owned())
}

/// Writes a reply in the form it was given.
pub(crate) fn reply_to_json(reply: &Reply) -> Value {
    match reply {
        Reply::Silence => Value::Null,
        Reply::Echo => json!({"echo": true}),
        Reply::Hex(bytes) => json!({"hex": format_hex(bytes)}),
        Reply::Base64(bytes) => json!({"base64": format_base64(bytes)}),
        Reply::Template { source, form, seed } => {
            let mut object = json!({"template": source, "as": form.as_str()});
            if let Some(seed) = seed {
                object["seed"] = json!(seed);
            }
            object
        }
        Reply::Text { text, encoding: None } => json!({"text": text}),
        Reply::Text { text, encoding: Some(ReplyEncoding::Peer) } => {
            json!({"text": text, "encoding": "peer"})
        }
        Reply::Text { text, encoding: Some(ReplyEncoding::Fixed(charset)) } => {
            json!({"text": text, "encoding": charset.to_string()})
        }
    }
}
