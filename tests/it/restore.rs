//! A backup as the journal of a service.

use std::fs;

use serde_json::json;

use crate::support::Launch;

#[tokio::test]
async fn a_backup_of_a_service_is_the_journal_of_another_one() {
    let home = tempfile::tempdir().unwrap();
    let [old, new, copy] = ["old", "new", "copy.db"].map(|name| home.path().join(name));
    let service = Launch::serve(&["--data-dir", old.to_str().unwrap()]).start().await;
    let listener = service.open(json!({"encoding": "utf-8", "reply": "noted"})).await;
    for text in ["before", "meanwhile"] {
        let mut peer = service.connect(&listener).await;
        peer.send(text).await;
        peer.read_to_end().await;
        if text == "before" {
            let args = ["backup", copy.to_str().unwrap(), "--data-dir", old.to_str().unwrap()];
            let ended = Launch::new(args).end().await;
            assert_eq!(ended.code, Some(0), "{}", ended.said.err());
        }
    }
    assert_eq!(service.terminate().await.code, Some(0));
    fs::create_dir(&new).unwrap();
    fs::rename(&copy, new.join("answerback.db")).unwrap();
    let service = Launch::serve(&["--data-dir", new.to_str().unwrap()]).start().await;
    let texts = async || -> Vec<String> {
        let list = service.get("/messages?direction=received&after=start").await.expect(200).json();
        let items = list["items"].as_array().unwrap().iter();
        items.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts().await, ["before"]);
    let listener = service.open(json!({"encoding": "utf-8"})).await;
    let mut peer = service.connect(&listener).await;
    peer.send("after").await;
    peer.read_to_end().await;
    assert_eq!(texts().await, ["before", "after"], "it goes on where the backup was made");
}
