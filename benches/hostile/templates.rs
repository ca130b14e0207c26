//! Templates at the end of their fuel.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bytes::Bytes;

use answerback::domain::{IdSource, ListenerDraft, ListenerSpec, Reply, TemplateForm, Timestamp};
use answerback::wire::{Client, Conversation};

use crate::Memory;

/// How many there are.
pub(crate) const LINES: usize = 24;
/// Bytes of the message.
pub(crate) const MESSAGE: usize = 64 << 10;
/// Renderings of each.
const TIMES: u32 = 10;

/// Does this again and again, for as long as there is fuel.
fn again(expression: &str) -> String {
    format!("{{% for n in range(4000) %}}{{% if {expression} %}}{{% endif %}}{{% endfor %}}")
}

fn shown(expression: &str) -> String {
    format!("{{{{ {expression} }}}}")
}

/// A name, a template, and what the message is full of.
fn line(n: usize) -> (&'static str, String, &'static str) {
    let (bytes, high) = ("a", "\u{390}");
    match n {
        0 => {
            let all = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
            ("loops in loops", all.to_owned(), bytes)
        }
        1 => ("the message again and again", shown("message.text").repeat(200), bytes),
        2 => ("a text that is repeated", shown("'x' * 300000"), bytes),
        3 => ("a text that is repeated 2^60 times", shown("message.text * 1152921504606846976"), bytes),
        4 => ("a list that is repeated", shown("([1] * 99999999)|length"), bytes),
        5 => ("a list that is written", shown("range(100000) ~ ''"), bytes),
        6 => ("a power of a power", shown("99999 ** 99999 ** 99"), bytes),
        7 => ("powers", shown(&["99999**7"; 300].join("*")), bytes),
        8 => ("a chain of ~", again(&["message.hex"; 300].join("~")), bytes),
        9 => ("a chain of ~ of small texts", again(&["'a'"; 900].join("~")), bytes),
        10 => ("the message as a whole", again("message ~ ''"), bytes),
        11 => ("upper of what becomes three times as long", again("message.text|upper"), high),
        12 => ("comparisons", again("message.text ~ 'a' == message.text ~ 'b'"), bytes),
        13 => (
            "functions in each other",
            shown(&format!("{}message.text{}", "text(hex(".repeat(190), "))".repeat(190))),
            bytes,
        ),
        14 => ("CRC-64 of a large message", again("crc('CRC-64/XZ', message.hex)"), bytes),
        15 => ("CRC-3 of a large message", again("crc('CRC-3/GSM', message.hex)"), bytes),
        16 => ("xor of a large message", again("xor(message.hex)"), bytes),
        17 => ("parts of a large message", again("slice(0, 1)"), bytes),
        18 => ("len of a large message", again("len(message.hex)"), bytes),
        19 => ("random bytes", again("random(4096)"), bytes),
        20 => ("many counters", again("counter(n ~ '')"), bytes),
        21 => ("a CRC that has no name", shown("crc(message.text, '00')"), bytes),
        22 => ("strftime of what the client sent", again("strftime(message.text)"), "%255c"),
        _ => ("text of a large message", again("text(message.hex)"), bytes),
    }
}

/// Prints a line.
pub(crate) fn measure(n: usize) -> Result<()> {
    let (name, source, filling) = line(n);
    let reply = Reply::Template { source, form: TemplateForm::Text, seed: Some(1) };
    let draft =
        ListenerDraft { reply, then: Some(answerback::domain::Then::Keep), ..ListenerDraft::default() };
    let spec = match ListenerSpec::new(draft) {
        Ok(spec) => spec,
        Err(faults) => {
            let why = faults.first().map(ToString::to_string).unwrap_or_default();
            println!("{name:44} {:>9} {:>9}  refused: {why}", "-", "-");
            return Ok(());
        }
    };
    let (now, message) =
        (Timestamp::from_micros(1_700_000_000_000_000), filling.repeat(MESSAGE / filling.len()));
    let client = Client { address: ([127, 0, 0, 1], 1).into(), number: 1, port: 1 };
    let mut talk = Conversation::new(IdSource::new(1).connection(now), client);
    let (memory, mut longest, mut outcome) = (Memory::watch()?, Duration::ZERO, String::new());
    for _ in 0..TIMES {
        let began = Instant::now();
        let turn = talk.on_bytes(&spec, Bytes::from(message.clone()), now);
        longest = longest.max(began.elapsed());
        let step = turn.first.ok_or_else(|| anyhow!("no step"))?;
        let failure = step.received.and_then(|message| message.note).and_then(|note| note.failure);
        outcome = failure.map_or_else(
            || format!("{} bytes", step.send.len()),
            |why| format!("{} ({} bytes of words)", why.chars().take(60).collect::<String>(), why.len()),
        );
    }
    println!("{name:44} {:9.1} {:9}  {outcome}", longest.as_secs_f64() * 1e3, memory.held()?);
    Ok(())
}
