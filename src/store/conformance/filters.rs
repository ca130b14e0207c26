//! What fits a filter.

use std::net::SocketAddr;

use encoding_rs::GBK;

use crate::domain::{Charset, Connection, Direction, Timestamp};

use super::super::query::{
    ConnectionQuery, ConnectionState, Filter, ListenerFilter, MessageQuery, Needle, Order,
};
use super::Make;
use super::support::{ROOMY, World, connections, first, messages};

fn contains(needles: &[&str]) -> Filter {
    let contains = needles.iter().map(|needle| Needle::Text((*needle).to_owned())).collect();
    Filter { contains, ..Filter::default() }
}

fn contains_bytes(needle: &[u8]) -> Filter {
    Filter { contains: vec![Needle::Bytes(needle.to_vec())], ..Filter::default() }
}

pub(super) async fn a_listener_is_found_by_id_and_by_name(make: Make) {
    let world = World::new(make, ROOMY);
    // One name, two listeners: the second was opened when the first was gone.
    let [first, second, other] = ["door", "door", "other"].map(|name| world.listener(name));
    let [a, b, c] = [&first, &second, &other]
        .map(|listener| world.client_as(Connection { listener: listener.clone(), ..world.arrival() }));
    [&a, &b, &c].iter().for_each(|client| client.receives(b"1"));
    let of = |listener| Filter { listener: Some(listener), ..Filter::default() };
    assert_eq!(world.ids(of(ListenerFilter::Id(second.id))).await, [b.id]);
    assert_eq!(world.all_messages(of(ListenerFilter::Id(second.id))).await[0].message.connection, b.id);
    let door = first.name.clone().unwrap();
    assert_eq!(world.ids(of(ListenerFilter::Name(door.clone()))).await, [a.id, b.id]);
    assert_eq!(world.all_messages(of(ListenerFilter::Name(door))).await.len(), 2);
    assert_eq!(world.ids(of(ListenerFilter::Id(world.listener("door").id))).await, []);
}

pub(super) async fn a_peer_is_found_by_network_also_when_mapped(make: Make) {
    let world = World::new(make, ROOMY);
    let peers = ["10.1.2.3:1", "10.9.9.9:1", "[::ffff:10.1.2.4]:1", "[2001:db8::1]:1"];
    let clients = peers.map(|peer| {
        let client =
            world.client_as(Connection { peer: peer.parse::<SocketAddr>().unwrap(), ..world.arrival() });
        client.receives(peer.as_bytes());
        client
    });
    for (net, found) in [
        ("10.1.2.0/24", vec![0, 2]),
        ("10.1.2.3/32", vec![0]),
        ("0.0.0.0/0", vec![0, 1, 2]),
        ("2001:db8::/32", vec![3]),
        ("::/0", vec![3]),
    ] {
        let filter = Filter { peer: Some(net.parse().unwrap()), ..Filter::default() };
        let ids: Vec<_> = found.iter().map(|n: &usize| clients[*n].id).collect();
        assert_eq!(world.ids(filter.clone()).await, ids, "{net}");
        let texts: Vec<_> = found.iter().map(|n| peers[*n].as_bytes()).collect();
        assert_eq!(world.payloads(filter).await, texts, "{net}");
    }
}

pub(super) async fn connections_are_found_by_state(make: Make) {
    let world = World::new(make, ROOMY);
    let (open, closed) = (world.client(), world.client());
    open.receives(b"open");
    closed.receives(b"closed");
    closed.ends();
    let of = |state| Filter { state: Some(state), ..Filter::default() };
    assert_eq!(world.ids(of(ConnectionState::Open)).await, [open.id]);
    assert_eq!(world.ids(of(ConnectionState::Closed)).await, [closed.id]);
    assert_eq!(world.payloads(of(ConnectionState::Open)).await, ["open"]);
    assert_eq!(world.payloads(of(ConnectionState::Closed)).await, ["closed"]);
}

