//! What an answer carries.

use crate::domain::Direction;

use super::super::journal::Record;
use super::super::query::{ConnectionQuery, Filter, MessageQuery, Page};
use super::Make;
use super::support::{ROOMY, World, connections, messages, texts};

pub(super) async fn a_list_carries_first_messages_and_says_how_many_follow(make: Make) {
    let world = World::new(make, ROOMY);
    let (long, short, silent) = (world.client(), world.client(), world.client());
    for n in 0..30 {
        long.receives(format!("q{n}").as_bytes());
        long.sends(format!("a{n}").as_bytes());
    }
    short.receives(b"only");
    let items = world.connections(ConnectionQuery { messages: 3, ..connections() }).await.items;
    let ids: Vec<_> = items.iter().map(|item| item.connection.id).collect();
    assert_eq!(ids, [long.id, short.id, silent.id]);
    let carried: Vec<_> = items.iter().map(|item| texts(&item.messages)).collect();
    assert_eq!(carried, [vec!["q0", "a0", "q1"], vec!["only"], vec![]]);
    assert_eq!(items.iter().map(|item| item.more_messages).collect::<Vec<_>>(), [57, 0, 0]);
    assert_eq!((items[0].received.messages, items[0].sent.messages), (30, 30));
    let none = world.connections(ConnectionQuery { messages: 0, ..connections() }).await.items;
    assert_eq!((none[0].messages.len(), none[0].more_messages), (0, 60));
}

pub(super) async fn a_list_cuts_payloads_but_not_the_record(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    client.receives(b"0123456789");
    client.receives(b"abc");
    let item = world.connections(ConnectionQuery { payload: 4, ..connections() }).await.items.remove(0);
    assert_eq!(texts(&item.messages), ["0123", "abc"]);
    assert_eq!((item.messages[0].stored, item.messages[0].message.size), (10, 10));
    assert_eq!(texts(&client.record().await.messages), ["0123456789", "abc"]);
}

pub(super) async fn one_connection_carries_its_messages_whole_within_the_budget(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    (0..5).for_each(|_| client.receives(b"0123456789"));
    for (messages, budget, carried) in [(9, 100, 5), (9, 50, 5), (9, 49, 4), (2, 49, 2), (9, 9, 0), (0, 9, 0)]
    {
        let record = world.journal.connection(client.id, messages, budget).await.unwrap().unwrap();
        assert_eq!(record.messages.len(), carried, "{messages} messages, {budget} bytes");
        assert_eq!(record.more_messages, 5 - carried as u64);
        assert!(record.messages.iter().all(|record| record.message.payload.len() == 10));
    }
}

pub(super) async fn what_is_unknown_is_none_or_empty(make: Make) {
    let world = World::new(make, ROOMY);
    world.client().receives(b"1");
    let unknown = world.arrival().id;
    assert_eq!(world.journal.connection(unknown, 10, 100).await, Ok(None));
    let page = world.messages(MessageQuery { connection: Some(unknown), ..messages() }).await;
    assert_eq!(page, Page { items: vec![], last: None, more: false, evicted_before: None });
    assert_eq!(world.journal.before(unknown, Direction::Received, 10, 10).await, Ok(vec![]));
}

pub(super) async fn the_newest_of_each_direction_is_marked(make: Make) {
    let world = World::new(make, ROOMY);
    let (client, other) = (world.client(), world.client());
    client.receives(b"q1");
    client.sends(b"a1");
    client.receives(b"q2");
    other.receives(b"q3");
    let newest = |records: &[super::super::journal::MessageRecord]| {
        texts(&records.iter().filter(|record| record.newest).cloned().collect::<Vec<_>>())
    };
    assert_eq!(newest(&client.record().await.messages), ["a1", "q2"]);
    assert_eq!(newest(&world.all_messages(Filter::default()).await), ["a1", "q2", "q3"]);
    client.sends(b"a2");
    assert_eq!(newest(&client.record().await.messages), ["q2", "a2"]);
}

pub(super) async fn the_bytes_before_an_offset_are_found_across_messages(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    for part in ["abc", "de", "fghi"] {
        client.receives(part.as_bytes());
        client.sends(b"--");
    }
    for (offset, bytes, expected) in [
        (0, 10, ""),
        (3, 10, "abc"),
        (5, 10, "abcde"),
        (5, 3, "cde"),
        (5, 0, ""),
        (9, 5, "efghi"),
        (9, 100, "abcdefghi"),
        (7, 3, "efg"),
        (10, 3, ""),
        (u64::MAX, 3, ""),
    ] {
        let found = client.bytes_before(Direction::Received, offset, bytes).await;
        assert_eq!(String::from_utf8(found).unwrap(), expected, "{bytes} bytes before {offset}");
    }
    assert_eq!(client.bytes_before(Direction::Sent, 6, 3).await, b"---");
}

pub(super) async fn no_bytes_are_found_across_a_gap(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    client.receives(b"abc");
    world.append(vec![Record::Message(client.message(Direction::Received, 10, b"cut"))]);
    client.receives(b"def");
    client.receives(b"ghi");
    assert_eq!(client.bytes_before(Direction::Received, 19, 100).await, b"defghi");
    assert_eq!(client.bytes_before(Direction::Received, 13, 100).await, b"");
    assert_eq!(client.bytes_before(Direction::Received, 5, 100).await, b"abccu", "still in the kept part");
    assert_eq!(client.bytes_before(Direction::Received, 3, 100).await, b"abc");
}

pub(super) async fn the_bytes_before_an_offset_are_found_in_a_long_conversation(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    let whole: Vec<u8> = (0..5_000_u32).flat_map(|n| n.to_be_bytes()).collect();
    whole.chunks(4).for_each(|part| client.receives(part));
    client.sends(b"done");
    assert_eq!(client.bytes_before(Direction::Received, 20_000, 100_000).await, whole);
    assert_eq!(client.bytes_before(Direction::Received, 9_999, 6).await, whole[9_993..9_999]);
}
