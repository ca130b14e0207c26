//! Following the journal over a death of the service.

use crate::support::Events;

use super::{Home, echo};

#[tokio::test]
async fn who_comes_again_after_a_crash_is_told_how_the_open_clients_ended() {
    let home = Home::new();
    let service = home.start(&[]).await;
    let listener = echo(&service).await;
    let mut events = Events::follow(&service, "?event=opened,message,closed", None).await;
    let (mut one, two) = (service.connect(&listener).await, service.connect(&listener).await);
    for _ in 0..2 {
        events.next_named("opened").await;
    }
    one.send("hello").await;
    assert_eq!(one.read(5).await, b"hello");
    let received = events.next_named("message").await;
    let last = received.id.unwrap();
    drop(service);
    drop((one, two));
    let service = home.start(&[]).await;
    let mut events = Events::follow(&service, "?event=opened,message,closed", Some(&last)).await;
    assert_eq!(events.next().await.unwrap().name, "ready");
    let sent = events.next().await.unwrap();
    assert_eq!((sent.name.as_str(), &sent.data["direction"]), ("message", &"sent".into()));
    for _ in 0..2 {
        let closed = events.next().await.unwrap();
        assert_eq!((closed.name.as_str(), &closed.data["close_reason"]), ("closed", &"crash".into()));
    }
    let mut peer = service.connect(&listener).await;
    let opened = events.next().await.unwrap();
    assert_eq!(
        (opened.name.as_str(), &opened.data["peer"]["port"]),
        ("opened", &peer.address().port().into())
    );
    peer.finish_sending().await;
    peer.read_to_end().await;
    assert_eq!(events.next().await.unwrap().data["close_reason"], "peer_closed");
}
