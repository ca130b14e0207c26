//! The listeners that are kept to be opened again.

use std::net::SocketAddr;

use crate::domain::{CloseReason, Direction, ListenerId, SelfClose, Tally, Timestamp};

use super::super::journal::{ListenerFigures, ListenerRecord, Record};
use super::super::query::Filter;
use super::Make;
use super::support::{ROOMY, World};

fn listener(id: ListenerId, spec: &str) -> ListenerRecord {
    ListenerRecord {
        id,
        spec: spec.to_owned(),
        address: SocketAddr::from(([127, 0, 0, 1], 8_080)),
        opened_at: Timestamp::from_micros(1_700_000_000_123_456),
        closed: None,
        total_at_opening: 0,
        figures: ListenerFigures::default(),
    }
}

async fn keep(world: &World, listener: ListenerRecord) {
    world.journal.keep_listener(listener).await.unwrap();
}

async fn kept(world: &World) -> Vec<ListenerRecord> {
    world.journal.listeners().await.unwrap()
}

pub(super) async fn a_listener_is_kept_whole(make: Make) {
    let world = World::new(make, ROOMY);
    assert_eq!(kept(&world).await, []);
    let open = ListenerRecord {
        address: "[2001:db8::1]:65535".parse().unwrap(),
        total_at_opening: u64::from(u32::MAX) + 7,
        ..listener(world.listener("a").id, "{\"reply\":\"问题 \\u0000 '\\\"\"}")
    };
    let closed = |why| ListenerRecord {
        closed: Some((Timestamp::from_micros(1_700_000_000_654_321), why)),
        ..listener(world.listener("b").id, "")
    };
    let all = [
        open,
        closed(SelfClose::MaxConnectionsTotal),
        closed(SelfClose::Ttl),
        closed(SelfClose::PortLost),
        listener(world.listener("large").id, &"x".repeat(6 << 20)),
    ];
    for listener in &all {
        keep(&world, listener.clone()).await;
    }
    assert!(kept(&world).await == all, "each as it was handed over");
}

pub(super) async fn what_is_kept_again_takes_the_place_of_what_was_kept(make: Make) {
    let world = World::new(make, ROOMY);
    let (first, second) = (world.listener("a").id, world.listener("b").id);
    keep(&world, listener(first, "old")).await;
    keep(&world, listener(second, "other")).await;
    let moved = ListenerRecord {
        address: SocketAddr::from(([0, 0, 0, 0], 9_090)),
        opened_at: Timestamp::from_micros(1_800_000_000_000_000),
        closed: Some((Timestamp::from_micros(1_900_000_000_000_000), SelfClose::Ttl)),
        total_at_opening: 3,
        ..listener(first, "new")
    };
    keep(&world, moved.clone()).await;
    assert_eq!(kept(&world).await, [moved, listener(second, "other")]);
    keep(&world, listener(first, "open again")).await;
    assert_eq!(kept(&world).await, [listener(first, "open again"), listener(second, "other")]);
}

pub(super) async fn a_dropped_listener_is_gone_and_its_connections_stay(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    let owner = client.record().await.connection.listener.id;
    let other = world.listener("other").id;
    keep(&world, listener(owner, "a")).await;
    keep(&world, listener(other, "b")).await;
    world.journal.drop_listener(owner).await.unwrap();
    assert_eq!(kept(&world).await, [listener(other, "b")]);
    assert_eq!(world.ids(Filter::default()).await, [client.id]);
    client.receives(b"still on record");
    world.journal.drop_listener(owner).await.unwrap();
    world.journal.drop_listener(world.listener("never there").id).await.unwrap();
    assert_eq!(client.record().await.received.messages, 1);
}

pub(super) async fn listeners_come_in_the_order_of_their_ids(make: Make) {
    let world = World::new(make, ROOMY);
    let ids: Vec<_> = (0..20).map(|n| world.listener(&format!("l{n}")).id).collect();
    for n in 0..20 {
        keep(&world, listener(ids[(n * 7) % 20], "x")).await;
    }
    assert_eq!(kept(&world).await.iter().map(|kept| kept.id).collect::<Vec<_>>(), ids);
}

pub(super) async fn forgetting_records_keeps_the_listeners(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    client.ends();
    let other = listener(world.listener("other").id, "x");
    keep(&world, other.clone()).await;
    world.journal.forget(Filter::default()).await.unwrap();
    assert_eq!(kept(&world).await, [other]);
}

pub(super) async fn a_listener_comes_with_the_figures_of_its_clients(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    let owner = client.record().await.connection.listener.id;
    let lie = ListenerFigures { total: 99, ..ListenerFigures::default() };
    keep(&world, ListenerRecord { figures: lie, ..listener(owner, "a") }).await;
    keep(&world, listener(world.listener("idle").id, "b")).await;
    client.receives(b"12345");
    client.sends(b"123");
    client.sends(b"1234567");
    client.sent_short(2, 4);
    client.ends();
    let cut = world.client();
    let message = cut.message(Direction::Received, 1_000, b"kept");
    world.append(vec![Record::Message(message)]);
    // Turned away for a limit: no client of it.
    world.client().ends_for(CloseReason::Limit);
    let figures: Vec<_> = kept(&world).await.into_iter().map(|kept| kept.figures).collect();
    let expected = ListenerFigures {
        total: 2,
        received: Tally { bytes: 1_005, messages: 2 },
        sent: Tally { bytes: 7, messages: 2 },
    };
    assert_eq!(figures, [expected, ListenerFigures::default()]);
    keep(&world, listener(owner, "kept again")).await;
    assert_eq!(kept(&world).await[0].figures, expected);
}
