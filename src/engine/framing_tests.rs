//! Sessions in frames, over a pipe and under a paused clock.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, advance};

use crate::domain::{CloseReason, Cut, FramingDraft, ListenerDraft, Literal, OnOverflow, Reply, Tally, Then};

use super::live::Order;
use super::session_tests::Stage;

fn framed(cut: Cut) -> Stage {
    Stage::new(|draft| (draft.framing, draft.reply) = (Some(FramingDraft::new(cut)), Reply::Echo))
}

fn lines() -> Cut {
    Cut::Delimiter(vec![Literal::Text("\n".into())])
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_a_message_however_it_was_split() {
    let stage = framed(Cut::IdleGap(Duration::from_millis(50)));
    let (mut client, id, session) = stage.connect(1024);
    for part in ["one ", "message"] {
        client.write_all(part.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        advance(Duration::from_millis(49)).await;
    }
    let began = Instant::now();
    let mut echo = [0; 11];
    client.read_exact(&mut echo).await.unwrap();
    // A timer of tokio has milliseconds, and is never early.
    assert!(
        &echo == b"one message" && (1..=2).contains(&began.elapsed().as_millis()),
        "{:?}",
        began.elapsed()
    );
    client.write_all(b"another").await.unwrap();
    client.read_exact(&mut echo[..7]).await.unwrap();
    drop(client);
    session.await.unwrap();
    assert_eq!(stage.record(id).await.received, Tally { bytes: 18, messages: 2 });
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_yet_is_on_record_however_the_connection_ends() {
    for (order, reason) in [
        (None, CloseReason::IdleTimeout),
        (Some(Order::Finish), CloseReason::Shutdown),
        (Some(Order::Abort), CloseReason::ListenerClosed),
    ] {
        let stage = framed(lines());
        let (mut client, id, session) = stage.connect(1024);
        client.write_all(b"half a li").await.unwrap();
        tokio::task::yield_now().await;
        if let Some(order) = order {
            stage.listener.lives.tell(order);
        }
        session.await.unwrap();
        let record = stage.record(id).await;
        assert_eq!(record.closing.unwrap().reason, reason);
        assert_eq!(record.received, Tally { bytes: 9, messages: 1 });
        assert_eq!(stage.listener.snapshot().received, Tally { bytes: 9, messages: 1 });
        let framed = record.messages[0].message.note.as_ref().unwrap();
        assert_eq!(framed.fault.as_deref(), Some("frame incomplete: 9 bytes and no delimiter"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_with_the_clients_fin_is_answered_after_it() {
    for (then, reason) in [(Then::Close, CloseReason::Replied), (Then::Keep, CloseReason::PeerClosed)] {
        let stage = Stage::new(|draft: &mut ListenerDraft| {
            (draft.framing, draft.then) = (Some(FramingDraft::new(Cut::UntilClose)), Some(then));
        });
        let (mut client, id, session) = stage.connect(1024);
        client.write_all(b"all of").await.unwrap();
        tokio::task::yield_now().await;
        client.write_all(b" it").await.unwrap();
        client.shutdown().await.unwrap();
        let mut reply = Vec::new();
        client.read_to_end(&mut reply).await.unwrap();
        assert_eq!(reply.len(), 17);
        session.await.unwrap();
        let record = stage.record(id).await;
        assert_eq!((record.closing.unwrap().reason, record.received.messages), (reason, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_framed_is_listened_to_and_says_so() {
    for (on_overflow, reason) in
        [(OnOverflow::Close, CloseReason::BadFrame), (OnOverflow::Raw, CloseReason::IdleTimeout)]
    {
        let framing = FramingDraft { max: 4, on_overflow, ..FramingDraft::new(lines()) };
        let stage = Stage::new(|draft| draft.framing = Some(framing));
        let (mut client, id, session) = stage.connect(1024);
        for part in ["too long", " by far"] {
            client.write_all(part.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        session.await.unwrap();
        let record = stage.record(id).await;
        assert_eq!(record.closing.unwrap().reason, reason);
        assert_eq!((record.received.bytes, record.sent.messages), (15, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn of_replies_that_leave_together_each_is_on_record_as_far_as_it_left() {
    let stage = framed(lines());
    let (mut client, id, session) = stage.connect(64);
    client.write_all(b"one\ntwo\nthree\nfour\n").await.unwrap();
    drop(client);
    session.await.unwrap();
    assert_eq!(stage.record(id).await.sent.messages, 0, "nobody was there to take them");
    // A pipe of ten bytes takes two replies and a half.
    let (mut client, id, session) = stage.connect(10);
    let asked = tokio::spawn(async move {
        client.write_all(b"one\ntwo\nthree\nfour\n").await.unwrap();
        client
    });
    session.await.unwrap();
    drop(asked.await.unwrap());
    let record = stage.record(id).await;
    assert_eq!(record.closing.unwrap().reason, CloseReason::WriteTimeout);
    let sent: Vec<_> = record.messages.iter().map(|r| &r.message).filter(|m| m.seq <= 9).collect();
    let sent: u64 =
        sent.iter().filter(|m| m.direction == crate::domain::Direction::Sent).map(|m| m.size).sum();
    assert_eq!((sent, record.sent.bytes), (10, 10));
}
