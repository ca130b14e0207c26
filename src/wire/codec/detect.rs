//! What a peer seems to speak.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::*;

use crate::domain::Charset;

/// Bytes that are looked at: what a peer speaks shows early, and a guess must not cost more than reading.
const LOOKED_AT: usize = 64 << 10;

/// Bytes that the statistics see, from the first that is not ASCII: 0.1 ms for 1 KiB, 11 ms for 64 KiB (measured).
const SAMPLE: usize = 1 << 10;

/// So many bytes beyond ASCII are enough for statistics; with fewer, what is expected weighs more.
const FEW: usize = 24;

/// The encoding of bytes that a peer sent; `likely` is the one it was expected to use.
///
/// `None` where there is nothing to tell: only ASCII, a single byte, or bytes that are no text.
/// Text in UTF-8 is never taken for anything else.
pub fn detect(bytes: &[u8], likely: Charset) -> Option<&'static Encoding> {
    let bytes = bytes.get(..LOOKED_AT).unwrap_or(bytes);
    let beginning = bytes.iter().position(|&byte| byte >= 0x80 || byte == 0x1b)?;
    if bytes.len() == 1 {
        return None;
    }
    let expected = likely.fixed();
    let is_utf_8 = utf_8(bytes);
    if is_utf_8 == Utf8::Yes {
        return Some(UTF_8);
    }
    if is_utf_8 == Utf8::Begun && expected.is_some_and(|e| e == UTF_8 || reads(bytes, e, End::Here)) {
        return expected;
    }
    let sample = bytes.get(beginning.saturating_sub(2)..).unwrap_or_default();
    let end = if is_utf_8 == Utf8::Begun { End::Here } else { End::Open };
    let sample = sample.get(..SAMPLE).unwrap_or(sample);
    let guess = guess(sample, expected, end)?;
    // Bytes with a NUL in the middle are a binary protocol; a text in it is believed only where it is expected.
    let binary = bytes.split_last().is_some_and(|(_, front)| front.contains(&0));
    (expected == Some(guess) || !binary).then_some(guess)
}

/// The encoding to read a stream in that begins with these bytes: `auto` is what they seem to be, else UTF-8.
pub fn encoding_for(charset: Charset, stream_beginning: &[u8]) -> &'static Encoding {
    charset.fixed().or_else(|| detect(stream_beginning, charset)).unwrap_or(UTF_8)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Utf8 {
    /// At least one character beyond ASCII, and at most the last one is not complete.
    Yes,
    /// All that is beyond ASCII is the beginning of one character, at the end: Latin texts end so too (`café`).
    Begun,
    No,
}

