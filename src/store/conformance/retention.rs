//! What the bound evicts, and how lists say so.

use crate::domain::{Direction, Tally};

use super::super::cursor::Position;
use super::super::journal::Record;
use super::super::query::{ConnectionQuery, Filter, MessageQuery, Order, PageRequest};
use super::Make;
use super::support::{FIRST, ROOMY, TIGHT, World, connections, first, messages, texts};

fn behind(after: Position) -> PageRequest {
    PageRequest { after: Some(after), ..first(1_000) }
}

fn descending(limit: usize) -> PageRequest {
    PageRequest { order: Order::Descending, ..first(limit) }
}

pub(super) async fn the_oldest_goes_first_and_the_bound_holds(make: Make) {
    let world = World::new(make, TIGHT);
    for n in 0..500 {
        let client = world.client();
        client.receives(format!("{n:>100}").as_bytes());
        client.ends();
        assert!(world.journal.status().bytes <= TIGHT);
        let left = texts(&world.all_messages(Filter::default()).await);
        let newest: Vec<_> = (n + 1 - left.len()..=n).map(|n| format!("{n:>100}")).collect();
        assert_eq!(left, newest);
    }
    let (messages, clients) = (
        world.all_messages(Filter::default()).await.len(),
        world.all_connections(Filter::default()).await.len(),
    );
    assert!(messages > 10, "{messages} messages are left");
    assert!((messages..=messages + 1).contains(&clients), "{clients} for {messages} messages");
    assert_eq!(world.journal.status().evicted_records as usize, 1_000 - messages - clients);
}

pub(super) async fn open_connections_outlive_their_messages(make: Make) {
    let world = World::new(make, TIGHT);
    let client = world.client();
    client.receives(b"question");
    client.sends(b"answer");
    world.crowd_out(100, 500);
    let record = client.record().await;
    assert_eq!((record.messages.len(), record.more_messages), (0, 0));
    assert_eq!(
        (record.received, record.sent),
        (Tally { bytes: 8, messages: 1 }, Tally { bytes: 6, messages: 1 })
    );
    client.receives(b"still there");
    assert_eq!(texts(&client.record().await.messages), ["still there"]);
    client.ends();
    assert_eq!(texts(&client.record().await.messages), ["still there"]);
    world.crowd_out(200, 500);
    assert_eq!(world.journal.connection(client.id, 10, 100).await, Ok(None), "ended and empty");
}

pub(super) async fn an_ended_connection_goes_after_its_last_message(make: Make) {
    let world = World::new(make, TIGHT);
    let (client, silent) = (world.client(), world.client());
    client.receives(b"early");
    silent.ends();
    (0..20).for_each(|_| world.client().ends());
    client.receives(b"late");
    client.ends();
    let mut only_late = false;
    loop {
        world.crowd_out(1, 100);
        let Some(record) = world.journal.connection(client.id, 10, 100).await.unwrap() else { break };
        only_late |= texts(&record.messages) == ["late"];
        let is_in = |id| world.journal.connection(id, 0, 0);
        assert!(
            !only_late || is_in(silent.id).await.unwrap().is_none(),
            "an older one that stays held it up"
        );
        for message in world.all_messages(Filter::default()).await {
            assert!(
                is_in(message.message.connection).await.unwrap().is_some(),
                "a message has its connection"
            );
        }
    }
    assert!(only_late);
    assert!(!texts(&world.all_messages(Filter::default()).await).contains(&"late".to_owned()));
}

pub(super) async fn what_comes_after_its_end_keeps_a_connection(make: Make) {
    let world = World::new(make, TIGHT);
    let client = world.client();
    world.crowd_out(10, 100);
    client.ends();
    client.receives(b"after all");
    world.crowd_out(1, 100);
    assert_eq!(texts(&client.record().await.messages), ["after all"]);
    assert_eq!(
        world
            .all_messages(Filter::default())
            .await
            .iter()
            .filter(|m| m.message.connection == client.id)
            .count(),
        1
    );
}

