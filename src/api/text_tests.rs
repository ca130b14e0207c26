//! Texts of records that went through a journal.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::Request;
use bytes::Bytes;
use futures_util::FutureExt;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::domain::{
    Charset, CloseReason, Closing, Connection, ConnectionId, Direction, IdSource, ListenerRef, Message, Name,
    Timestamp,
};
use crate::store::{
    ConnectionQuery, Filter, Journal, MemoryJournal, MessageQuery, Order, PageRequest, Position, Record,
    Urgency,
};

use super::super::extract::QueryPairs;
use super::super::types::{Style, parse_style};
use super::Reader;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// One connection in a journal.
struct Talk {
    journal: MemoryJournal,
    id: ConnectionId,
    charset: Charset,
    said: [(u64, u64); 2],
}

impl Talk {
    fn new(label: &str) -> Self {
        let ids = IdSource::new(7);
        let (id, listener) = (ids.connection(NOW), ids.listener(NOW));
        let listener = Arc::new(ListenerRef { id: listener, name: Some(Name::parse("gate").unwrap()) });
        let journal = MemoryJournal::new(Position(1), 64 << 20);
        let (peer, local) = ("[::ffff:192.0.2.7]:51834".parse().unwrap(), "[::1]:8080".parse().unwrap());
        let connection = Connection { id, listener, peer, local, opened_at: NOW };
        journal
            .append(vec![Record::Opened(Box::new(connection))], Urgency::Now)
            .now_or_never()
            .unwrap()
            .unwrap();
        Self { journal, id, charset: Charset::parse(label).unwrap(), said: [(0, 0); 2] }
    }

    fn say(&mut self, direction: Direction, bytes: &[u8]) {
        self.say_cut(direction, bytes, bytes.len());
    }

    /// A message of which only the first `stored` bytes are kept.
    fn say_cut(&mut self, direction: Direction, bytes: &[u8], stored: usize) {
        let (seq, offset) = &mut self.said[usize::from(direction == Direction::Sent)];
        *seq += 1;
        let message = Message {
            connection: self.id,
            direction,
            seq: *seq,
            offset: *offset,
            at: NOW,
            size: bytes.len() as u64,
            payload: Bytes::copy_from_slice(&bytes[..stored]),
            sha256: (stored < bytes.len()).then(|| Box::new([0xab; 32])),
            charset: self.charset,
            note: None,
        };
        *offset += bytes.len() as u64;
        self.journal.append(vec![Record::Message(message)], Urgency::Now).now_or_never().unwrap().unwrap();
    }

    fn receive(label: &str, messages: &[&[u8]]) -> Self {
        let mut talk = Self::new(label);
        messages.iter().for_each(|bytes| talk.say(Direction::Received, bytes));
        talk
    }

    /// Its messages, in pages of so many, each page read by a reader of its own.
    async fn read(&self, order: Order, limit: usize, style: Style) -> Vec<Value> {
        let mut after = None;
        let mut views = Vec::new();
        loop {
            let page = PageRequest { order, after, limit, budget: 8 << 20 };
            let query = MessageQuery { connection: Some(self.id), filter: Filter::default(), page };
            let page = self.journal.messages(query).await.unwrap();
            let items = Reader::new(&self.journal, style).messages(page.items, order).await.unwrap();
            views.extend(items.into_iter().map(|view| serde_json::to_value(view).unwrap()));
            after = page.last;
            if !page.more {
                return views;
            }
        }
    }

    async fn texts(&self) -> Vec<(String, bool)> {
        let views = self.read(Order::Ascending, 100, Style::default()).await;
        let text =
            |view: &Value| (view["text"].as_str().unwrap().to_owned(), view["malformed"].as_bool().unwrap());
        views.iter().map(text).collect()
    }
}

fn whole(text: &str) -> (String, bool) {
    (text.to_owned(), false)
}

fn broken(text: &str) -> (String, bool) {
    (text.to_owned(), true)
}

