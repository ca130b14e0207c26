//! Whatever happens, a journal answers as a plain list of all records would, less what it says it has evicted.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::{Builder, Runtime};

use crate::domain::{CloseReason, ClosedBy, Closing, Connection, Direction};

use super::super::cursor::Position;
use super::super::journal::{ConnectionRecord, MessageRecord, Record};
use super::super::query::{
    ConnectionQuery, ConnectionState, EndQuery, Filter, ListenerFilter, MessageQuery, Needle, Order, Page,
    PageRequest,
};
use super::Make;
use super::plain::Plain;
use super::support::{Client, FIRST, ROOMY, TIGHT, World, connections, messages};

/// What may happen; numbers choose among the connections that ever were.
#[derive(Debug, Clone)]
enum Event {
    Open(u8),
    Cross { client: usize, direction: Direction, letter: u8, size: usize },
    SentShort { client: usize, size: u64 },
    Close(usize),
    Forget(FilterSeed),
    List(FilterSeed, PageSeed),
}

#[derive(Debug, Clone)]
struct FilterSeed {
    state: Option<bool>,
    direction: Option<Direction>,
    listener: bool,
    letters: Vec<u8>,
    since: Option<usize>,
}

#[derive(Debug, Clone)]
struct PageSeed {
    order: Order,
    after: Option<u64>,
    limit: usize,
    budget: usize,
    client: Option<usize>,
}

pub(super) fn it_answers_as_a_plain_list_of_records_would(make: Make) {
    let mut runner = TestRunner::new(Config { failure_persistence: None, cases: 300, ..Config::default() });
    let events = proptest::collection::vec(events(), 0..150);
    let case = (events, prop_oneof![Just(ROOMY), Just(TIGHT), Just(4_000)]);
    let runtime = Builder::new_current_thread().build().unwrap();
    runner.run(&case, |(events, capacity)| play(make, &runtime, &events, capacity)).unwrap();
}

fn events() -> impl Strategy<Value = Event> {
    let direction = || prop_oneof![Just(Direction::Received), Just(Direction::Sent)];
    let filter = || {
        let letters = proptest::collection::vec(b'a'..=b'c', 0..2);
        let optional =
            (proptest::option::of(any::<bool>()), proptest::option::of(direction()), any::<bool>());
        (optional, letters, proptest::option::of(0..200_usize)).prop_map(
            |((state, direction, listener), letters, since)| FilterSeed {
                state,
                direction,
                listener,
                letters,
                since,
            },
        )
    };
    let order = prop_oneof![Just(Order::Ascending), Just(Order::Descending)];
    let place =
        (proptest::option::of(0..400_u64), 1..20_usize, 0..3_000_usize, proptest::option::of(0..40_usize));
    let page = (order, place).prop_map(|(order, (after, limit, budget, client))| PageSeed {
        order,
        after,
        limit,
        budget,
        client,
    });
    // What could not be computed stands on record as a message of no bytes.
    let size = prop_oneof![1 => Just(0), 9 => 0..700_usize];
    let cross = (0..40_usize, direction(), b'a'..=b'd', size);
    prop_oneof![
        3 => any::<u8>().prop_map(Event::Open),
        12 => cross.prop_map(|(client, direction, letter, size)| Event::Cross { client, direction, letter, size }),
        1 => (0..40_usize, 0..500_u64).prop_map(|(client, size)| Event::SentShort { client, size }),
        3 => (0..40_usize).prop_map(Event::Close),
        1 => filter().prop_map(Event::Forget),
        4 => (filter(), page).prop_map(|(filter, page)| Event::List(filter, page)),
    ]
}