pub(super) async fn connections_without_messages_go_too(make: Make) {
    let world = World::new(make, TIGHT);
    let clients: Vec<_> = (0..1_000).map(|_| world.client()).inspect(|client| client.ends()).collect();
    assert!(world.journal.status().bytes <= TIGHT);
    let left = world.ids(Filter::default()).await;
    assert!(left.len() > 10, "{} are left", left.len());
    assert_eq!(left, clients[1_000 - left.len()..].iter().map(|client| client.id).collect::<Vec<_>>());
    assert_eq!(world.journal.status().evicted_records as usize, 1_000 - left.len());
}

pub(super) async fn a_message_larger_than_the_journal_breaks_nothing(make: Make) {
    let world = World::new(make, TIGHT);
    let (before, client) = (world.client(), world.client());
    before.receives(b"before");
    before.ends();
    client.receives(&vec![b'x'; 10 * TIGHT as usize]);
    let record = client.record().await;
    assert_eq!(record.received, Tally { bytes: 10 * TIGHT, messages: 1 });
    assert!(world.journal.status().bytes <= TIGHT);
    client.receives(b"after");
    assert_eq!(texts(&world.all_messages(Filter::default()).await), ["after"]);
    assert_eq!(client.bytes_before(Direction::Received, 10 * TIGHT + 5, 100).await, b"after");
    let own = world.messages(MessageQuery { connection: Some(client.id), ..messages() }).await;
    assert_eq!(own.evicted_before, Some(own.items[0].position));
}

pub(super) async fn an_ascending_list_says_that_it_begins_in_what_was_evicted(make: Make) {
    let world = World::new(make, TIGHT);
    world.client().ends();
    assert_eq!(world.connections(connections()).await.evicted_before, None);
    world.crowd_out(50, 100);
    let all = world.messages(messages()).await;
    assert_eq!(all.evicted_before, Some(all.items[0].position));
    let from_start = world.messages(MessageQuery { page: behind(Position::START), ..messages() }).await;
    assert_eq!((from_start.items, from_start.evicted_before), (all.items.clone(), all.evicted_before));
    let lost = world.messages(MessageQuery { page: behind(FIRST), ..messages() }).await;
    assert_eq!(lost.evicted_before, all.evicted_before);
    let rest = world.messages(MessageQuery { page: behind(all.items[0].position), ..messages() }).await;
    assert_eq!(rest.evicted_before, None, "nothing is missing between");
    // Also when there is nothing that fits.
    let nothing = Filter { since: Some(world.now()), ..Filter::default() };
    let page = world.messages(MessageQuery { filter: nothing, ..messages() }).await;
    assert_eq!((page.items.len(), page.evicted_before), (0, all.evicted_before));

    let page = world.connections(connections()).await;
    let whole_from = page.evicted_before.unwrap();
    let is_whole =
        |item: &&crate::store::ConnectionRecord| item.received.messages == item.messages.len() as u64;
    assert!(page.items.iter().filter(|item| item.position >= whole_from).all(|item| is_whole(&item)));
    assert!(page.items.iter().filter(is_whole).all(|item| item.position >= whole_from));
}

pub(super) async fn a_descending_list_says_that_it_ends_in_what_was_evicted(make: Make) {
    let world = World::new(make, TIGHT);
    world.client().ends();
    let page = world.connections(ConnectionQuery { page: descending(10), ..connections() }).await;
    assert_eq!((page.items.len(), page.evicted_before), (1, None));
    world.crowd_out(50, 100);
    let all = world.messages(messages()).await.items;
    let newest = world.messages(MessageQuery { page: descending(all.len() - 1), ..messages() }).await;
    assert_eq!((newest.more, newest.evicted_before), (true, None));
    let whole = world.messages(MessageQuery { page: descending(all.len()), ..messages() }).await;
    assert_eq!((whole.more, whole.evicted_before), (false, Some(all[0].position)));
    let page = PageRequest { after: Some(all[1].position), ..descending(10) };
    let end = world.messages(MessageQuery { page, ..messages() }).await;
    assert_eq!((end.items.len(), end.evicted_before), (1, Some(all[0].position)));
}