pub(super) async fn records_are_found_by_time(make: Make) {
    let world = World::new(make, ROOMY);
    let (a, b) = (world.client(), world.client());
    a.receives(b"1");
    b.receives(b"2");
    a.receives(b"3");
    let at: Vec<_> = world.all_messages(Filter::default()).await.iter().map(|item| item.message.at).collect();
    let within = |since: Option<Timestamp>, until| Filter { since, until, ..Filter::default() };
    assert_eq!(world.payloads(within(Some(at[1]), None)).await, ["2", "3"], "since is included");
    assert_eq!(world.payloads(within(None, Some(at[1]))).await, ["1"], "until is not");
    assert_eq!(world.payloads(within(Some(at[1]), Some(at[2]))).await, ["2"]);
    let opened = b.record().await.connection.opened_at;
    assert_eq!(world.ids(within(Some(opened), None)).await, [b.id]);
    assert_eq!(world.ids(within(None, Some(opened))).await, [a.id]);
}

pub(super) async fn messages_are_found_by_direction(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    client.receives(b"question");
    client.sends(b"answer");
    let of = |direction| Filter { direction: Some(direction), ..Filter::default() };
    assert_eq!(world.payloads(of(Direction::Received)).await, ["question"]);
    assert_eq!(world.payloads(of(Direction::Sent)).await, ["answer"]);
    assert_eq!(world.ids(of(Direction::Sent)).await, [client.id], "it chooses messages, not connections");
}

pub(super) async fn text_is_found_in_the_encoding_of_each_message(make: Make) {
    let world = World::new(make, ROOMY);
    let (in_gbk, _, _) = GBK.encode("问题正在处理中...");
    let in_utf8 = "问题正在处理中...".as_bytes();
    let charsets = [Charset::Fixed(GBK), Charset::Fixed(encoding_rs::UTF_8), Charset::Auto];
    let clients = charsets.map(|charset| {
        let mut client = world.client();
        client.charset = charset;
        client.receives(&in_gbk);
        client.receives(in_utf8);
        client
    });
    // GBK in the first, UTF-8 in the second, either where it is to be guessed.
    let expected = [&*in_gbk, in_utf8, &*in_gbk, in_utf8];
    assert_eq!(world.payloads(contains(&["处理"])).await, expected);
    assert_eq!(world.ids(contains(&["处理"])).await, clients.map(|client| client.id));
    assert_eq!(world.payloads(contains(&["nowhere"])).await.len(), 0);
    assert_eq!(world.payloads(contains(&["..."])).await.len(), 6);
    assert_eq!(world.payloads(contains(&["😀"])).await.len(), 0, "GBK has no such character");
    assert_eq!(world.payloads(contains(&[""])).await.len(), 6, "nothing is everywhere");
}

pub(super) async fn bytes_are_found_wherever_they_stand(make: Make) {
    let world = World::new(make, ROOMY);
    let client = world.client();
    client.receives(&[0x78, 0x78, 0x05, 0x01, 0x00]);
    client.receives(&[0x78, 0x79, 0x05]);
    client.receives(&[]);
    for (needle, found) in [
        (&[0x78, 0x78][..], 1),
        (&[0x05, 0x01, 0x00], 1),
        (&[0x05], 2),
        (&[0x01, 0x05], 0),
        (&[0], 1),
        (&[], 3),
    ] {
        assert_eq!(world.payloads(contains_bytes(needle)).await.len(), found, "{needle:02x?}");
    }
}

pub(super) async fn all_needles_have_to_be_in_one_message(make: Make) {
    let world = World::new(make, ROOMY);
    let (a, b) = (world.client(), world.client());
    a.receives(b"alpha beta");
    b.receives(b"alpha");
    b.receives(b"beta");
    assert_eq!(world.payloads(contains(&["beta", "alpha"])).await, ["alpha beta"]);
    assert_eq!(world.ids(contains(&["beta", "alpha"])).await, [a.id]);
    assert_eq!(world.ids(contains(&["beta"])).await, [a.id, b.id]);
    let mixed = Filter {
        contains: vec![Needle::Bytes(b"ph".to_vec()), Needle::Text("eta".into())],
        ..Filter::default()
    };
    assert_eq!(world.ids(mixed).await, [a.id]);
}

pub(super) async fn connections_are_found_by_what_crossed_in_a_direction(make: Make) {
    let world = World::new(make, ROOMY);
    let (asks, answers) = (world.client(), world.client());
    asks.receives(b"hello");
    asks.sends(b"bye");
    answers.receives(b"bye");
    answers.sends(b"hello");
    let filter = |direction| Filter { direction: Some(direction), ..contains(&["hello"]) };
    assert_eq!(world.ids(filter(Direction::Received)).await, [asks.id]);
    assert_eq!(world.ids(filter(Direction::Sent)).await, [answers.id]);
    let found = world.all_connections(filter(Direction::Sent)).await;
    assert_eq!(found[0].messages.len(), 2, "the connection is carried with all its messages");
}

