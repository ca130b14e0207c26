//! Matchers against the plainest reading of each, and near misses against both.

use std::net::IpAddr;

use bytes::Bytes;
use proptest::prelude::*;

use super::charset::Charset;
use super::literal::Literal;
use super::matcher::{Matcher, MatcherDraft, Subject};

fn drafts() -> impl Strategy<Value = MatcherDraft> {
    let bytes = || proptest::collection::vec(prop::sample::select(&b"ab\x00"[..]), 1..4);
    let hex = |bytes: Vec<u8>| Literal::Hex(bytes.into());
    let leaf = prop_oneof![
        bytes().prop_map(move |b| MatcherDraft::Equals(hex(b))),
        bytes().prop_map(move |b| MatcherDraft::StartsWith(hex(b))),
        bytes().prop_map(move |b| MatcherDraft::EndsWith(hex(b))),
        bytes().prop_map(move |b| MatcherDraft::Contains(hex(b))),
        prop::sample::select(vec!["^a", "b$", "a.b", "(?-u:\\x00)", "(a|b){2}"])
            .prop_map(|pattern| MatcherDraft::Regex(pattern.to_owned())),
        (0..6_u64, bytes(), any::<bool>(), any::<u8>()).prop_map(|(offset, b, masked, mask)| {
            let mask = masked.then(|| Bytes::from(vec![mask; b.len()]));
            MatcherDraft::BytesAt { offset, bytes: b.into(), mask }
        }),
        (0..4_u64, 0..4_u64)
            .prop_map(|(min, more)| MatcherDraft::Length { min: Some(min), max: Some(min + more) }),
        (1..4_u64).prop_map(MatcherDraft::Nth),
        prop::sample::select(vec!["127.0.0.0/8", "10.0.0.1/32", "::/0"])
            .prop_map(|network| MatcherDraft::Peer(network.parse().unwrap())),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(MatcherDraft::All),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(MatcherDraft::Any),
            inner.prop_map(|not| MatcherDraft::Not(Box::new(not))),
        ]
    })
}

/// What a matcher means, written down as plainly as can be.
fn means(draft: &MatcherDraft, subject: &Subject<'_>) -> bool {
    let bytes = |literal: &Literal| literal.bytes(Charset::Auto).unwrap();
    let content = subject.content;
    match draft {
        MatcherDraft::Equals(literal) => *content == bytes(literal),
        MatcherDraft::StartsWith(literal) => content.starts_with(&bytes(literal)),
        MatcherDraft::EndsWith(literal) => content.ends_with(&bytes(literal)),
        MatcherDraft::Contains(literal) => {
            let wanted = bytes(literal);
            content.windows(wanted.len()).any(|window| *window == wanted)
        }
        MatcherDraft::Regex(pattern) => regex::bytes::Regex::new(pattern).unwrap().is_match(content),
        MatcherDraft::BytesAt { offset, bytes, mask } => bytes.iter().enumerate().all(|(n, wanted)| {
            let mask = mask.as_ref().map_or(0xff, |mask| mask[n]);
            let found = content.get(usize::try_from(*offset).unwrap() + n);
            found.is_some_and(|found| found & mask == wanted & mask)
        }),
        MatcherDraft::Length { min, max } => {
            (min.unwrap_or(0)..=max.unwrap_or(u64::MAX)).contains(&(content.len() as u64))
        }
        MatcherDraft::Peer(network) => network.contains(&subject.peer),
        MatcherDraft::Nth(nth) => subject.nth == *nth,
        MatcherDraft::All(list) => list.iter().all(|one| means(one, subject)),
        MatcherDraft::Any(list) => list.iter().any(|one| means(one, subject)),
        MatcherDraft::Not(not) => !means(not, subject),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn a_matcher_fits_what_it_means_and_misses_all_else(
        draft in drafts(),
        content in proptest::collection::vec(prop::sample::select(&b"ab\x00c"[..]), 0..8),
        nth in 1..4_u64,
    ) {
        let mut errors = Vec::new();
        let matcher = Matcher::new(&draft, Charset::Auto, "", &mut errors).unwrap();
        prop_assert!(errors.is_empty());
        let subject = Subject { content: &content, peer: IpAddr::from([127, 0, 0, 1]), nth };
        prop_assert_eq!(matcher.fits(&subject), means(&draft, &subject));
        let miss = matcher.miss(&subject);
        prop_assert_eq!(miss.is_none(), matcher.fits(&subject));
        if let Some(miss) = miss {
            prop_assert!((0.0..=1.0).contains(&miss.nearness) && !miss.detail.is_empty());
        }
    }
}

#[test]
fn what_no_message_can_be_is_no_matcher() {
    for (draft, pointer) in [
        (MatcherDraft::Nth(0), "/nth"),
        (MatcherDraft::Length { min: None, max: None }, "/length"),
        (
            MatcherDraft::BytesAt { offset: u64::MAX, bytes: Bytes::from_static(b"a"), mask: None },
            "/bytes_at/offset",
        ),
        (MatcherDraft::All(Vec::new()), "/all"),
    ] {
        let mut errors = Vec::new();
        assert!(Matcher::new(&draft, Charset::Auto, "", &mut errors).is_none());
        assert_eq!(errors[0].pointer, pointer);
    }
}
