//! Lists in pages.

use crate::domain::Direction;

use super::super::cursor::Position;
use super::super::query::{
    ConnectionQuery, ConnectionState, Filter, MessageQuery, Needle, Order, Page, PageRequest,
};
use super::Make;
use super::support::{Client, ROOMY, World, connections, messages};

const ORDERS: [Order; 2] = [Order::Ascending, Order::Descending];

/// Clients that speak in turns, so that the records of none stand together.
fn crowd(world: &World) -> Vec<Client<'_>> {
    let clients: Vec<_> = (0..7).map(|_| world.client()).collect();
    for n in 0..9_usize {
        for client in clients.iter().skip(n % 3) {
            client.receives(b"question");
            client.sends(b"answer");
        }
    }
    clients
}

/// The positions of all items, page by page; `between` happens after every page.
async fn message_positions(world: &World, query: MessageQuery, between: impl Fn()) -> Vec<Position> {
    let (mut positions, mut query) = (vec![], query);
    loop {
        let page = world.messages(query.clone()).await;
        assert!(page.items.len() <= query.page.limit);
        positions.extend(page.items.iter().map(|item| item.position));
        if !page.more {
            return positions;
        }
        assert_eq!(page.last, page.items.last().map(|item| item.position));
        query.page.after = page.last;
        between();
    }
}

async fn connection_positions(world: &World, query: ConnectionQuery, between: impl Fn()) -> Vec<Position> {
    let (mut positions, mut query) = (vec![], query);
    loop {
        let page = world.connections(query.clone()).await;
        assert!(page.items.len() <= query.page.limit);
        positions.extend(page.items.iter().map(|item| item.position));
        if !page.more {
            return positions;
        }
        assert_eq!(page.last, page.items.last().map(|item| item.position));
        query.page.after = page.last;
        between();
    }
}

fn in_order(mut ascending: Vec<Position>, order: Order) -> Vec<Position> {
    if order == Order::Descending {
        ascending.reverse();
    }
    ascending
}

fn sized(limit: usize, order: Order) -> PageRequest {
    PageRequest { order, after: None, limit, budget: usize::MAX }
}

pub(super) async fn pages_of_any_size_carry_each_message_once(make: Make) {
    let world = World::new(make, ROOMY);
    crowd(&world);
    let all: Vec<_> = world.all_messages(Filter::default()).await.iter().map(|item| item.position).collect();
    assert_eq!(all.len(), 2 * (7 + 6 + 5) * 3);
    for (limit, order) in (1..=all.len() + 1).flat_map(|limit| ORDERS.map(|order| (limit, order))) {
        let query = MessageQuery { page: sized(limit, order), ..messages() };
        let paged = message_positions(&world, query, || {}).await;
        assert_eq!(paged, in_order(all.clone(), order), "{limit} a page, {order:?}");
    }
}

pub(super) async fn pages_of_any_size_carry_each_connection_once(make: Make) {
    let world = World::new(make, ROOMY);
    crowd(&world);
    let all: Vec<_> =
        world.all_connections(Filter::default()).await.iter().map(|item| item.position).collect();
    for (limit, order) in (1..=8).flat_map(|limit| ORDERS.map(|order| (limit, order))) {
        let query = ConnectionQuery { page: sized(limit, order), ..connections() };
        let paged = connection_positions(&world, query, || {}).await;
        assert_eq!(paged, in_order(all.clone(), order), "{limit} a page, {order:?}");
    }
}

pub(super) async fn pages_of_one_connection_carry_each_of_its_messages_once(make: Make) {
    let world = World::new(make, ROOMY);
    let clients = crowd(&world);
    for direction in [None, Some(Direction::Received), Some(Direction::Sent)] {
        let client = &clients[6];
        let fits = |d: Direction| direction.is_none_or(|direction| direction == d);
        let own = client.record().await.messages.into_iter().filter(|item| fits(item.message.direction));
        let own: Vec<_> = own.map(|item| item.position).collect();
        assert_eq!(own.len(), if direction.is_some() { 9 } else { 18 });
        let filter = Filter { direction, ..Filter::default() };
        for (limit, order) in (1..=19).flat_map(|limit| ORDERS.map(|order| (limit, order))) {
            let query = MessageQuery {
                connection: Some(client.id),
                filter: filter.clone(),
                page: sized(limit, order),
            };
            let paged = message_positions(&world, query, || {}).await;
            assert_eq!(paged, in_order(own.clone(), order), "{limit} a page, {order:?}, {direction:?}");
        }
    }
}

