//! What holds when `append` has returned.

use std::thread;

use crate::domain::{CloseReason, Content, Direction, Note, Tally, Verdict};

use super::super::cursor::Position;
use super::super::journal::Record;
use super::super::query::Filter;
use super::Make;
use super::support::{Client, FIRST, ROOMY, World, keep, texts};

pub(super) async fn what_is_appended_is_in_the_next_answer(make: Make) {
    let world = World::new(make, ROOMY);
    let arrival = world.arrival();
    let client = world.client_as(arrival.clone());
    assert_eq!(client.record().await.connection, arrival);
    let mut question = client.message(Direction::Received, 4, b"ping");
    let content = Content { offset: 1, size: 2 };
    question.note = Some(Box::new(Note {
        is_frame: true,
        content,
        fault: Some("no frame".into()),
        verdict: Some(Verdict::Rule("login".into())),
        failure: Some("no".into()),
    }));
    world.append(vec![Record::Message(question.clone())]);
    client.sends(b"pong");
    let record = client.record().await;
    assert_eq!(record.messages[0].message, question, "every field of it");
    assert_eq!(record.messages[0].listener, arrival.listener);
    assert_eq!(texts(&record.messages), ["ping", "pong"]);
    assert_eq!(texts(&world.all_messages(Filter::default()).await), ["ping", "pong"]);
    assert_eq!(record.closing, None);
    client.ends_for(CloseReason::PeerReset);
    assert_eq!(client.record().await.closing.unwrap().reason, CloseReason::PeerReset);
    assert_eq!(world.all_connections(Filter::default()).await, [client.record().await]);
}

pub(super) async fn positions_grow_with_every_record(make: Make) {
    let world = World::new(make, ROOMY);
    let (a, b) = (world.client(), world.client());
    b.receives(b"1");
    a.receives(b"2");
    let (a, b) = (a.record().await, b.record().await);
    let positions = [a.position, b.position, b.messages[0].position, a.messages[0].position];
    assert_eq!(positions[0], FIRST);
    assert!(positions.windows(2).all(|two| two[0] < two[1]), "{positions:?}");
    assert!(positions[0] > Position::START);
}

pub(super) async fn records_of_one_call_become_visible_together(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    let batches: Vec<Vec<_>> = (0..500)
        .map(|_| (0..3).map(|_| Record::Message(client.message(Direction::Received, 1, b"x"))).collect())
        .collect();
    let journal = world.journal.clone();
    let writer = thread::spawn(move || batches.into_iter().for_each(|batch| keep(&*journal, batch)));
    while !writer.is_finished() {
        assert_eq!(world.all_messages(Filter::default()).await.len() % 3, 0, "a part of a call was visible");
    }
    writer.join().unwrap();
    assert_eq!(world.all_messages(Filter::default()).await.len(), 1_500);
}

pub(super) async fn records_of_unknown_connections_are_passed_over(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    let stranger = Client::unrecorded(&world, world.arrival().id);
    world.append(vec![
        Record::Message(client.message(Direction::Received, 1, b"1")),
        Record::Message(stranger.message(Direction::Received, 1, b"2")),
        Record::SentShort { connection: stranger.id, seq: 1, size: 0 },
        Record::Message(client.message(Direction::Received, 1, b"3")),
    ]);
    stranger.ends();
    assert_eq!(texts(&world.all_messages(Filter::default()).await), ["1", "3"]);
    assert_eq!(world.ids(Filter::default()).await, [client.id]);
}

pub(super) async fn a_second_opening_or_end_changes_nothing(make: Make) {
    let world = World::new(make, ROOMY);
    let arrival = world.arrival();
    let client = world.client_as(arrival.clone());
    client.receives(b"1");
    client.ends_for(CloseReason::PeerClosed);
    let before = client.record().await;
    world.append(vec![Record::Opened(Box::new(arrival))]);
    client.ends_for(CloseReason::Shutdown);
    assert_eq!(client.record().await, before);
    assert_eq!(world.ids(Filter::default()).await.len(), 1);
}

pub(super) async fn tallies_count_what_was_cut_too(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    let cut = client.message(Direction::Received, 1_000_000, b"the beginning");
    world.append(vec![Record::Message(cut.clone())]);
    client.receives(b"more");
    client.sends(b"ok");
    let record = client.record().await;
    assert_eq!(record.received, Tally { bytes: 1_000_004, messages: 2 });
    assert_eq!(record.sent, Tally { bytes: 2, messages: 1 });
    assert_eq!((record.messages[0].stored, &record.messages[0].message), (13, &cut));
}

pub(super) async fn what_did_not_leave_is_taken_back(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    client.receives(b"question");
    client.sends(b"first");
    client.sends(b"second");
    client.sent_short(2, 3);
    client.sent_short(2, 5);
    client.sent_short(9, 0);
    let record = client.record().await;
    assert_eq!(texts(&record.messages), ["question", "first", "sec"]);
    assert_eq!((record.messages[2].message.size, record.messages[2].stored), (3, 3));
    assert_eq!(record.sent, Tally { bytes: 8, messages: 2 });
    assert_eq!(record.received, Tally { bytes: 8, messages: 1 });
}

pub(super) async fn of_a_cut_message_what_did_not_leave_is_taken_back(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    world.append(vec![Record::Message(client.message(Direction::Sent, 100, b"0123456789"))]);
    client.sent_short(1, 50);
    let message = client.record().await.messages.remove(0).message;
    assert_eq!((message.size, &*message.payload), (50, &b"0123456789"[..]));
    assert_eq!(message.sha256, None, "the digest was of more than what left");
    client.sent_short(1, 4);
    let record = client.record().await;
    assert_eq!((record.messages[0].message.size, texts(&record.messages)), (4, vec!["0123".to_owned()]));
    assert_eq!(record.sent, Tally { bytes: 4, messages: 1 });
}

pub(super) async fn a_message_of_which_nothing_left_is_taken_out(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    client.sends(b"first");
    client.sends(b"second");
    client.sent_short(2, 0);
    let record = client.record().await;
    assert_eq!(texts(&record.messages), ["first"]);
    assert!(record.messages[0].newest);
    assert_eq!(record.more_messages, 0);
    assert_eq!(record.sent, Tally { bytes: 5, messages: 1 });
    assert_eq!(texts(&world.all_messages(Filter::default()).await), ["first"]);
    assert_eq!(world.journal.status().evicted_records, 0);
}