pub(super) async fn the_messages_of_one_connection_say_whether_some_of_them_were_evicted(make: Make) {
    let world = World::new(make, TIGHT);
    let (early, late) = (world.client(), world.client());
    early.receives(b"lost");
    world.crowd_out(60, 100);
    early.receives(b"kept");
    late.receives(b"whole");
    let own = |client: &super::support::Client<'_>, page| {
        world.messages(MessageQuery { connection: Some(client.id), page, ..messages() })
    };
    let page = own(&early, first(10)).await;
    assert_eq!(
        (texts(&page.items), page.evicted_before),
        (vec!["kept".into()], Some(page.items[0].position))
    );
    assert_eq!(own(&early, descending(10)).await.evicted_before, page.evicted_before);
    assert_eq!(own(&early, behind(page.items[0].position)).await.evicted_before, None);
    assert_eq!(own(&late, first(10)).await.evicted_before, None, "others' messages are not missing here");
    assert_eq!(own(&late, descending(10)).await.evicted_before, None);
}

pub(super) async fn a_cursor_of_an_earlier_run_stands_before_everything(make: Make) {
    let world = World::new(make, ROOMY);
    let earlier = behind(Position(FIRST.0 / 2));
    let page = world.messages(MessageQuery { page: earlier, ..messages() }).await;
    assert_eq!(
        (page.items.len(), page.last, page.evicted_before),
        (0, None, Some(FIRST)),
        "the next to be given"
    );
    let client = world.client();
    client.receives(b"1");
    let page = world.messages(MessageQuery { page: earlier, ..messages() }).await;
    assert_eq!((texts(&page.items), page.evicted_before), (vec!["1".into()], Some(page.items[0].position)));
    let page = world.connections(ConnectionQuery { page: earlier, ..connections() }).await;
    assert_eq!((page.items.len(), page.evicted_before), (1, Some(FIRST)));
    for page in [first(10), behind(Position::START), behind(FIRST), descending(10)] {
        assert_eq!(
            world.messages(MessageQuery { page, ..messages() }).await.evicted_before,
            None,
            "{page:?}"
        );
    }
}

pub(super) async fn what_did_not_leave_is_taken_back_even_after_eviction(make: Make) {
    let world = World::new(make, TIGHT);
    let client = world.client();
    client.sends(b"left");
    world.append(vec![Record::Message(client.message(Direction::Sent, 1_000, b"did not leave"))]);
    world.crowd_out(100, 500);
    assert_eq!(client.record().await.sent, Tally { bytes: 1_004, messages: 2 });
    client.sent_short(2, 10);
    assert_eq!(client.record().await.sent, Tally { bytes: 14, messages: 2 });
    client.sent_short(2, 0);
    assert_eq!(client.record().await.sent, Tally { bytes: 4, messages: 1 });
    client.sent_short(2, 0);
    assert_eq!(client.record().await.sent, Tally { bytes: 4, messages: 1 });
}

pub(super) async fn what_did_not_leave_is_taken_back_although_only_what_came_later_is_left(make: Make) {
    let world = World::new(make, TIGHT);
    let client = world.client();
    client.sends(b"never left");
    world.crowd_out(100, 500);
    client.receives(b"later");
    client.sent_short(1, 0);
    let record = client.record().await;
    assert_eq!(texts(&record.messages), ["later"]);
    assert_eq!(
        (record.received, record.sent, record.more_messages),
        (Tally { bytes: 5, messages: 1 }, Tally::default(), 0)
    );
}