pub(super) async fn nothing_is_missed_or_doubled_while_records_are_appended(make: Make) {
    let world = World::new(make, ROOMY);
    let clients = crowd(&world);
    let before: Vec<_> =
        world.all_messages(Filter::default()).await.iter().map(|item| item.position).collect();
    let rounds = std::cell::Cell::new(40);
    let more_comes = || {
        // It comes to an end, or the list would not.
        if rounds.replace(rounds.get() - 1) > 0 {
            clients[rounds.get() % 7].receives(b"one more");
            world.client().receives(b"someone more");
        }
    };
    let query = MessageQuery { page: sized(5, Order::Ascending), ..messages() };
    let ascending = message_positions(&world, query, more_comes).await;
    let now: Vec<_> = world.all_messages(Filter::default()).await.iter().map(|item| item.position).collect();
    assert_eq!(ascending, now, "ascending lists come to what was appended meanwhile");
    rounds.set(40);
    let query = MessageQuery { page: sized(5, Order::Descending), ..messages() };
    let descending = message_positions(&world, query, more_comes).await;
    assert_eq!(descending, in_order(now, Order::Descending), "descending lists have what was there");
    assert!(descending.ends_with(&in_order(before, Order::Descending)));

    rounds.set(40);
    let query = ConnectionQuery { page: sized(3, Order::Ascending), ..connections() };
    let ascending = connection_positions(&world, query, more_comes).await;
    let now: Vec<_> =
        world.all_connections(Filter::default()).await.iter().map(|item| item.position).collect();
    assert_eq!(ascending, now);
}

pub(super) async fn a_page_ends_when_its_budget_is_spent(make: Make) {
    let world = World::new(make, ROOMY);
    let clients: Vec<_> = (0..10).map(|_| world.client()).collect();
    clients.iter().for_each(|client| client.receives(&[b'x'; 100]));
    for order in ORDERS {
        for (budget, fit) in [(100, 1), (199, 1), (200, 2), (1_000, 10), (10_000, 10)] {
            let page = PageRequest { budget, ..sized(10, order) };
            let found = world.messages(MessageQuery { page, ..messages() }).await;
            assert_eq!((found.items.len(), found.more), (fit, fit < 10), "messages, {budget} bytes");
            assert_eq!(found.last, found.items.last().map(|item| item.position));
            let found = world.connections(ConnectionQuery { page, ..connections() }).await;
            assert_eq!((found.items.len(), found.more), (fit, fit < 10), "connections, {budget} bytes");
            assert_eq!(found.last, found.items.last().map(|item| item.position));
        }
        // What is not carried is not paid for.
        let page = PageRequest { budget: 20, ..sized(10, order) };
        let found = world.connections(ConnectionQuery { page, payload: 2, ..connections() }).await;
        assert_eq!((found.items.len(), found.more), (10, false));
    }
}

pub(super) async fn a_page_has_room_for_one_item_whatever_its_size(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    client.receives(b"large");
    client.receives(b"larger");
    let page = PageRequest { budget: 0, ..sized(10, Order::Ascending) };
    assert_eq!(message_positions(&world, MessageQuery { page, ..messages() }, || {}).await.len(), 2);
    assert_eq!(connection_positions(&world, ConnectionQuery { page, ..connections() }, || {}).await.len(), 1);
    // What carries nothing is in every budget.
    let page = world.connections(ConnectionQuery { page, messages: 0, ..connections() }).await;
    assert_eq!((page.items.len(), page.more), (1, false));
}

pub(super) async fn what_does_not_fit_is_not_looked_at_twice(make: Make) {
    let world = World::new(make, ROOMY);
    let clients = crowd(&world);
    let nothing = [
        Filter { state: Some(ConnectionState::Closed), ..Filter::default() },
        Filter { contains: vec![Needle::Bytes(b"nowhere".to_vec())], ..Filter::default() },
    ];
    let newest = world.all_messages(Filter::default()).await.last().map(|item| item.position);
    let connection = clients[6].record().await.position;
    for filter in nothing {
        let page = world.messages(MessageQuery { filter: filter.clone(), ..messages() }).await;
        assert_eq!(
            page,
            Page { items: vec![], last: newest, more: false, evicted_before: None },
            "{filter:?}"
        );
        let page = world.connections(ConnectionQuery { filter, ..connections() }).await;
        assert_eq!(page, Page { items: vec![], last: Some(connection), more: false, evicted_before: None });
    }
}

pub(super) async fn an_empty_page_has_no_last_record(make: Make) {
    let world = World::new(make, ROOMY);
    let empty = Page { items: vec![], last: None, more: false, evicted_before: None };
    assert_eq!(world.messages(messages()).await, empty);
    let client = world.client();
    client.receives(b"1");
    let newest = client.record().await.messages[0].position;
    for (order, after) in [(Order::Ascending, newest), (Order::Descending, Position::START)] {
        let page = PageRequest { after: Some(after), ..sized(10, order) };
        assert_eq!(world.messages(MessageQuery { page, ..messages() }).await, empty);
        let page = world.connections(ConnectionQuery { page, ..connections() }).await;
        assert_eq!((page.items.len(), page.last, page.more), (0, None, false));
    }
    let everything = PageRequest { after: Some(Position(u64::MAX)), ..sized(10, Order::Descending) };
    assert_eq!(world.messages(MessageQuery { page: everything, ..messages() }).await.items.len(), 1);
}
