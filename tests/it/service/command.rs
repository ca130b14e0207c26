//! The command line: what it says, where it says it, and how it exits.

use std::net::TcpListener;

use serde_json::json;

use super::address_line;
use crate::support::Launch;

#[tokio::test]
async fn standard_output_has_the_address_and_nothing_else() {
    let service = Launch::serve(&["--open", "127.0.0.1:0", "--log", "debug"]).start().await;
    let line = address_line(&service);
    let listener = service.open(json!({})).await;
    for address in service.opened(1).await.into_iter().chain([crate::support::address(&listener)]) {
        let mut peer = crate::support::Peer::connect(address).await;
        peer.send("hello").await;
        peer.read_to_end().await;
    }
    service.get("/nothing").await.problem(404, "not-found");
    let ended = service.terminate().await;
    assert_eq!((ended.code, ended.said.out()), (Some(0), line));
    assert!(ended.said.err().contains("stopped"), "{}", ended.said.err());
}

#[tokio::test]
async fn help_and_version_go_to_standard_output() {
    let version = Launch::new(["--version"]).end().await;
    let name = concat!("answerback ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((version.code, version.said.out(), version.said.err()), (Some(0), name.into(), String::new()));
    for (args, says) in [
        (&["--help"][..], &["serve", "health", "backup"][..]),
        (
            &["serve", "--help"],
            &["--open", "127.0.0.1:7070", "ANSWERBACK_IDLE_TIMEOUT", "list of processes", "kill -9"],
        ),
        (&["health", "--help"], &["--url", "ANSWERBACK_URL"]),
        (
            &["backup", "--help"],
            &["--data-dir", "ANSWERBACK_DATA_DIR", "./answerback-data", "ANSWERBACK_CONFIG"],
        ),
    ] {
        let help = Launch::new(args).end().await;
        assert_eq!((help.code, help.said.err()), (Some(0), String::new()), "{args:?}");
        for part in says {
            assert!(help.said.out().contains(part), "{args:?} says nothing of {part}: {}", help.said.out());
        }
    }
}

#[tokio::test]
async fn wrong_flags_are_told_the_right_ones() {
    for (args, says) in [
        (&["serve", "--opne", "8080"][..], "--open"),
        (&["serve", "--idle-timout=5s"], "--idle-timeout"),
        (&["sevre"], "serve"),
        (&["health", "--urls", "x"], "--url"),
        (&["serve", "--open"], "--open"),
        (&["serve", "8080"], "8080"),
        (&[], "Usage"),
    ] {
        let ended = Launch::new(args).end().await;
        assert_eq!((ended.code, ended.said.out()), (Some(2), String::new()), "{args:?}");
        assert!(ended.said.err().contains(says), "{args:?}: {}", ended.said.err());
    }
}

#[tokio::test]
async fn a_wrong_setting_is_named_with_its_origin() {
    let serve = || Launch::serve(&[]);
    for (launch, says) in [
        (
            serve().env("ANSWERBACK_MAX_LISTENERS", "many"),
            ["max_listeners", "`many`", "ANSWERBACK_MAX_LISTENERS"],
        ),
        (serve().env("ANSWERBACK_CONFIG", "none.toml"), ["none.toml", "", ""]),
        (
            serve().file("answerback.toml", "max_listeners = 3\nidle_timeout = 'soon'\n"),
            ["idle_timeout", "`soon`", "answerback.toml, line 2"],
        ),
        (
            serve().file("answerback.toml", "max_listners = 3\n"),
            ["max_listners", "max_listeners", "answerback.toml"],
        ),
        (serve().file("answerback.toml", "max_listeners =\n"), ["answerback.toml", "", ""]),
        (Launch::serve(&["--open", "8o8o"]), ["open", "`8o8o`", "--open"]),
        (Launch::serve(&["--open", "80"]), ["open", "1024-65535", "--allow-ports"]),
        (Launch::serve(&["--config", "none.toml"]), ["none.toml", "", ""]),
        (Launch::serve(&["--token-file", "none.txt"]), ["token_file", "none.txt", "--token-file"]),
        (Launch::serve(&["--token", "a b"]), ["token", "blanks", "--token"]),
        (Launch::serve(&["--token", "a", "--no-auth"]), ["token", "no_auth", "together"]),
        (
            Launch::serve(&["--journal", "memory", "--durability", "power"]),
            ["durability", "survives nothing", "--journal sqlite"],
        ),
    ] {
        let ended = launch.end().await;
        let said = ended.said.err();
        assert_eq!((ended.code, ended.said.out()), (Some(2), String::new()), "{said}");
        assert!(says.iter().all(|part| said.contains(part)), "{says:?}: {said}");
        assert!(said.lines().count() <= 2 && !said.contains('\u{1b}'), "a line each: {said}");
    }
}

#[tokio::test]
async fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let file = "max_listeners = 1\nidle_timeout = '11s'\nmax_connections_per_listener = 7\n";
    let launch = Launch::serve(&["--max-listeners", "3"]).file("answerback.toml", file);
    let launch = launch.env("ANSWERBACK_MAX_LISTENERS", "2").env("ANSWERBACK_IDLE_TIMEOUT", "22s");
    let service = launch.start().await;
    for _ in 0..3 {
        let limits = &service.open(json!({})).await["limits"];
        assert_eq!((&limits["idle"], &limits["connections"]), (&json!("22s"), &json!(7)));
    }
    service.json("POST", "/listeners", &json!({"port": 0})).await.problem(503, "listener-limit");
}

