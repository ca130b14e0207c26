//! Bytes written in JSON: hex and base64.

use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::{Value, json};

use crate::domain::{FieldError, Literal};

use super::fields::{Fields, kind, string};

/// Reads bytes that stand at `pointer`: a string, which is a text in the listener's encoding, `{"hex":…}` or
/// `{"base64":…}`. What is wrong with them is noted.
pub(crate) fn read_literal(value: &Value, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Literal> {
    let object = match value {
        Value::String(text) => return Some(Literal::Text(text.clone())),
        Value::Object(object) if object.len() == 1 => object,
        other => {
            let detail = "must be a string, {\"hex\":…} or {\"base64\":…}";
            let detail =
                if other.is_object() { detail.to_owned() } else { format!("{detail}, not {}", kind(other)) };
            errors.push(FieldError::new(pointer, detail));
            return None;
        }
    };
    let mut fields = Fields::new(value, pointer, &["hex", "base64"], errors)?;
    if object.contains_key("hex") {
        fields.read("hex", None, |v| parse_hex(string(v)?).map(Literal::Hex).map(Some))
    } else {
        fields.read("base64", None, |v| parse_base64(string(v)?).map(Literal::Base64).map(Some))
    }
}

/// Writes bytes in the form in which they were given.
pub(crate) fn literal_to_json(literal: &Literal) -> Value {
    match literal {
        Literal::Text(text) => json!(text),
        Literal::Hex(bytes) => json!({"hex": format_hex(bytes)}),
        Literal::Base64(bytes) => json!({"base64": format_base64(bytes)}),
    }
}

/// Reads hex digits of either case, in pairs, with any white space between: `78 78 05`.
///
/// # Errors
/// A sentence that says what is wrong.
pub(crate) fn parse_hex(text: &str) -> Result<Bytes, String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if let Some(stray) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(format!("`{}` is no hex digit; write bytes like `78 78 05`", stray.escape_debug()));
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
    bytes.map(Bytes::from).map_err(|_| "an odd number of hex digits; each byte has two".to_owned())
}

/// Writes bytes as `parse_hex` reads them: lower case, a space between bytes.
pub(crate) fn format_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&HEXLOWER.encode(&[*byte]));
    }
    text
}

/// Reads base64 (RFC 4648), standard or URL-safe, padded or not.
///
/// # Errors
/// A sentence that says what is wrong.
pub(crate) fn parse_base64(text: &str) -> Result<Bytes, String> {
    let forms = [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD];
    let bytes = forms.iter().find_map(|form| form.decode(text.as_bytes()).ok());
    bytes.map(Bytes::from).ok_or_else(|| "no base64 (RFC 4648)".to_owned())
}

/// Writes bytes as base64, standard and padded.
pub(crate) fn format_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_with_and_without_spaces_and_its_faults_are_named() {
        assert_eq!(parse_hex("78 78 05").unwrap()[..], [0x78, 0x78, 5]);
        assert_eq!(parse_hex("7878\n0D0a").unwrap()[..], [0x78, 0x78, 0x0d, 0x0a]);
        assert!(parse_hex("").unwrap().is_empty());
        assert!(parse_hex("7").unwrap_err().contains("odd"));
        assert!(parse_hex("0x78").unwrap_err().contains("`x`"));
        assert_eq!(format_hex(&[0x78, 5]), "78 05");
    }

    #[test]
    fn base64_is_read_in_its_four_forms() {
        for text in ["+/8=", "+/8", "-_8=", "-_8"] {
            assert_eq!(parse_base64(text).unwrap()[..], [0xfb, 0xff], "{text}");
        }
        assert!(parse_base64("a b").is_err());
    }
}