#[tokio::test]
async fn a_message_is_shown_as_the_contract_says() {
    let mut talk = Talk::receive("gbk", &["登录请求，请处理！".as_bytes()]);
    talk.say_cut(Direction::Sent, b"hello", 2);
    let views = talk.read(Order::Ascending, 100, Style::default()).await;
    let listener = views[0]["listener"].clone();
    assert!(views[0]["text"].as_str().unwrap().contains('\u{fffd}'));
    let received = json!({
        "cursor": "0000000000004", "connection": talk.id.to_string(), "listener": listener, "direction": "received",
        "seq": 1, "offset": 0, "at": "2023-11-14T22:13:20.000000Z", "size": 27, "text": views[0]["text"],
        "encoding": "gbk", "malformed": true, "detected_encoding": "utf-8",
        "base64": "55m75b2V6K+35rGC77yM6K+35aSE55CG77yB", "stored": 27, "sha256": null,
        "content": {"offset": 0, "size": 27},
    });
    assert_eq!(views[0], received);
    let names = |view: &Value| view.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&views[0]), names(&received), "in this order");
    assert_eq!(
        (&views[1]["size"], &views[1]["stored"], &views[1]["text"]),
        (&json!(5), &json!(2), &json!("he"))
    );
    assert_eq!(views[1]["sha256"], "ab".repeat(32));
    assert_eq!(views[1]["detected_encoding"], Value::Null);
}

#[tokio::test]
async fn the_raw_view_is_base64_or_hex_or_left_out() {
    let talk = Talk::receive("gbk", &[&[0x78; 100]]);
    for (name, base64, hex) in [("base64", true, false), ("hex", false, true), ("none", false, false)] {
        let uri = format!("/messages?payload={name}&encoding=utf-8");
        let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
        let style = parse_style(QueryPairs::from_request_parts(&mut parts, &()).await.unwrap()).unwrap();
        let view = talk.read(Order::Ascending, 1, style).await.remove(0);
        assert_eq!((view.get("base64").is_some(), view.get("hex").is_some()), (base64, hex), "{name}");
        assert_eq!(view["encoding"], "utf-8");
        if hex {
            assert_eq!(view["hex"], ["78"; 100].join(" "));
        }
    }
}

