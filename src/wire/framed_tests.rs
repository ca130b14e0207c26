//! Conversations in frames.

use bytes::Bytes;

use crate::domain::{
    Charset, CloseReason, Content, Cut, FramingDraft, IdSource, ListenerDraft, ListenerSpec, Literal,
    OnOverflow, Reply, ReplyEncoding, Then, Timestamp,
};

use super::session::Conversation;
use super::turn::{Client, Step, Turn};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn start() -> Conversation {
    Conversation::new(
        IdSource::new(1).connection(NOW),
        Client { address: ([127, 0, 0, 1], 1).into(), number: 1, port: 1 },
    )
}

fn lines() -> FramingDraft {
    FramingDraft::new(Cut::Delimiter(vec![Literal::Text("\n".into())]))
}

/// An endpoint of lines that answers `ok` and goes on, unless changed.
fn spec(change: impl FnOnce(&mut ListenerDraft)) -> ListenerSpec {
    let reply = Reply::Text { text: "ok".into(), encoding: None };
    let framing = Some(lines());
    let mut draft = ListenerDraft { reply, framing, then: Some(Then::Keep), ..ListenerDraft::default() };
    change(&mut draft);
    ListenerSpec::new(draft).unwrap()
}

/// What was received, and what answers it.
fn told(turn: Turn) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let tell = |step: Step| (text(&step.received.unwrap().payload), text(&step.send));
    turn.into_steps().map(tell).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

#[test]
fn each_message_of_a_read_is_answered_in_its_order() {
    let (mut talk, spec) = (start(), spec(|_| ()));
    let turn = talk.on_bytes(&spec, Bytes::from_static(b"one\ntwo\nthr"), NOW);
    assert_eq!(told(turn), pairs(&[("one\n", "ok"), ("two\n", "ok")]));
    let turn = talk.on_bytes(&spec, Bytes::from_static(b"ee\n"), NOW);
    let step = turn.first.unwrap();
    let (received, sent) = (step.received.unwrap(), step.sent.unwrap());
    assert_eq!((received.seq, received.offset, received.content()), (3, 8, Content { offset: 0, size: 5 }));
    assert_eq!((sent.seq, sent.offset, sent.content()), (3, 4, Content::whole(2)));
    assert_eq!(talk.on_bytes(&spec, Bytes::from_static(b"x"), NOW).len(), 0, "not a message yet");
}

#[test]
fn what_follows_the_closing_message_is_recorded_and_not_answered() {
    let (mut talk, spec) = (start(), spec(|draft| draft.then = Some(Then::Close)));
    let turn = talk.on_bytes(&spec, Bytes::from_static(b"one\ntwo\n"), NOW);
    assert_eq!((turn.first.as_ref().unwrap().then, turn.rest[0].then), (Then::Close, Then::Keep));
    assert_eq!(told(turn), pairs(&[("one\n", "ok"), ("two\n", "")]));
    let turn = talk.on_bytes(&spec, Bytes::from_static(b"three\nfo"), NOW);
    assert_eq!(told(turn), pairs(&[("three\n", "")]));
    assert_eq!(told(talk.on_end(&spec, NOW)), pairs(&[("fo", "")]));
}

#[test]
fn a_read_of_very_many_messages_takes_several_turns() {
    let (mut talk, spec) = (start(), spec(|_| ()));
    let mut turns = vec![talk.on_bytes(&spec, "\n".repeat(1_000).into(), NOW).len()];
    while talk.is_behind() {
        turns.push(talk.go_on(&spec, NOW).len());
    }
    assert_eq!((turns.iter().sum::<usize>(), turns.len()), (1_000, 4));
    let long = self::spec(|draft| draft.reply = Reply::Hex(vec![b'x'; 1 << 20].into()));
    let mut talk = start();
    assert_eq!(talk.on_bytes(&long, Bytes::from_static(b"\n\n\n"), NOW).len(), 1, "replies are long");
    assert!(talk.is_behind());
}

#[test]
fn what_cannot_be_framed_ends_the_conversation_or_is_passed_over() {
    let small = |on_overflow| {
        let framing = Some(FramingDraft { max: 4, on_overflow, ..lines() });
        spec(|draft| draft.framing = framing)
    };
    let long = Bytes::from_static(b"too long\nok\n");
    let step = start().on_bytes(&small(OnOverflow::Close), long.clone(), NOW).first.unwrap();
    assert_eq!((step.then, step.reason, step.send.len()), (Then::Close, CloseReason::BadFrame, 0));
    let received = step.received.unwrap();
    assert_eq!((received.payload.clone(), received.content()), (long.clone(), Content::whole(12)));
    let fault = received.note.unwrap().fault.unwrap();
    assert_eq!(&*fault, "frame too long: no end within 4 bytes");
    let turn = start().on_bytes(&small(OnOverflow::Raw), long, NOW);
    assert_eq!(told(turn), pairs(&[("too long\n", ""), ("ok\n", "ok")]));
}

