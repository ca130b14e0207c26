//! Where the API is.

use hyper::Uri;

/// The `HOST:PORT` of an address such as `http://127.0.0.1:7070`.
///
/// # Errors
/// A sentence that says how it is to be written.
pub(crate) fn authority(url: &str) -> Result<String, String> {
    let wrong = || format!("`{url}` is no address of an API; write it like http://127.0.0.1:7070");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let authority =
        uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
    let port = match authority.port_u16() {
        Some(port) => port,
        None if authority.as_str() == authority.host() => 80,
        None => return Err(wrong()),
    };
    if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong());
    }
    Ok(format!("{}:{port}", authority.host()))
}

/// A part of a path or a query, with everything escaped that has a meaning there.
pub(crate) fn escaped(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_from_a_url() {
        for (url, expected) in [
            ("http://127.0.0.1:7070", "127.0.0.1:7070"),
            ("http://[::1]:7070/", "[::1]:7070"),
            ("http://answerback", "answerback:80"),
        ] {
            assert_eq!(authority(url).as_deref(), Ok(expected));
        }
        for url in [
            "",
            "127.0.0.1:7070",
            "https://a:1",
            "http://",
            "http://a/b",
            "http://a@b:1",
            "http://a/?b",
            "http://a:99999",
        ] {
            assert!(authority(url).unwrap_err().contains("http://127.0.0.1:7070"), "{url}");
        }
    }

    #[test]
    fn what_has_a_meaning_in_an_address_is_escaped() {
        assert_eq!(escaped("a-Z.0_~"), "a-Z.0_~");
        assert_eq!(escaped("../a b&c=问"), "..%2Fa%20b%26c%3D%E9%97%AE");
    }
}
