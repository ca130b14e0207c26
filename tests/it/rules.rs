//! Rules: what answers which message, and what a connection remembers.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{End, TestApp};

/// An endpoint of lines that keeps its clients, with these rules, and `?` where none fits.
async fn lines(app: &TestApp, rules: Value) -> Value {
    let framing = json!({"type": "delimiter", "delimiters": ["\n"]});
    app.open(json!({"encoding": "utf-8", "framing": framing, "reply": "?\n", "then": "keep", "rules": rules}))
        .await
}

/// Sends each line and gives what is answered, one connection.
async fn talk(app: &TestApp, listener: &Value, lines: &[&str]) -> Vec<String> {
    let mut peer = app.connect(listener).await;
    let mut answers = Vec::new();
    for line in lines {
        peer.send(format!("{line}\n")).await;
        let mut answer = Vec::new();
        while answer.last() != Some(&b'\n') {
            answer.extend(peer.read(1).await);
        }
        answers.push(String::from_utf8(answer).unwrap().trim_end().to_owned());
    }
    answers
}

/// What rules said of the received messages, the oldest first.
async fn verdicts(app: &TestApp, listener: &Value) -> Vec<(Value, Value)> {
    let path = format!("/messages?direction=received&listener={}", listener["id"].as_str().unwrap());
    let list = app.get(&path).await.expect(200).json();
    let of = |message: &Value| (message["rule"].clone(), message["near_miss"].clone());
    list["items"].as_array().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn the_first_rule_that_fits_answers_and_the_record_says_which() {
    let app = TestApp::start().await;
    let rules = json!([
        {"name": "login", "when": {"starts_with": "LOGIN "}, "reply": "welcome\n"},
        {"when": {"regex": "^LOG"}, "reply": "log\n"},
        {"name": "any", "when": {"length": {"max": 3}}, "reply": {"hex": "6f 6b 0a"}},
    ]);
    let listener = lines(&app, rules).await;
    assert_eq!(
        talk(&app, &listener, &["LOGIN bob", "LOGOUT", "hi", "nothing"]).await,
        ["welcome", "log", "ok", "?"]
    );
    let verdicts = verdicts(&app, &listener).await;
    let rules: Vec<_> = verdicts.iter().map(|(rule, _)| rule.clone()).collect();
    assert_eq!(rules, [json!("login"), json!("r2"), json!("any"), Value::Null]);
    assert_eq!(verdicts[3].1["rule"], "login", "of those that are equally far the first");
    assert_eq!(verdicts[3].1["detail"], "differs at byte 0: expected 4c, got 6e");
}

#[tokio::test]
async fn a_near_miss_says_where_it_differs() {
    let app = TestApp::start().await;
    let rules = json!([
        {"name": "far", "when": {"equals": "something else"}, "reply": "1\n"},
        {"name": "near", "when": {"equals": "PING 12345"}, "reply": "2\n"},
    ]);
    let listener = lines(&app, rules).await;
    talk(&app, &listener, &["PING 12x45", "PING 123", "PING 12345!"]).await;
    let details: Vec<_> = verdicts(&app, &listener).await.into_iter().map(|(_, miss)| miss).collect();
    assert_eq!(
        details,
        [
            json!({"rule": "near", "detail": "differs at byte 7: expected 33, got 78"}),
            json!({"rule": "near", "detail": "ends after 8 of 10 bytes"}),
            json!({"rule": "near", "detail": "goes on after 10 bytes, with 21"}),
        ]
    );
}

#[tokio::test]
async fn every_matcher_tells_messages_apart() {
    let app = TestApp::start().await;
    let cases = [
        (json!({"equals": "abc"}), "abc", "abcd"),
        (json!({"starts_with": {"hex": "61 62"}}), "abz", "bab"),
        (json!({"ends_with": {"base64": "eno="}}), "azz", "zza"),
        (json!({"contains": "问题"}), "有问题吗", "没有"),
        (json!({"regex": "^(?<user>\\w+)=\\d+$"}), "bob=12", "bob=x"),
        (json!({"bytes_at": {"offset": 1, "hex": "01", "mask": "0f"}}), "aA", "aB"),
        (json!({"length": {"min": 2, "max": 3}}), "ab", "abcd"),
        (json!({"length": {"min": 5}}), "abcde", "abcd"),
        (json!({"nth": 1}), "first", ""),
        (json!({"all": [{"starts_with": "a"}, {"ends_with": "z"}]}), "a..z", "a.."),
        (json!({"any": [{"equals": "a"}, {"equals": "b"}]}), "b", "c"),
        (json!({"not": {"contains": "x"}}), "abc", "axc"),
        (json!({"peer": "127.0.0.0/8"}), "anything", ""),
        (json!({"not": {"peer": "::1"}}), "anything", ""),
    ];
    for (matcher, fits, does_not) in cases {
        let listener = lines(&app, json!([{"when": matcher, "reply": "yes\n"}])).await;
        assert_eq!(talk(&app, &listener, &[fits]).await, ["yes"], "{matcher} {fits}");
        if !does_not.is_empty() {
            assert_eq!(talk(&app, &listener, &[does_not]).await, ["?"], "{matcher} {does_not}");
        }
    }
}

#[tokio::test]
async fn a_conversation_has_a_state_of_its_own() {
    let app = TestApp::start().await;
    let rules = json!([
        {"name": "login", "when": {"equals": "LOGIN"}, "state": "start", "set_state": "in", "reply": "hello\n"},
        {"name": "work", "when": {"equals": "WORK"}, "state": "in", "reply": "done\n"},
        {"name": "bye", "when": {"equals": "BYE"}, "reply": "bye\n", "then": "close"},
    ]);
    let listener = lines(&app, rules).await;
    let mut other = app.connect(&listener).await;
    assert_eq!(talk(&app, &listener, &["WORK", "LOGIN", "WORK", "LOGIN"]).await, ["?", "hello", "done", "?"]);
    other.send("WORK\nBYE\n").await;
    let (answer, end) = other.read_to_end().await;
    assert_eq!((answer, end), (b"?\nbye\n".to_vec(), End::Fin), "another client is in another state");
    let verdicts = verdicts(&app, &listener).await;
    let first = &verdicts[0].1;
    assert_eq!(first["rule"], "work");
    assert_eq!(first["detail"], "the connection is in state \"start\", and it is for \"in\"");
}

#[tokio::test]
async fn several_replies_come_one_after_the_other() {
    let app = TestApp::start().await;
    let rule =
        |sequence: &str| json!([{"when": {"equals": "x"}, "reply": ["1\n", "2\n"], "sequence": sequence}]);
    for (sequence, expected) in
        [("last", ["1", "2", "2", "2"]), ("cycle", ["1", "2", "1", "2"]), ("once", ["1", "2", "?", "?"])]
    {
        let listener = lines(&app, rule(sequence)).await;
        for _ in 0..2 {
            assert_eq!(
                talk(&app, &listener, &["x", "x", "x", "x"]).await,
                expected,
                "{sequence}, each client anew"
            );
        }
    }
}

#[tokio::test]
async fn a_rule_answers_as_often_as_it_may_over_all_clients() {
    let app = TestApp::start().await;
    let rules = json!([{"name": "busy", "reply": "busy\n", "times": 3}]);
    let listener = lines(&app, rules).await;
    assert_eq!(talk(&app, &listener, &["a", "b"]).await, ["busy", "busy"]);
    assert_eq!(talk(&app, &listener, &["c", "d"]).await, ["busy", "?"]);
    let path = format!("/listeners/{}", listener["id"].as_str().unwrap());
    app.json("PATCH", &path, &json!({"reply": "!\n"})).await.expect(200);
    assert_eq!(talk(&app, &listener, &["e"]).await, ["!"], "who changes something else does not begin anew");
    app.json("PATCH", &path, &json!({"rules": [{"name": "busy", "reply": "busy\n", "times": 1}]}))
        .await
        .expect(200);
    assert_eq!(talk(&app, &listener, &["f", "g"]).await, ["busy", "!"]);
}

#[tokio::test]
async fn a_delayed_reply_holds_up_nobody_else_and_ends_with_its_listener() {
    let app = TestApp::start().await;
    let rules = json!([
        {"when": {"equals": "slow"}, "reply": "slow\n", "delay": "300ms"},
        {"when": {"equals": "never"}, "reply": "never\n", "delay": "1h"},
        {"when": {"equals": "fast"}, "reply": "fast\n"},
    ]);
    let listener = lines(&app, rules).await;
    let (mut slow, began) = (app.connect(&listener).await, Instant::now());
    slow.send("slow\nfast\n").await;
    assert_eq!(talk(&app, &listener, &["fast"]).await, ["fast"]);
    assert_eq!(slow.read(10).await, b"slow\nfast\n", "in the order in which they were asked");
    assert!(began.elapsed() >= Duration::from_millis(300));
    let mut never = app.connect(&listener).await;
    never.send("never\n").await;
    app.delete(&format!("/listeners/{}", listener["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(never.read_to_end().await.1, End::Reset);
}

#[tokio::test]
async fn rules_change_under_a_client_that_is_connected() {
    let app = TestApp::start().await;
    let listener =
        lines(&app, json!([{"when": {"equals": "x"}, "reply": "old\n", "set_state": "there"}])).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x\n").await;
    assert_eq!(peer.read(4).await, b"old\n");
    let path = format!("/listeners/{}", listener["id"].as_str().unwrap());
    let rules = json!({"rules": [{"when": {"equals": "x"}, "state": "there", "reply": "new\n"}]});
    let changed = app.json("PATCH", &path, &rules).await.expect(200).json();
    let shown = json!([{"when": {"equals": "x"}, "state": "there", "reply": {"text": "new\n"}}]);
    assert_eq!(changed["rules"], shown, "shown as it was given");
    peer.send("x\n").await;
    assert_eq!(peer.read(4).await, b"new\n", "and the client is in the state in which it was");
}

#[tokio::test]
async fn what_is_wrong_with_rules_is_said_where_it_stands() {
    let app = TestApp::start().await;
    let cases = [
        (
            json!([{"when": {"regex": "("}}]),
            "/rules/0/when/regex",
            "is no regular expression: unclosed group",
        ),
        (json!([{}, {"when": {"equals": "a", "nth": 1}}]), "/rules/1/when/nth", "a matcher has one form"),
        (json!([{"when": {"all": []}}]), "/rules/0/when/all", "must have at least one matcher"),
        (json!([{"when": {"contains": ""}}]), "/rules/0/when/contains", "must be at least one byte"),
        (
            json!([{"when": {"bytes_at": {"hex": "0102", "mask": "ff"}}}]),
            "/rules/0/when/bytes_at/mask",
            "as many bytes",
        ),
        (
            json!([{"when": {"length": {"min": 3, "max": 2}}}]),
            "/rules/0/when/length/min",
            "must be at most max",
        ),
        (
            json!([{"when": {"peer": "10.0.0.0/40"}}]),
            "/rules/0/when/peer",
            "must be an IP address or a network",
        ),
        (json!([{"when": {"regex": "(a{1000}){1000}"}}]), "/rules/0/when/regex", "too large"),
        (json!([{"times": 0}]), "/rules/0/times", "from 1"),
        (json!([{"reply": []}]), "/rules/0/reply", "at least one reply"),
        (json!([{"reply": ["a", {"hex": "0"}]}]), "/rules/0/reply/1/hex", "odd"),
        (json!([{"reply": {"text": "😀", "encoding": "big5"}}]), "/rules/0/reply", "choose another encoding"),
        (json!([{"name": "a"}, {"name": "a"}]), "/rules/1/name", "another rule is called"),
        (json!([{"wen": {}}]), "/rules/0/wen", "when"),
        (json!({"when": {}}), "/rules", "must be an array"),
    ];
    for (rules, pointer, words) in cases {
        let spec = json!({"port": 0, "host": "127.0.0.1", "rules": rules});
        let problem = app.json("POST", "/listeners", &spec).await.problem(422, "invalid-field");
        let error = &problem["errors"][0];
        assert_eq!(error["pointer"], pointer, "{problem}");
        assert!(error["detail"].as_str().unwrap().contains(words), "{problem}");
    }
}

#[tokio::test]
async fn matchers_that_stand_in_each_other_too_deep_are_refused() {
    let app = TestApp::start().await;
    for depth in [17, 25] {
        let matcher = (0..depth).fold(json!({"nth": 1}), |inner, _| json!({"not": inner}));
        let spec = json!({"port": 0, "host": "127.0.0.1", "rules": [{"when": matcher}]});
        let problem = app.json("POST", "/listeners", &spec).await.problem(422, "invalid-field");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("at most 16 deep"), "{problem}");
    }
}

#[tokio::test]
async fn a_rule_without_a_reply_sends_the_listeners_and_without_framing_the_read_is_the_message() {
    let app = TestApp::start().await;
    let rules = json!([{"name": "reset", "when": {"contains": "bomb"}, "reply": null, "then": "reset"}, {"then": "keep"}]);
    let listener = app.open(json!({"encoding": "utf-8", "reply": "noted", "rules": rules})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("hello").await;
    assert_eq!(peer.read(5).await, b"noted");
    peer.send("a bomb").await;
    assert_eq!(peer.read_to_end().await, (Vec::new(), End::Reset));
    let verdicts = verdicts(&app, &listener).await;
    assert_eq!([&verdicts[0].0, &verdicts[1].0], ["r2", "reset"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hostile_expression_takes_a_bounded_time_and_holds_up_nobody_else() {
    let app = TestApp::start().await;
    // Of the worst kind that was found: no automaton whose states fit is made of it.
    let worst = "(?-u)[ab]*a[ab]{400}[^ab]x";
    let spec = json!({"reply": "ok", "framing": {"type": "until_close", "max": "1MiB"}});
    let hostile = app
        .open({
            let mut spec = spec.clone();
            spec["rules"] = json!([{"when": {"regex": worst}, "reply": "found"}]);
            spec
        })
        .await;
    let plain = app.open(json!({"reply": "ok"})).await;
    let mut slow = app.connect(&hostile).await;
    slow.send("a".repeat(900_000)).await;
    slow.finish_sending().await;
    let began = Instant::now();
    let answered = async {
        assert_eq!(slow.read_to_end().await, (b"ok".to_vec(), End::Fin));
        began.elapsed()
    };
    let others = async {
        for _ in 0..20 {
            let mut peer = app.connect(&plain).await;
            peer.send("a").await;
            assert_eq!(peer.read_to_end().await, (b"ok".to_vec(), End::Fin));
        }
        began.elapsed()
    };
    let (slow, others) = tokio::join!(answered, others);
    assert!(others < slow || slow < Duration::from_secs(1), "others took {others:?}, the slow one {slow:?}");
    let too_large = json!([{"when": {"regex": "(?-u)[ab]{20000}"}}]);
    let problem = app.json("POST", "/listeners", &json!({"port": 0, "rules": too_large})).await.expect(422);
    assert!(problem.json()["detail"].as_str().unwrap().contains("too large"));
}

#[tokio::test]
async fn a_reply_that_waits_holds_up_those_behind_it_and_none_before() {
    let app = TestApp::start().await;
    let rules = json!([
        {"when": {"equals": "slow"}, "reply": "slow\n", "delay": "300ms"},
        {"reply": "fast\n"},
    ]);
    let listener = lines(&app, rules).await;
    let mut peer = app.connect(&listener).await;
    let asked = Instant::now();
    peer.send("a\nslow\nb\n").await;
    assert_eq!(peer.read(5).await, b"fast\n");
    let before = asked.elapsed();
    let sent = app.connections(&listener).await[0]["sent"].clone();
    assert!(
        sent["messages"] == 1 || before > Duration::from_millis(300),
        "what waits is not on record yet: {sent}"
    );
    assert_eq!(peer.read(10).await, b"slow\nfast\n");
    assert!(asked.elapsed() >= Duration::from_millis(300));
    assert!(
        before < Duration::from_millis(300) || asked.elapsed() > Duration::from_millis(900),
        "{before:?}"
    );
    let list =
        app.get(&format!("/messages?direction=sent&listener={}", listener["id"].as_str().unwrap())).await;
    let times: Vec<_> = list.json()["items"].as_array().unwrap().iter().map(|m| m["at"].clone()).collect();
    assert!(times.windows(2).all(|two| two[0].as_str() <= two[1].as_str()), "{times:?}");
}

/// A rule judges a read, and makes no frame of it: texts of reads are texts of a stream.
#[tokio::test]
async fn a_character_that_comes_in_two_reads_is_whole_where_there_are_rules_too() {
    let app = TestApp::start().await;
    let rule = json!({"name": "any", "when": {"length": {"min": 1}}, "reply": "+", "then": "keep"});
    let listener = app.open(json!({"encoding": "utf-8", "rules": [rule]})).await;
    let mut peer = app.connect(&listener).await;
    for half in [&b"a\xe9\x97"[..], &b"\xaeb"[..]] {
        peer.send(half).await;
        assert_eq!(peer.read(1).await, b"+");
    }
    let received = app.get("/messages?direction=received").await.expect(200).json();
    let texts: String =
        received["items"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect();
    assert_eq!(texts, "a问b");
    assert_eq!(received["items"][0]["rule"], "any");
}