fn utf_8(bytes: &[u8]) -> Utf8 {
    // What is looked at may begin in the middle of a character; then two whole ones must follow.
    let skipped = bytes.iter().take(3).take_while(|byte| matches!(byte, 0x80..=0xbf)).count();
    let bytes = bytes.get(skipped..).unwrap_or_default();
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(fault) if fault.error_len().is_some() => return Utf8::No,
        Err(fault) => {
            bytes.get(..fault.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
        }
    };
    let beyond_ascii = valid.chars().filter(|c| !c.is_ascii()).take(2).count();
    match (skipped, beyond_ascii) {
        (0, 1..) | (_, 2..) => Utf8::Yes,
        (0, 0) if valid.len() < bytes.len() => Utf8::Begun,
        _ => Utf8::No,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The stream may go on.
    Open,
    /// The last character is complete.
    Here,
}

fn guess(sample: &[u8], expected: Option<&'static Encoding>, end: End) -> Option<&'static Encoding> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let beyond_ascii = detector.feed(sample, end == End::Here);
    let home = expected.and_then(home);
    let guess = detector.guess(home.map(str::as_bytes), Utf8Detection::Deny);
    if !beyond_ascii {
        return (guess == ISO_2022_JP).then_some(guess);
    }
    let few = sample.iter().filter(|byte| **byte >= 0x80).count() < FEW;
    let better = match expected {
        Some(expected) if few || !is_ever_guessed(expected) => {
            (home.is_some() && self::home(guess) == home).then_some(expected)
        }
        None if few && (guess == EUC_KR || guess == EUC_JP) => is_chinese(sample).then_some(GBK),
        _ => None,
    };
    [better, Some(guess)].into_iter().flatten().find(|encoding| reads(sample, encoding, end))
}

/// Whether the bytes are all characters of the encoding.
fn reads(bytes: &[u8], encoding: &'static Encoding, end: End) -> bool {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(bytes.len() * 3 + 16);
    !decoder.decode_to_string(bytes, &mut text, end == End::Here).2
}

/// A few double bytes are words in GBK and in its Korean and Japanese siblings alike. This project's clients are first
/// of all those that the default encoding is for, so what reads as Chinese characters without any kana is Chinese.
fn is_chinese(sample: &[u8]) -> bool {
    let (text, malformed) = GBK.decode_without_bom_handling(sample);
    let fits = |c: char| {
        c.is_ascii()
            || matches!(c, '\u{3000}'..='\u{3017}' | '\u{4e00}'..='\u{9fff}' | '\u{ff01}'..='\u{ff5e}')
    };
    !malformed && text.chars().all(fits)
}

/// A top-level domain at whose sites the encoding is native: the detector's way to be told what to expect.
fn home(encoding: &'static Encoding) -> Option<&'static str> {
    let homes: [(&str, &[&Encoding]); 15] = [
        ("cn", &[GBK, GB18030]),
        ("tw", &[BIG5]),
        ("jp", &[SHIFT_JIS, EUC_JP, ISO_2022_JP]),
        ("kr", &[EUC_KR]),
        ("ru", &[WINDOWS_1251, KOI8_R, KOI8_U, IBM866, ISO_8859_5, X_MAC_CYRILLIC]),
        ("fr", &[WINDOWS_1252, ISO_8859_15, ISO_8859_3, ISO_8859_10, ISO_8859_14, MACINTOSH]),
        ("cz", &[WINDOWS_1250]),
        ("pl", &[ISO_8859_2, ISO_8859_16]),
        ("gr", &[WINDOWS_1253, ISO_8859_7]),
        ("tr", &[WINDOWS_1254]),
        ("il", &[WINDOWS_1255, ISO_8859_8, ISO_8859_8_I]),
        ("sa", &[WINDOWS_1256, ISO_8859_6]),
        ("lv", &[WINDOWS_1257, ISO_8859_13, ISO_8859_4]),
        ("vn", &[WINDOWS_1258]),
        ("th", &[WINDOWS_874]),
    ];
    homes.iter().find(|(_, native)| native.contains(&encoding)).map(|(home, _)| *home)
}

/// Whether the detector knows the encoding; of those that it does not know it names the nearest relative.
fn is_ever_guessed(encoding: &'static Encoding) -> bool {
    let never = [
        GB18030,
        KOI8_R,
        X_MAC_CYRILLIC,
        ISO_8859_15,
        ISO_8859_3,
        ISO_8859_10,
        ISO_8859_14,
        ISO_8859_16,
        MACINTOSH,
        ISO_8859_8_I,
    ];
    !never.contains(&encoding)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn charset(label: &str) -> Charset {
        Charset::parse(label).unwrap()
    }

    #[track_caller]
    fn assert_detected(text: &str, written_in: &str, likely: &str, expected: Option<&'static Encoding>) {
        let bytes = charset(written_in).encode(text).unwrap();
        assert_eq!(detect(&bytes, charset(likely)), expected, "{text} in {written_in}, likely {likely}");
    }

    #[test]
    fn the_shortest_gbk_words_are_gbk_where_gbk_is_likely_or_nothing_is_known() {
        for word in [
            "登录",
            "你好",
            "是",
            "否",
            "请求",
            "在线",
            "测试数据",
            "温度:25",
            "LOGIN 张三",
            "1号",
            "您好，世界",
        ] {
            assert_detected(word, "gbk", "gbk", Some(GBK));
            assert_detected(word, "gbk", "gb18030", Some(GB18030));
            assert_detected(
                word,
                "gbk",
                "utf-8",
                detect(&charset("gbk").encode(word).unwrap(), charset("utf-8")),
            );
        }
        for word in ["登录", "你好", "否", "请求", "测试数据", "温度:25", "1号"] {
            assert_detected(word, "gbk", "auto", Some(GBK));
        }
    }

    #[test]
    fn words_in_the_likely_encoding_are_recognized() {
        for (word, label) in [
            ("登錄", "big5"),
            ("こんにちは", "shift_jis"),
            ("こんにちは", "euc-jp"),
            ("안녕", "euc-kr"),
            ("привет", "windows-1251"),
            ("привет", "koi8-r"),
            ("привет", "ibm866"),
            ("café", "windows-1252"),
            ("café", "iso-8859-15"),
            ("Γειά σου", "windows-1253"),
            ("日本", "iso-2022-jp"),
        ] {
            assert_detected(word, label, label, charset(label).fixed());
        }
    }

    #[test]
    fn a_surprise_is_recognized_when_the_likely_encoding_cannot_be_it() {
        assert_detected("naïve déjà vu", "windows-1252", "gbk", Some(WINDOWS_1252));
        assert_detected("設備狀態正常，溫度二十五度", "big5", "utf-8", Some(BIG5));
        assert_detected("日本", "iso-2022-jp", "gbk", Some(ISO_2022_JP));
        assert_detected("café", "windows-1252", "auto", Some(WINDOWS_1252));
    }

    #[test]
    fn utf_8_is_never_mistaken() {
        for likely in ["gbk", "big5", "shift_jis", "windows-1252", "utf-8", "auto"] {
            for text in ["登录请求，请处理！", "é", "查询", "😀", "a\0中\0"] {
                assert_detected(text, "utf-8", likely, Some(UTF_8));
            }
            assert_eq!(
                detect("状态查".as_bytes().get(..8).unwrap(), charset(likely)),
                Some(UTF_8),
                "cut at its end"
            );
            assert_eq!(
                detect("状态查".as_bytes().get(1..).unwrap(), charset(likely)),
                Some(UTF_8),
                "cut at its start"
            );
        }
    }

    #[test]
    fn where_there_is_nothing_to_tell_nothing_is_told() {
        for bytes in [&b""[..], b"plain", b"\xc4", b"\x1b[31mred\x1b[0m"] {
            assert_eq!(detect(bytes, charset("gbk")), None, "{bytes:?}");
        }
        let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x8e\xe1\x00\x1f\xff\xa0";
        assert_eq!(detect(hello, charset("gbk")), None);
        assert_eq!(detect(hello, charset("auto")), None);
        assert_eq!(encoding_for(charset("auto"), b"plain"), UTF_8);
        assert_eq!(encoding_for(charset("big5"), "登录".as_bytes()), BIG5);
    }

    proptest! {
        #[test]
        fn what_is_detected_can_be_read(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            likely in proptest::sample::select(vec!["gbk", "utf-8", "koi8-r", "iso-2022-jp", "auto", "euc-jp"]),
        ) {
            if let Some(encoding) = detect(&bytes, charset(likely)) {
                prop_assert!(encoding == UTF_8 || reads(&bytes, encoding, End::Open));
            }
        }
    }
}
