//! Conversations without framing and without rules.

use bytes::Bytes;

use super::{Client, Conversation, Step, Turn};
use crate::domain::{
    Charset, Direction, IdSource, ListenerDraft, ListenerSpec, Reply, ReplyEncoding, Then, Timestamp,
};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn only(turn: Turn) -> Step {
    assert_eq!(turn.len(), 1);
    turn.first.unwrap()
}

fn start() -> Conversation {
    Conversation::new(
        IdSource::new(1).connection(NOW),
        Client { address: ([127, 0, 0, 1], 1).into(), number: 1, port: 1 },
    )
}

fn spec(change: impl FnOnce(&mut ListenerDraft)) -> ListenerSpec {
    let mut draft = ListenerDraft::default();
    change(&mut draft);
    ListenerSpec::new(draft).unwrap()
}

#[test]
fn the_tutorials_conversation_is_one_message_one_reply_and_the_end() {
    let mut talk = start();
    let step = only(talk.on_bytes(&spec(|_| ()), Bytes::from_static(b"hello"), NOW));
    assert_eq!((step.send.len(), step.then), (17, Then::Close));
    let (received, sent) = (step.received.unwrap(), step.sent.unwrap());
    assert_eq!((received.seq, received.offset, received.size), (1, 0, 5));
    assert_eq!((sent.seq, sent.size, sent.direction), (1, 17, Direction::Sent));
}

#[test]
fn what_arrives_after_the_last_word_is_recorded_and_not_answered() {
    let (mut talk, spec) = (start(), spec(|_| ()));
    talk.on_bytes(&spec, Bytes::from_static(b"one"), NOW);
    let step = only(talk.on_bytes(&spec, Bytes::from_static(b"two"), NOW));
    assert!(step.send.is_empty() && step.sent.is_none());
    let received = step.received.unwrap();
    assert_eq!((received.seq, received.offset, step.then), (2, 3, Then::Keep));
}

#[test]
fn an_echo_goes_on() {
    let (mut talk, spec) = (start(), spec(|d| d.reply = Reply::Echo));
    for n in 1..4 {
        let step = only(talk.on_bytes(&spec, Bytes::from_static(b"ping"), NOW));
        assert_eq!((&step.send[..], step.then), (&b"ping"[..], Then::Keep));
        assert_eq!(step.sent.unwrap().seq, n);
    }
}

#[test]
fn a_message_beyond_the_cap_is_cut_counted_and_hashed() {
    let spec = spec(|d| d.limits.stored_bytes = 3);
    let message = only(start().on_bytes(&spec, Bytes::from_static(b"abc"), NOW)).received.unwrap();
    assert!(!message.is_cut() && message.sha256.is_none());
    let message = only(start().on_bytes(&spec, Bytes::from_static(b"abcd"), NOW)).received.unwrap();
    assert_eq!((message.size, &message.payload[..]), (4, &b"abc"[..]));
    assert_eq!(message.sha256.unwrap()[..4], [0x88, 0xd4, 0x26, 0x6f]);
}

#[test]
fn the_peers_encoding_is_answered_in_kind() {
    let spec = spec(|d| {
        d.reply = Reply::Text { text: "好".into(), encoding: Some(ReplyEncoding::Peer) };
        d.then = Some(Then::Keep);
    });
    let gbk = Charset::Fixed(encoding_rs::GBK).encode("登录成功，谢谢").unwrap();
    let mut talk = start();
    assert_eq!(only(talk.on_bytes(&spec, "登录成功".into(), NOW)).send, "好");
    assert_eq!(only(talk.on_bytes(&spec, gbk.into(), NOW)).send[..], [0xba, 0xc3]);
    // Plain ASCII says nothing new.
    assert_eq!(only(talk.on_bytes(&spec, Bytes::from_static(b"ok"), NOW)).send[..], [0xba, 0xc3]);
}

#[test]
fn what_did_not_leave_is_taken_back() {
    let (mut talk, spec) = (start(), spec(|d| d.reply = Reply::Echo));
    talk.on_bytes(&spec, Bytes::from_static(b"1234"), NOW);
    talk.on_sent_short(4, 1);
    let next = only(talk.on_bytes(&spec, Bytes::from_static(b"5"), NOW)).sent.unwrap();
    assert_eq!((next.seq, next.offset), (2, 1));
}
