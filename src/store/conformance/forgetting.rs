//! What `forget` removes.

use crate::domain::Direction;

use super::super::journal::{Forgotten, Record};
use super::super::query::{ConnectionState, Filter, MessageQuery, Needle};
use super::Make;
use super::support::{ROOMY, World, messages, texts};

async fn forget(world: &World, filter: Filter) -> Forgotten {
    world.journal.forget(filter).await.unwrap()
}

pub(super) async fn what_is_forgotten_is_gone_from_every_list(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    client.receives(b"1");
    client.ends();
    assert_eq!(forget(&world, Filter::default()).await, Forgotten { forgotten: 1, kept_open: 0 });
    assert_eq!(world.journal.connection(client.id, 10, 100).await, Ok(None));
    assert_eq!(world.ids(Filter::default()).await, []);
    assert_eq!(world.all_messages(Filter::default()).await, []);
    let own = MessageQuery { connection: Some(client.id), ..messages() };
    assert_eq!(world.messages(own).await.items, []);
    assert_eq!(client.bytes_before(Direction::Received, 1, 1).await, b"");
    assert_eq!(forget(&world, Filter::default()).await, Forgotten::default());
}

pub(super) async fn open_connections_are_kept_whole(make: Make) {
    let world = World::new(make, ROOMY);
    let (open, closed) = (world.client(), world.client());
    open.receives(b"1");
    closed.receives(b"2");
    open.receives(b"3");
    closed.ends();
    assert_eq!(forget(&world, Filter::default()).await, Forgotten { forgotten: 1, kept_open: 1 });
    assert_eq!(texts(&open.record().await.messages), ["1", "3"]);
    assert_eq!(texts(&world.all_messages(Filter::default()).await), ["1", "3"]);
    open.receives(b"4");
    open.ends();
    assert_eq!(texts(&world.all_messages(Filter::default()).await), ["1", "3", "4"]);
}

pub(super) async fn only_what_fits_is_forgotten(make: Make) {
    let world = World::new(make, ROOMY);
    let clients: Vec<_> = (0..30).map(|_| world.client()).collect();
    for (n, client) in clients.iter().enumerate() {
        client.receives(if n % 2 == 0 { b"needle" } else { b"nothing" });
        if n % 3 == 0 {
            client.ends();
        }
    }
    let needle = Filter { contains: vec![Needle::Text("needle".into())], ..Filter::default() };
    assert_eq!(forget(&world, needle.clone()).await, Forgotten { forgotten: 5, kept_open: 10 });
    let left: Vec<_> = (0..30).filter(|n| n % 6 != 0).map(|n| clients[n].id).collect();
    assert_eq!(world.ids(Filter::default()).await, left);
    let closed = Filter { state: Some(ConnectionState::Closed), ..Filter::default() };
    assert_eq!(forget(&world, closed).await, Forgotten { forgotten: 5, kept_open: 0 });
    let open = Filter { state: Some(ConnectionState::Open), ..Filter::default() };
    assert_eq!(forget(&world, open).await, Forgotten { forgotten: 0, kept_open: 20 });
}

pub(super) async fn records_of_forgotten_connections_are_passed_over(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    client.sends(b"1");
    client.ends();
    forget(&world, Filter::default()).await;
    let bytes = world.journal.status().bytes;
    client.receives(b"late");
    client.sent_short(1, 0);
    client.ends();
    assert_eq!(world.all_messages(Filter::default()).await, []);
    assert_eq!(world.journal.status().bytes, bytes);
}

pub(super) async fn forgetting_gives_memory_back_and_evicts_nothing(make: Make) {
    let world = World::new(make, ROOMY);
    let keeps = world.client();
    keeps.receives(b"kept");
    let before = world.journal.status().bytes;
    for _ in 0..500 {
        let client = world.client();
        client.receives(&[b'x'; 1_000]);
        client.sends(b"ok");
        client.ends();
    }
    assert!(world.journal.status().bytes > before + 500_000, "payloads count");
    assert_eq!(forget(&world, Filter::default()).await.forgotten, 500);
    assert_eq!(world.journal.status().bytes, before);
    assert_eq!(world.journal.status().evicted_records, 0);
    let page = world.messages(messages()).await;
    assert_eq!((page.items.len(), page.evicted_before), (1, None));
}

pub(super) async fn a_connection_with_very_many_messages_is_forgotten_at_once(make: Make) {
    let world = World::new(make, ROOMY);
    let before = world.journal.status().bytes;
    let (client, other) = (world.client(), world.client());
    let batch =
        |n: usize| (0..n).map(|_| Record::Message(client.message(Direction::Received, 1, b"x"))).collect();
    for _ in 0..30 {
        world.append(batch(1_000));
        other.receives(b"between");
    }
    client.ends();
    assert_eq!(forget(&world, Filter::default()).await, Forgotten { forgotten: 1, kept_open: 1 });
    assert_eq!(world.all_messages(Filter::default()).await.len(), 30);
    other.ends();
    assert_eq!(forget(&world, Filter::default()).await, Forgotten { forgotten: 1, kept_open: 0 });
    assert_eq!(world.journal.status().bytes, before);
}
