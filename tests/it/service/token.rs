//! Who is let in where the API can be reached from other machines.

use crate::support::{Launch, Service};

/// What needs no token: it tells nothing of anybody's data.
const OPEN: [&str; 6] = ["/healthz", "/readyz", "/openapi.yaml", "/openapi.json", "/docs", "/"];

async fn asks_for(service: &Service, token: &str) {
    for path in ["/listeners", "/connections", "/messages", "/metrics", "/nothing"] {
        let answer = service.get(path).await;
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
        answer.problem(401, "unauthorized");
    }
    for wrong in ["Bearer", "Bearer ", "Bearer x", "Basic eDp4", &format!("Bearer {token}x"), token] {
        service
            .request("GET", "/listeners", &[("authorization", wrong)], "")
            .await
            .problem(401, "unauthorized");
    }
    let in_query = service.get(&format!("/listeners?token={token}&access_token={token}")).await;
    in_query.problem(401, "unauthorized");
    service
        .request("GET", "/listeners", &[("authorization", &format!("Bearer {token}"))], "")
        .await
        .expect(200);
    for path in OPEN {
        assert!(service.get(path).await.status.as_u16() < 400, "{path}");
    }
}

#[tokio::test]
async fn off_loopback_a_token_is_made_and_shown_once() {
    let mut tokens = Vec::new();
    for format in ["text", "json"] {
        let service = Launch::new(["serve", "--listen", "0.0.0.0:0", "--log-format", format]).start().await;
        let said = service.program.until(|said| said.err().contains("Bearer ")).await.err();
        let token: String =
            said.split("Bearer ").nth(1).unwrap().split(['\'', '"']).next().unwrap().to_owned();
        assert!(token.len() > 40, "{said}");
        asks_for(&service, &token).await;
        assert!(!service.command_line().contains(&token));
        let ended = service.terminate().await;
        assert_eq!(ended.said.err().matches(&token).count(), 1, "{}", ended.said.err());
        assert!(!ended.said.out().contains(&token));
        tokens.push(token);
    }
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn the_line_with_the_made_token_can_be_pasted() {
    let service = Launch::new(["serve", "--listen", "0.0.0.0:0"]).start().await;
    let said = service.program.until(|said| said.err().contains("Bearer ")).await.err();
    let line = said.lines().find(|line| line.contains("Bearer ")).unwrap().trim().to_owned();
    let Some(shell) = crate::support::Tool::find("curl").and(crate::support::Tool::find("sh")) else {
        return;
    };
    let ended = shell.run(&["-c", &format!("{line} --silent --show-error --fail")], "").await;
    assert_eq!(ended.code, Some(0), "{line}: {}", ended.said.err());
    assert!(ended.said.out().contains("\"items\""), "{}", ended.said.out());
}

#[tokio::test]
async fn a_given_token_is_asked_for_wherever_the_api_listens_and_never_shown() {
    const TOKEN: &str = "open-sesame-4711";
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let serve = |args: &[&str]| {
            Launch::new(["serve", "--listen", listen, "--log", "trace"].iter().chain(args))
                .file("token.txt", "open-sesame-4711\n")
        };
        for (launch, in_command_line) in [
            (serve(&["--token", TOKEN]), true),
            (serve(&["--token-file", "token.txt"]), false),
            (serve(&[]).env("ANSWERBACK_TOKEN", TOKEN), false),
            (serve(&[]).env("ANSWERBACK_TOKEN_FILE", "token.txt"), false),
            (serve(&[]).file("answerback.toml", "token_file = 'token.txt'"), false),
        ] {
            let service = launch.start().await;
            asks_for(&service, TOKEN).await;
            assert_eq!(service.command_line().contains(TOKEN), in_command_line);
            let ended = service.terminate().await;
            assert!(
                !ended.said.err().contains(TOKEN) && !ended.said.out().contains(TOKEN),
                "{}",
                ended.said.err()
            );
        }
    }
}

#[tokio::test]
async fn without_authentication_when_told_so_and_on_loopback() {
    for args in [&["serve", "--listen", "0.0.0.0:0", "--no-auth"][..], &["serve", "--listen", "127.0.0.1:0"]]
    {
        let service = Launch::new(args).start().await;
        service.get("/listeners").await.expect(200);
        let said = service.terminate().await.said.err();
        assert!(!said.contains("Bearer"), "{said}");
    }
}