#[tokio::test]
async fn a_variable_that_is_no_setting_is_said_to_do_nothing() {
    let service = Launch::serve(&[]).env("ANSWERBACK_MAX_LISTNERS", "3").start().await;
    let said = service.terminate().await.said.err();
    assert!(
        said.contains("ANSWERBACK_MAX_LISTNERS") && said.contains("did you mean ANSWERBACK_MAX_LISTENERS"),
        "{said}"
    );
}

#[tokio::test]
async fn a_port_that_is_taken_ends_the_start_with_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for (args, hint) in [
        (vec!["serve", "--listen", &address], "--listen"),
        (vec!["serve", "--listen", "127.0.0.1:0", "--open", &free, "--open", &address], "in use"),
    ] {
        let ended = Launch::new(&args).end().await;
        let said = ended.said.err();
        assert_eq!((ended.code, ended.said.out()), (Some(1), String::new()), "{said}");
        let fault: Vec<_> = said.lines().filter(|line| line.starts_with("answerback: ")).collect();
        assert!(fault.len() == 1 && fault[0].contains(&address) && fault[0].contains(hint), "{said}");
    }
    TcpListener::bind(free).expect("what was opened before is given back");
}

#[tokio::test]
async fn health_tells_by_its_exit_code_whether_the_service_is_ready() {
    let service = Launch::serve(&[]).start().await;
    let api = service.api.to_string();
    let url = format!("http://{api}");
    let endpoint = crate::support::address(&service.open(json!({"reply": "\u{1b}[31m no http\n"})).await);
    let endpoint = format!("http://{endpoint}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{closed}");
    let asked = |args: &[&str]| Launch::new(["health"].iter().chain(args));
    for (launch, code, says) in [
        (asked(&["--url", &url]), 0, ""),
        (asked(&[]).env("ANSWERBACK_URL", &url), 0, ""),
        (asked(&[]).env("ANSWERBACK_LISTEN", &api), 0, ""),
        (asked(&[]).file("answerback.toml", &format!("listen = '{api}'")), 0, ""),
        (asked(&["--url", &closed]), 1, "refused"),
        (asked(&["--url", &endpoint]), 1, "not ready"),
        (asked(&["--url", "127.0.0.1"]), 2, "http://127.0.0.1:7070"),
        (asked(&[]).env("ANSWERBACK_LISTEN", "127.0.0.1:0"), 2, "--url"),
    ] {
        let ended = launch.end().await;
        let (out, err) = (ended.said.out(), ended.said.err());
        assert_eq!(ended.code, Some(code), "{out}{err}");
        assert_eq!(out, if code == 0 { "ok\n" } else { "" });
        assert!(err.contains(says) && err.is_empty() == (code == 0) && !err.contains('\u{1b}'), "{err}");
    }
}