pub(super) async fn filters_hold_together(make: Make) {
    let world = World::new(make, ROOMY);
    let (gate, door) = (world.listener("gate"), world.listener("door"));
    let mut expected = vec![];
    for n in 0..16_u8 {
        let listener = if n & 1 == 0 { &gate } else { &door }.clone();
        let peer = SocketAddr::from(([10, 0, n >> 1 & 1, 1], 1));
        let client = world.client_as(Connection { listener, peer, ..world.arrival() });
        client.receives(if n & 4 == 0 { b"hello" } else { b"other" });
        client.sends(b"hello");
        if n & 8 != 0 {
            client.ends();
        }
        if n == 10 {
            expected.push(client.id);
        }
    }
    let filter = Filter {
        listener: Some(ListenerFilter::Id(gate.id)),
        peer: Some("10.0.1.0/24".parse().unwrap()),
        state: Some(ConnectionState::Closed),
        direction: Some(Direction::Received),
        since: Some(Timestamp::from_micros(0)),
        until: Some(world.now()),
        ..contains(&["hello"])
    };
    assert_eq!(world.ids(filter.clone()).await, expected);
    let found = world.all_messages(filter.clone()).await;
    assert_eq!(found.iter().map(|item| item.message.connection).collect::<Vec<_>>(), expected);
    let query = MessageQuery { connection: Some(expected[0]), filter: filter.clone(), ..messages() };
    assert_eq!(world.messages(query.clone()).await.items, found);
    let elsewhere = Filter { listener: Some(ListenerFilter::Id(door.id)), ..filter };
    assert_eq!(world.messages(MessageQuery { filter: elsewhere, ..query }).await.items, []);
}

pub(super) async fn a_search_through_many_payloads_ends_with_everything_found(make: Make) {
    let world = World::new(make, ROOMY);
    let (long, quiet, last) = (world.client(), world.client(), world.client());
    // More than is looked at in one go, by bytes and by records.
    for n in 0..3_000_usize {
        let payload = if n % 1_000 == 7 { b"needle".to_vec() } else { vec![b'x'; 1_000] };
        long.receives(&payload);
    }
    quiet.receives(b"nothing");
    last.receives(&vec![b'y'; 3 << 20]);
    last.receives(b"needle");
    assert_eq!(world.payloads(contains(&["needle"])).await.len(), 4);
    assert_eq!(world.ids(contains(&["needle"])).await, [long.id, last.id]);
    let descending = crate::store::PageRequest { order: Order::Descending, ..first(10) };
    let query =
        ConnectionQuery { filter: contains(&["needle"]), page: descending, messages: 0, ..connections() };
    let found = world.connections(query).await;
    assert_eq!(found.items.iter().map(|item| item.connection.id).collect::<Vec<_>>(), [last.id, long.id]);
    assert_eq!(world.ids(contains(&["nothing"])).await, [quiet.id]);
}

pub(super) async fn a_page_of_a_search_goes_on_where_it_ended(make: Make) {
    let world = World::new(make, ROOMY);
    let clients: Vec<_> = (0..60).map(|_| world.client()).collect();
    for (n, client) in clients.iter().enumerate() {
        client.receives(b"first");
        client.receives(if n % 3 == 0 { b"needle" } else { b"nothing" });
    }
    for (order, limit) in
        [(Order::Ascending, 1), (Order::Ascending, 7), (Order::Descending, 7), (Order::Descending, 20)]
    {
        let (mut found, mut page) = (vec![], crate::store::PageRequest { order, ..first(limit) });
        loop {
            let query = ConnectionQuery { filter: contains(&["needle"]), page, ..connections() };
            let answer = world.connections(query).await;
            found.extend(answer.items.iter().map(|item| item.connection.id));
            if !answer.more {
                break;
            }
            page.after = answer.last;
        }
        let mut expected: Vec<_> = clients.iter().step_by(3).map(|client| client.id).collect();
        if order == Order::Descending {
            expected.reverse();
        }
        assert_eq!(found, expected, "{order:?}, {limit} a page");
    }
}
