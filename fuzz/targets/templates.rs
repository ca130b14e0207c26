//! Any template and any message: bytes or an error, in bounded time and size.
#![no_main]

use std::time::{Duration, Instant};

use answerback::domain::{IdSource, ListenerDraft, ListenerSpec, Reply, TemplateForm, Timestamp};
use answerback::wire::{Client, Conversation};
use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    /// Pieces of the language, so that most of what is made can be compiled.
    parts: Vec<Part>,
    hex: bool,
    message: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum Part {
    Text(String),
    Expression(Vec<u8>),
    Raw(String),
}

/// What expressions are made of.
const WORDS: [&str; 48] = [
    "message",
    ".text",
    ".hex",
    ".size",
    ".seq",
    "captures",
    "connection",
    ".id",
    ".peer",
    ".ip",
    ".port",
    "listener",
    ".name",
    "now",
    "slice(",
    "u8(",
    "u16be(",
    "u16le(",
    "u32be(",
    "u64le(",
    "int(",
    "bcd(",
    "hex(",
    "text(",
    "len(",
    "xor(",
    "sum8(",
    "lrc(",
    "crc(",
    "random(",
    "counter(",
    "strftime(",
    ")",
    ",",
    "~",
    "+",
    "-",
    "*",
    "//",
    "%",
    "'be'",
    "'CRC-16/IBM-SDLC'",
    "'00ff'",
    "0",
    "1",
    "99999999999",
    " if ",
    " else ",
];

fn source(parts: Vec<Part>) -> String {
    let one = |part| match part {
        Part::Text(text) => text.replace(['{', '}'], ""),
        Part::Raw(text) => text,
        Part::Expression(words) => {
            let words = words.iter().map(|word| WORDS[usize::from(*word) % WORDS.len()]);
            format!("{{{{ {} }}}}", words.collect::<Vec<_>>().join(""))
        }
    };
    parts.into_iter().map(one).collect()
}

fuzz_target!(|input: Input| {
    let form = if input.hex { TemplateForm::Hex } else { TemplateForm::Text };
    let reply = Reply::Template { source: source(input.parts), form, seed: Some(1) };
    let began = Instant::now();
    let Ok(spec) = ListenerSpec::new(ListenerDraft { reply, ..ListenerDraft::default() }) else { return };
    let now = Timestamp::from_micros(1_700_000_000_000_000);
    let client = Client { address: ([127, 0, 0, 1], 1).into(), number: 1, port: 1 };
    let mut talk = Conversation::new(IdSource::new(1).connection(now), client);
    let turn = talk.on_bytes(&spec, Bytes::from(input.message), now);
    assert!(turn.into_steps().all(|step| step.send.len() <= 1 << 20));
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
});