#[tokio::test]
async fn a_connection_is_shown_with_its_messages_cut_in_the_list() {
    let talk = Talk::receive("utf-8", &[&[b'a'; 5000], "问".as_bytes()]);
    let closing = Closing { at: NOW, by: CloseReason::Replied.closed_by(), reason: CloseReason::Replied };
    let page = PageRequest { order: Order::Descending, after: None, limit: 1, budget: 1 << 20 };
    let query = ConnectionQuery { filter: Filter::default(), page, messages: 1, payload: 4096 };
    let show = async || {
        let records = talk.journal.connections(query.clone()).await.unwrap().items;
        let views = Reader::new(&talk.journal, Style::default()).connections(records).await.unwrap();
        serde_json::to_value(&views[0]).unwrap()
    };
    let open = show().await;
    assert_eq!(open["peer"], json!({"ip": "192.0.2.7", "port": 51834}), "an IPv4 client is IPv4");
    assert_eq!(
        (&open["state"], &open["closed_by"], &open["closed_at"]),
        (&json!("open"), &json!(null), &json!(null))
    );
    assert_eq!(open["received"], json!({"bytes": 5003, "messages": 2}));
    assert_eq!(
        (&open["more_messages"], &open["messages"][0]["truncated_in_list"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(
        (&open["messages"][0]["stored"], open["messages"][0]["text"].as_str().unwrap().len()),
        (&json!(5000), 4096)
    );
    talk.journal
        .append(vec![Record::Closed { connection: talk.id, closing }], Urgency::Now)
        .now_or_never()
        .unwrap()
        .unwrap();
    let closed = show().await;
    assert_eq!((&closed["state"], &closed["closed_by"]), (&json!("closed"), &json!("endpoint")));
    assert_eq!((&closed["close_reason"], &closed["listener"]["name"]), (&json!("replied"), &json!("gate")));
}

#[tokio::test]
async fn the_newest_message_ends_the_text_until_another_follows() {
    let mut talk = Talk::receive("gbk", &[b"a\xc4"]);
    assert_eq!(talk.texts().await, [broken("a\u{fffd}")]);
    talk.say(Direction::Received, b"\xe3b");
    assert_eq!(talk.texts().await, [whole("a"), whole("你b")]);
}

#[tokio::test]
async fn behind_a_gap_decoding_starts_anew() {
    let mut talk = Talk::new("gbk");
    talk.say_cut(Direction::Received, b"a\xc4\xe3", 2);
    talk.say(Direction::Received, b"\xba\xc3");
    assert_eq!(talk.texts().await, [broken("a\u{fffd}"), whole("好")]);
}

#[tokio::test]
async fn what_stood_before_a_change_of_encoding_is_another_text() {
    let mut talk = Talk::receive("gbk", &[b"\xc4\xe3\xd0\xd0"]);
    talk.charset = Charset::parse("utf-8").unwrap();
    talk.say(Direction::Received, b"plain");
    for limit in [1, 100] {
        let views = talk.read(Order::Descending, limit, Style::default()).await;
        assert_eq!((&views[0]["text"], &views[0]["malformed"]), (&json!("plain"), &json!(false)), "{limit}");
    }
}

#[tokio::test]
async fn auto_is_what_the_peer_speaks_and_what_is_sent_follows_it() {
    let gbk = |text: &str| Charset::parse("gbk").unwrap().encode(text).unwrap();
    let mut talk = Talk::receive("auto", &[b"HELLO ", &gbk("登录"), &gbk("成功")]);
    talk.say(Direction::Sent, &gbk("好"));
    let views = talk.read(Order::Ascending, 100, Style::default()).await;
    let texts: Vec<_> = views.iter().map(|view| (&view["encoding"], &view["text"])).collect();
    let expected = ["HELLO ", "登录", "成功", "好"].map(|text| (json!("gbk"), json!(text)));
    assert_eq!(texts, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
    let plain = Talk::receive("auto", &[b"HELLO"]).read(Order::Ascending, 1, Style::default()).await;
    assert_eq!((&plain[0]["encoding"], &plain[0]["detected_encoding"]), (&json!("utf-8"), &Value::Null));
}

#[tokio::test]
async fn what_comes_byte_by_byte_is_detected_with_what_stood_before() {
    let text: Vec<[u8; 1]> = "登录请求".bytes().map(|byte| [byte]).collect();
    let messages: Vec<&[u8]> = text.iter().map(|byte| &byte[..]).collect();
    let talk = Talk::receive("gbk", &messages);
    for limit in [1, 100] {
        let views = talk.read(Order::Ascending, limit, Style::default()).await;
        assert!(views[3..].iter().all(|view| view["detected_encoding"] == "utf-8"), "{limit}: {views:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_way_to_page_through_a_stream_gives_the_same_texts_and_they_concatenate(
        label in select(vec!["gbk", "utf-8", "utf-16le", "iso-2022-jp", "shift_jis", "big5", "windows-1252"]),
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0xb0..=0xf7u8, 0xe4..=0xe9u8], 1..120),
        repeat in select(vec![1usize, 1, 200]),
        cuts in proptest::collection::vec(any::<Index>(), 0..8),
        limit in 1..4usize,
    ) {
        let bytes = bytes.repeat(repeat);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        at.dedup();
        let messages: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let talk = Talk::receive(label, &messages);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let at_once = talk.read(Order::Ascending, 100, Style::default()).await;
            let text: String = at_once.iter().map(|view| view["text"].as_str().unwrap()).collect();
            let encoding = talk.charset.fixed().unwrap();
            assert_eq!(text, encoding.decode_without_bom_handling(&bytes).0);
            assert_eq!(talk.read(Order::Ascending, limit, Style::default()).await, at_once);
            let mut backwards = talk.read(Order::Descending, limit, Style::default()).await;
            backwards.reverse();
            assert_eq!(backwards, at_once);
        });
    }
}
