//! A test in Rust, with the service in its own process: no binary, no port that others know, no clean-up.
//!
//! ```toml
//! [dev-dependencies]
//! answerback = "0.1"
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::time::Duration;

use answerback::app::App;
use answerback::client::{Client, Error, Expectation, Spec};
use answerback::config::{Config, JournalSetting};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The code under test.
async fn send_order(port: u16, number: u32) -> std::io::Result<String> {
    let mut shop = TcpStream::connect(("127.0.0.1", port)).await?;
    shop.write_all(format!("ORDER {number}\n").as_bytes()).await?;
    let mut answer = String::new();
    shop.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn service() -> Result<(App, Client), Box<dyn std::error::Error>> {
    let listen = ([127, 0, 0, 1], 0).into();
    let config = Config { listen, journal: JournalSetting::Memory, ..Config::default() };
    let app = App::start(config).await?;
    let client = Client::new(&format!("http://{}", app.api_addr()), None)?;
    Ok((app, client))
}

#[tokio::test]
async fn an_order_is_sent_and_its_answer_read() {
    let (app, answerback) = service().await.unwrap();
    let spec = Spec::port(0).host("127.0.0.1").encoding("utf-8").reply("ACCEPTED\n");
    let server = answerback.open(spec).await.unwrap();
    assert_eq!(send_order(server.port, 4711).await.unwrap(), "ACCEPTED\n");

    let order = Expectation::message(json!({"starts_with": "ORDER "})).on(&server.id);
    let outcome = answerback.expect(order).await.unwrap();
    assert_eq!(outcome.evidence[0].text, "ORDER 4711\n");

    let another =
        Expectation::message(json!({"equals": "ORDER 4712\n"})).on(&server.id).within(Duration::ZERO);
    match answerback.expect(another).await {
        Err(Error::Unmet(unmet)) => assert!(unmet.detail.contains("differs at byte 9"), "{}", unmet.detail),
        other => panic!("it did not come: {other:?}"),
    }
    app.shutdown();
    app.join().await;
}
