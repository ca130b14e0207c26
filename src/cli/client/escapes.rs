//! Texts of flags as people would type them in a program: `OK\r\n`.

use super::remote::Fault;

/// The text with its escapes read: `\n`, `\r`, `\t`, `\0`, `\\`, `\x1b` (below 80) and `\u{95ee}`.
pub(super) fn unescape(flag: &str, text: &str) -> Result<String, Fault> {
    let mut read = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let c = if c == '\\' { escaped(&mut rest) } else { Some(c) };
        let wrong = || {
            Fault::Usage(format!(
                "{flag} {text}: with --escapes, a backslash begins \\n, \\r, \\t, \\0, \\\\, \\x1b or \\u{{95ee}}"
            ))
        };
        read.push(c.ok_or_else(wrong)?);
    }
    Ok(read)
}

/// What stands behind a backslash.
fn escaped(rest: &mut std::str::Chars<'_>) -> Option<char> {
    // A sign would be read as a part of the number.
    let is_hex = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    Some(match rest.next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        '\\' => '\\',
        'x' => {
            let digits: String = rest.by_ref().take(2).collect();
            let code = u8::from_str_radix(&digits, 16).ok();
            char::from(code.filter(|code| digits.len() == 2 && is_hex(&digits) && code.is_ascii())?)
        }
        'u' => {
            let (digits, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
            *rest = after.chars();
            u32::from_str_radix(digits, 16).ok().filter(|_| is_hex(digits)).and_then(char::from_u32)?
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        unescape("--reply", text).ok()
    }

    #[test]
    fn escapes_are_read_and_wrong_ones_are_refused() {
        assert_eq!(read(r"a\r\n\t\0\\\x1b\x7F\u{95ee}b").unwrap(), "a\r\n\t\0\\\x1b\x7f问b");
        let wrong =
            [r"\", r"\q", r"\x", r"\x1", r"\x80", r"\x+1", r"\u95ee", r"\u{}", r"\u{+41}", r"\u{d800}"];
        for text in wrong {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
