//! Who holds the token.

use std::fmt;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api::error::ApiError;

/// The token of the API, as its SHA-256 digest: the token itself is kept nowhere.
#[derive(Clone)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Takes a token from the settings.
    ///
    /// # Errors
    /// A sentence, without the token, if it could not be sent in a header as it is.
    pub fn of(token: &str) -> Result<Self, String> {
        if token.is_empty() {
            return Err("the token is empty; give one, or leave the setting out to have one made".into());
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "the token has blanks or characters beyond ASCII; use letters, digits and signs".into()
            );
        }
        Ok(Self(digest(token.as_bytes())))
    }

    /// Digests have one length, so the comparison takes the same time whatever was sent.
    fn is_of(&self, token: &[u8]) -> bool {
        digest(token).ct_eq(&self.0).into()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// A new token out of 32 bytes of the system's randomness. The prefix lets secret scanners know it.
pub fn token_text(random: [u8; 32]) -> String {
    format!("answerback_{}", BASE64URL_NOPAD.encode(&random))
}

/// Lets through who sends the token, and everybody to what is open.
///
/// # Errors
/// 401, the same whether a token is missing or wrong.
pub(super) fn check(
    wanted: Option<&TokenDigest>,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let Some(wanted) = wanted else { return Ok(()) };
    // Also without a token there is something to compare, so that both answers take the same work.
    let admitted = wanted.is_of(sent(headers).unwrap_or_default());
    if admitted || is_open(method, path) { Ok(()) } else { Err(ApiError::unauthorized()) }
}

fn sent(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token.trim_ascii())
}

/// What tells nothing of anybody's data: probes, the contract, its reader and the page.
fn is_open(method: &Method, path: &str) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let open = matches!(path, "/" | "/healthz" | "/readyz" | "/openapi.yaml" | "/openapi.json" | "/docs");
    reads && (open || path.starts_with("/docs/") || path.starts_with("/ui/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_in_no_debug_output_and_no_error() {
        assert_eq!(format!("{:?}", TokenDigest::of("secret").unwrap()), "TokenDigest(…)");
        assert!(!TokenDigest::of("sec ret").unwrap_err().contains("sec ret"));
        assert!(TokenDigest::of("").is_err() && TokenDigest::of("geheimß").is_err());
    }

    #[test]
    fn a_made_token_can_be_sent_as_it_is() {
        let token = token_text([0xff; 32]);
        assert_eq!(token.len(), "answerback_".len() + 43);
        assert!(TokenDigest::of(&token).unwrap().is_of(token.as_bytes()));
    }
}
