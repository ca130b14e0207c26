//! Searches are honest: they find what is there and nothing else, whatever is looked for.

use data_encoding::HEXLOWER;

use super::Home;
use crate::support::Service;
use serde_json::json;

/// Payloads as hostile as what is looked for.
const PAYLOADS: [&[u8]; 9] = [
    b"'; DROP TABLE exchanges; --",
    b"100% _sure_ \\% \\_ ''",
    b"\0\0\0nul\0",
    b"\xff\xfe\xfd not text",
    b"ab",
    b"a",
    "问题正在处理中".as_bytes(),
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
    b"\"quoted\" <b>&amp;</b> \r\n\t",
];

/// What is looked for besides the payloads themselves.
const NEEDLES: [&[u8]; 12] =
    [b"'", b"%", b"_", b"\0", b"\xfe", b"DROP", b"a", b"AAAB", b"zzzzzzz", b"\\", b"\"quoted\"", b"\r\n"];

#[tokio::test]
async fn every_search_finds_what_a_look_at_every_byte_finds() {
    let home = Home::new();
    let service = home.start(&[]).await;
    let listener = service.open(json!({"encoding": "utf-8", "reply": null, "then": "keep"})).await;
    for payload in PAYLOADS {
        let mut peer = service.connect(&listener).await;
        peer.send(payload).await;
        peer.finish_sending().await;
        peer.read_to_end().await;
    }
    for needle in NEEDLES.into_iter().chain(PAYLOADS) {
        let expected: Vec<&[u8]> = PAYLOADS
            .into_iter()
            .filter(|payload| payload.windows(needle.len()).any(|window| window == needle))
            .collect();
        let hex = HEXLOWER.encode(needle);
        assert_eq!(found(&service, &format!("contains_hex={hex}")).await, expected, "{needle:?}");
        if std::str::from_utf8(needle).is_ok() && !needle.contains(&0) {
            let text: String = needle.iter().map(|byte| format!("%{byte:02x}")).collect();
            assert_eq!(found(&service, &format!("contains={text}")).await, expected, "{needle:?}");
        }
        let connections = service.get(&format!("/connections?contains_hex={hex}")).await.expect(200).json();
        assert_eq!(connections["items"].as_array().unwrap().len(), expected.len(), "{needle:?}");
    }
}

#[tokio::test]
async fn a_needle_that_is_too_long_or_none_is_told() {
    let home = Home::new();
    let service = home.start(&[]).await;
    service.get("/messages?contains_hex=0").await.problem(422, "invalid-field");
    service.get("/messages?contains_hex=zz").await.problem(422, "invalid-field");
    let status = service.get(&format!("/messages?contains={}", "x".repeat(30_000))).await.status.as_u16();
    assert!([200, 414, 422, 431].contains(&status), "{status}");
    service.get("/messages?contains=x").await.expect(200);
}

async fn found(service: &Service, query: &str) -> Vec<Vec<u8>> {
    let list = service.get(&format!("/messages?{query}&limit=1000&payload=hex")).await.expect(200).json();
    let items = list["items"].as_array().unwrap().iter();
    let bytes = |text: &str| HEXLOWER.decode(text.replace(' ', "").as_bytes()).unwrap();
    items.map(|message| bytes(message["hex"].as_str().unwrap())).collect()
}
