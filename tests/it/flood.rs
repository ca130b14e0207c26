//! What comes to an end however much pours in, and when the service stops.

use std::net::SocketAddr;
use std::sync::Arc;

use answerback::domain::{
    Charset, Connection, ConnectionId, Direction, IdSource, ListenerRef, Message, Timestamp,
};
use answerback::store::{Journal, MemoryJournal, Record, Urgency};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::{Moody, PATIENCE, TestApp};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Records that come with each look at the journal: more than a look can take.
const POUR: u64 = 1_000;

/// Who connects, and who sends, whenever somebody looks.
struct Crowd {
    ids: IdSource,
    listener: Arc<ListenerRef>,
    talker: ConnectionId,
}

impl Crowd {
    fn new(journal: &Moody) -> Self {
        let ids = IdSource::new(7);
        let listener = Arc::new(ListenerRef { id: ids.listener(NOW), name: None });
        let crowd = Self { talker: ids.connection(NOW), ids, listener };
        drop(journal.append(vec![crowd.opened(crowd.talker)], Urgency::Now));
        crowd
    }

    fn opened(&self, id: ConnectionId) -> Record {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let listener = Arc::clone(&self.listener);
        Record::Opened(Box::new(Connection { id, listener, peer: address, local: address, opened_at: NOW }))
    }

    fn said(&self) -> Record {
        Record::Message(Message {
            connection: self.talker,
            direction: Direction::Received,
            seq: 1,
            offset: 0,
            at: NOW,
            size: 1,
            payload: Bytes::from_static(b"x"),
            sha256: None,
            charset: Charset::Auto,
            note: None,
        })
    }

    fn pours_into(&self, journal: &MemoryJournal) {
        let more = (0..POUR).flat_map(|_| [self.opened(self.ids.connection(NOW)), self.said()]);
        drop(journal.append(more.collect(), Urgency::Now));
    }
}

/// A service whose journal has more whenever it is looked at.
async fn flooded() -> TestApp {
    let journal = Arc::new(Moody::default());
    let crowd = Crowd::new(&journal);
    journal.on_look(move |journal| crowd.pours_into(journal));
    TestApp::start_over(journal, |_| ()).await.unwrap()
}

async fn expect(app: &TestApp, expectation: Value) -> u16 {
    let answer = app.json("POST", "/expect", &expectation);
    timeout(PATIENCE, answer).await.expect("an answer in time").status.as_u16()
}

#[tokio::test]
async fn an_expectation_that_is_out_of_time_ends_in_a_flood() {
    let app = flooded().await;
    let nothing = json!({"equals": "nothing"});
    assert_eq!(expect(&app, json!({"match": nothing, "never": true, "within": "0s"})).await, 200);
    assert_eq!(expect(&app, json!({"match": nothing, "within": "10ms"})).await, 409);
}

#[tokio::test]
async fn an_export_ends_in_a_flood_of_clients_and_of_messages() {
    for format in ["ndjson", "hexdump", "pcapng"] {
        let app = flooded().await;
        let path = format!("/export?format={format}");
        let body = timeout(PATIENCE, app.get(&path)).await.expect("an export in time").expect(200).body;
        assert!(!body.is_empty());
    }
}

#[tokio::test]
async fn a_service_that_stops_does_not_say_that_something_never_happened() {
    let (journal, looked) = (Arc::new(Moody::default()), Arc::new(Notify::new()));
    // There is something to look at.
    let crowd = Crowd::new(&journal);
    drop(journal.append(vec![crowd.said()], Urgency::Now));
    let look = Arc::clone(&looked);
    journal.on_look(move |_| look.notify_one());
    let app = TestApp::start_over(journal, |_| ()).await.unwrap();
    let never = json!({"match": {"equals": "nothing"}, "never": true, "within": "60s"});
    let stop = async {
        timeout(PATIENCE, looked.notified()).await.expect("a look in time");
        app.shutdown();
    };
    let (answer, ()) = tokio::join!(app.json("POST", "/expect", &never), stop);
    answer.problem(503, "shutting-down");
}