fn play(make: Make, runtime: &Runtime, events: &[Event], capacity: u64) -> Result<(), TestCaseError> {
    let world = World::new(make, capacity);
    let listeners = [world.listener("a"), world.listener("b")];
    let (mut model, mut clients) = (Plain::new(FIRST), Vec::<Client<'_>>::new());
    for event in events {
        let record = match event {
            Event::Open(listener) => {
                let listener = listeners[usize::from(listener % 2)].clone();
                let arrival = Connection { listener, ..world.arrival() };
                clients.push(Client::unrecorded(&world, arrival.id));
                Some(Record::Opened(Box::new(arrival)))
            }
            Event::Cross { client, direction, letter, size } => clients.get(*client).map(|client| {
                Record::Message(client.message(*direction, *size as u64, &vec![*letter; *size]))
            }),
            Event::SentShort { client, size } => {
                clients.get(*client).map(|client| client.short(client.newest_sent(), *size))
            }
            Event::Close(client) => clients.get(*client).map(|client| {
                let closing =
                    Closing { at: world.now(), by: ClosedBy::Peer, reason: CloseReason::PeerClosed };
                Record::Closed { connection: client.id, closing }
            }),
            Event::Forget(seed) => {
                let filter = seed.filter(&world, &model);
                let forgotten = runtime.block_on(world.journal.forget(filter.clone())).unwrap();
                prop_assert_eq!(forgotten, model.forget(&filter));
                None
            }
            Event::List(seed, page) => {
                let filter = seed.filter(&world, &model);
                compare_pages(runtime, &model, &world, &clients, &filter, page)?;
                None
            }
        };
        if let Some(record) = record {
            world.append(vec![record.clone()]);
            model.append(record);
            model.evict(world.journal.status().evicted_records);
        }
    }
    prop_assert!(capacity != ROOMY || model.evicted == 0);
    let everything =
        PageSeed { order: Order::Ascending, after: None, limit: 100_000, budget: usize::MAX, client: None };
    compare_pages(runtime, &model, &world, &clients, &Filter::default(), &everything)
}

impl FilterSeed {
    fn filter(&self, world: &World, model: &Plain) -> Filter {
        Filter {
            listener: self.listener.then(|| ListenerFilter::Name(world.listener("a").name.clone().unwrap())),
            state: self.state.map(|open| if open { ConnectionState::Open } else { ConnectionState::Closed }),
            direction: self.direction,
            since: self
                .since
                .and_then(|n| model.messages(&Filter::default()).get(n).map(|item| item.message.at)),
            contains: self.letters.iter().map(|letter| Needle::Bytes(vec![*letter; 2])).collect(),
            ..Filter::default()
        }
    }
}

fn compare_pages(
    runtime: &Runtime,
    model: &Plain,
    world: &World,
    clients: &[Client<'_>],
    filter: &Filter,
    seed: &PageSeed,
) -> Result<(), TestCaseError> {
    let after = seed.after.map(|n| Position(FIRST.0 + n));
    let page = PageRequest { order: seed.order, after, limit: seed.limit, budget: seed.budget };

    let connection = seed.client.and_then(|n| clients.get(n)).map(|client| client.id);
    let found = runtime.block_on(world.messages(MessageQuery { connection, filter: filter.clone(), page }));
    let listed: Vec<_> = model
        .messages(filter)
        .into_iter()
        .filter(|m| connection.is_none_or(|id| id == m.message.connection))
        .collect();
    let position = |item: &MessageRecord| (item.position, item.message.payload.len());
    compare(&found, &listed, page, position)?;
    let whole = *filter == Filter::default() && connection.is_none();
    prop_assert!(!whole || found.more == is_more(&found, &listed, page, position), "more {}", found.more);

    let query = ConnectionQuery { filter: filter.clone(), page, messages: 3, payload: 100 };
    let found = runtime.block_on(world.connections(query.clone()));
    let listed = model.connections(filter, query.messages, query.payload);
    let position = |item: &ConnectionRecord| {
        (item.position, item.messages.iter().map(|message| message.message.payload.len()).sum())
    };
    compare(&found, &listed, page, position)?;
    let whole = *filter == Filter::default();
    prop_assert!(!whole || found.more == is_more(&found, &listed, page, position), "more {}", found.more);

    compare_ends(runtime, model, world, filter, seed)?;

    let unpaged = PageRequest { limit: 100_000, budget: usize::MAX, ..page };
    let found = runtime.block_on(world.messages(MessageQuery { page: unpaged, ..messages() })).evicted_before;
    prop_assert_eq!(found.is_some(), model.reaches_evicted(unpaged));
    let found = runtime
        .block_on(world.connections(ConnectionQuery { page: unpaged, ..connections() }))
        .evicted_before;
    prop_assert_eq!(found.is_some(), model.reaches_evicted(unpaged));
    Ok(())
}

/// The pages of ends, one after the other, are all ends.
fn compare_ends(
    runtime: &Runtime,
    model: &Plain,
    world: &World,
    filter: &Filter,
    seed: &PageSeed,
) -> Result<(), TestCaseError> {
    let begin = Position(seed.after.map_or(0, |n| FIRST.0 + n));
    let (mut found, mut after) = (Vec::new(), begin);
    loop {
        let query = EndQuery { connection: None, filter: filter.clone(), after, limit: seed.limit };
        let page = runtime.block_on(world.journal.ends(query)).unwrap();
        prop_assert!(page.items.len() <= seed.limit);
        found.extend(page.items.iter().map(|end| (end.position, end.connection.connection.id)));
        after = page.last.unwrap_or(after);
        if !page.more {
            break;
        }
    }
    let expected: Vec<_> = model.ends(filter).into_iter().filter(|(at, _)| *at > begin).collect();
    prop_assert_eq!(found, expected);
    Ok(())
}

/// The page has the first of what is listed, and as much of it as limit and budget allow.
fn compare<T: Clone + PartialEq + std::fmt::Debug>(
    found: &Page<T>,
    listed: &[T],
    page: PageRequest,
    position: impl Fn(&T) -> (Position, usize),
) -> Result<(), TestCaseError> {
    let expected = behind(listed, page, &position);
    let (mut taken, mut spent) = (0, 0);
    for item in expected.iter().take(page.limit) {
        spent += position(item).1;
        if taken > 0 && spent > page.budget {
            break;
        }
        taken += 1;
    }
    prop_assert_eq!(&found.items, &expected[..taken]);
    prop_assert!(found.more || taken == expected.len(), "the list ends too early");
    prop_assert!(taken == 0 || found.last >= Some(FIRST));
    Ok(())
}

/// Whether something that is listed follows the page.
fn is_more<T: Clone>(
    found: &Page<T>,
    listed: &[T],
    page: PageRequest,
    position: impl Fn(&T) -> (Position, usize),
) -> bool {
    behind(listed, page, &position).len() > found.items.len()
}

/// What is listed behind the place where the page begins, in its order.
fn behind<T: Clone>(listed: &[T], page: PageRequest, position: &impl Fn(&T) -> (Position, usize)) -> Vec<T> {
    let PageRequest { order, after, .. } = page;
    let mut items: Vec<T> = listed.to_vec();
    match order {
        Order::Ascending => items.retain(|item| after.is_none_or(|after| position(item).0 > after)),
        Order::Descending => {
            items.retain(|item| after.is_none_or(|after| position(item).0 < after));
            items.reverse();
        }
    }
    items
}
