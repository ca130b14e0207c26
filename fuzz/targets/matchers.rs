//! Any rule and any message: it is taken or missed, never both; written and read back it is the same.
#![no_main]

use std::net::IpAddr;

use answerback::api::types::{read_spec, write_spec};
use answerback::domain::{
    ListenerDraft, ListenerSpec, Literal, MatcherDraft, RuleDraft, START, Subject, near_miss,
};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    rules: Vec<When>,
    messages: Vec<Vec<u8>>,
}

#[derive(Arbitrary, Debug)]
enum When {
    Equals(Vec<u8>),
    StartsWith(Vec<u8>),
    EndsWith(String),
    Contains(Vec<u8>),
    Regex(String),
    BytesAt(u64, Vec<u8>, Option<Vec<u8>>),
    Length(Option<u64>, Option<u64>),
    Nth(u64),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
}

fn draft(when: When) -> MatcherDraft {
    let hex = |bytes: Vec<u8>| Literal::Hex(bytes.into());
    let all = |list: Vec<When>| list.into_iter().map(draft).collect();
    match when {
        When::Equals(bytes) => MatcherDraft::Equals(hex(bytes)),
        When::StartsWith(bytes) => MatcherDraft::StartsWith(hex(bytes)),
        When::EndsWith(text) => MatcherDraft::EndsWith(Literal::Text(text)),
        When::Contains(bytes) => MatcherDraft::Contains(hex(bytes)),
        When::Regex(pattern) => MatcherDraft::Regex(pattern),
        When::BytesAt(offset, bytes, mask) => {
            MatcherDraft::BytesAt { offset, bytes: bytes.into(), mask: mask.map(Into::into) }
        }
        When::Length(min, max) => MatcherDraft::Length { min, max },
        When::Nth(n) => MatcherDraft::Nth(n),
        When::All(list) => MatcherDraft::All(all(list)),
        When::Any(list) => MatcherDraft::Any(all(list)),
        When::Not(not) => MatcherDraft::Not(Box::new(draft(*not))),
    }
}

fuzz_target!(|input: Input| {
    let rule = |when| RuleDraft { when: Some(draft(when)), ..RuleDraft::default() };
    let rules = input.rules.into_iter().map(rule).collect();
    let Ok(spec) = ListenerSpec::new(ListenerDraft { rules, ..ListenerDraft::default() }) else { return };
    assert_eq!(read_spec(&write_spec(&spec)).expect("what was written can be read"), spec);
    let peer = IpAddr::from([127, 0, 0, 1]);
    for (nth, content) in (1..).zip(&input.messages) {
        let subject = Subject { content, peer, nth };
        let taken: Vec<_> = spec.rules().iter().map(|rule| rule.takes(&subject, START, 0)).collect();
        if taken.iter().all(|taken| !taken) {
            let closest = near_miss(spec.rules(), &subject, START, |_| 0);
            assert_eq!(closest.is_some(), !taken.is_empty(), "there is one that came closest");
        }
        for rule in spec.rules().iter() {
            let _ = rule.captures(&subject);
        }
    }
});