#[test]
fn the_end_records_what_was_no_message_yet() {
    let (mut talk, spec) = (start(), spec(|_| ()));
    talk.on_bytes(&spec, Bytes::from_static(b"one\ntw"), NOW);
    let step = talk.on_eof(&spec, NOW).first.unwrap();
    let received = step.received.unwrap();
    assert_eq!((received.payload.as_ref(), received.offset, step.send.len()), (&b"tw"[..], 4, 0));
    assert_eq!(&*received.note.unwrap().fault.unwrap(), "frame incomplete: 2 bytes and no delimiter");
    assert!(talk.on_end(&spec, NOW).is_empty());
    let until_close = self::spec(|draft| draft.framing = Some(FramingDraft::new(Cut::UntilClose)));
    let mut talk = start();
    assert!(talk.on_bytes(&until_close, Bytes::from_static(b"all"), NOW).is_empty());
    assert_eq!(told(talk.on_eof(&until_close, NOW)), pairs(&[("all", "ok")]));
}

#[test]
fn a_changed_framing_reads_anew_what_waits() {
    let (mut talk, lines) = (start(), spec(|_| ()));
    talk.on_bytes(&lines, Bytes::from_static(b"abc"), NOW);
    let fixed = spec(|draft| draft.framing = Some(FramingDraft::new(Cut::Fixed(2))));
    let turn = talk.on_bytes(&fixed, Bytes::from_static(b"de"), NOW);
    assert_eq!(told(turn), pairs(&[("ab", "ok"), ("cd", "ok")]));
    let none = spec(|draft| draft.framing = None);
    let turn = talk.on_bytes(&none, Bytes::from_static(b"f"), NOW);
    assert_eq!(told(turn), pairs(&[("e", "ok"), ("f", "ok")]), "without framing, what waited is a message");
    let turn = talk.on_bytes(&lines, Bytes::from_static(b"g\nh"), NOW);
    assert_eq!(told(turn), pairs(&[("g\n", "ok")]));
    assert_eq!(told(talk.on_eof(&none, NOW)), pairs(&[("h", "ok")]));
}

#[test]
fn replies_are_framed_and_an_echo_is_the_frame_as_it_came() {
    let framed = |reply: Reply| {
        let framing = Some(FramingDraft { frame_replies: true, ..lines() });
        spec(|draft| (draft.framing, draft.reply, draft.greeting) = (framing, reply, Reply::Hex("hi".into())))
    };
    let text = |encoding| Reply::Text { text: "好".into(), encoding };
    let greeting = start().on_open(&framed(text(None)), NOW).first.unwrap();
    assert_eq!(greeting.send, "hi\n");
    for (reply, sent) in [
        (text(None), &[0xba, 0xc3, b'\n'][..]),
        (text(Some(ReplyEncoding::Peer)), &[0xba, 0xc3, b'\n']),
        (Reply::Echo, b"ping\n"),
        (Reply::Silence, b""),
    ] {
        let step = start().on_bytes(&framed(reply), Bytes::from_static(b"ping\n"), NOW).first.unwrap();
        assert_eq!(step.send, sent);
        if let Some(message) = step.sent {
            assert_eq!(message.content(), Content { offset: 0, size: sent.len() as u64 - 1 });
        }
    }
}

#[test]
fn a_reply_that_the_peers_encoding_makes_too_long_for_a_frame_is_not_sent() {
    let cut = Cut::AsciiLength { width: 1, counts_prefix: false };
    let framing = Some(FramingDraft { frame_replies: true, ..FramingDraft::new(cut) });
    let reply = |text: &str| Reply::Text { text: text.into(), encoding: Some(ReplyEncoding::Peer) };
    let spec =
        spec(|draft| (draft.framing, draft.reply, draft.charset) = (framing, reply("ééééé"), Charset::Auto));
    let step = start().on_bytes(&spec, "1a".into(), NOW).first.unwrap();
    assert!(step.sent.is_none() && step.received.is_some(), "ten bytes in UTF-8");
}
