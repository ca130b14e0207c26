//! What an error looks like to whoever gets it.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};

use crate::domain::FieldError;
use crate::store::JournalError;

use super::error::ApiError;

async fn answer(error: ApiError) -> (Response, serde_json::Value) {
    let response = error.into_response();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (Response::from_parts(parts, Body::empty()), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn an_error_is_a_problem_document_without_empty_members() {
    let (response, body) = answer(ApiError::not_found("listener gate")).await;
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let expected = serde_json::json!({
        "type": "about:blank", "title": "Not Found", "status": 404,
        "detail": "there is no listener gate", "code": "not-found",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn wrong_fields_are_all_named() {
    let errors = vec![FieldError::new("/port", "too high"), FieldError::new("?limit", "no number")];
    let (response, body) = answer(ApiError::invalid_fields(errors)).await;
    assert_eq!(response.status(), 422);
    assert_eq!(body["code"], "invalid-field");
    assert_eq!(body["detail"], "/port: too high (and 1 more, see errors)");
    assert_eq!(body["errors"][1], serde_json::json!({"pointer": "?limit", "detail": "no number"}));
    let (_, body) = answer(ApiError::invalid_field("", "must be an object")).await;
    assert_eq!(body["detail"], "must be an object");
}

#[tokio::test]
async fn an_answer_stays_small_whatever_it_speaks_of() {
    let many = (0..1_000).map(|n| FieldError::new(format!("/{n}"), "x".repeat(100_000))).collect();
    for error in [ApiError::invalid_fields(many), ApiError::malformed_json("x".repeat(2_000_000))] {
        assert!(answer(error).await.1.to_string().len() < 100_000);
    }
}

#[tokio::test]
async fn a_journals_cause_stays_inside() {
    let (response, body) = answer(JournalError::Unavailable("/secret/path: I/O error".into()).into()).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    assert_eq!(body["code"], "journal-unavailable");
    assert!(!body.to_string().contains("secret"));
}

#[tokio::test]
async fn a_refused_method_says_which_are_taken() {
    let (response, body) = answer(ApiError::method_not_allowed(HeaderValue::from_static("GET,HEAD"))).await;
    assert_eq!(response.headers()[ALLOW], "GET,HEAD");
    assert!(body["detail"].as_str().unwrap().starts_with("this path takes GET,HEAD"));
}

#[test]
fn a_taken_port_names_its_holder_if_it_is_ours() {
    let address = "127.0.0.1:8080".parse().unwrap();
    assert!(ApiError::port_in_use(address, Some("gate")).to_string().contains("DELETE /listeners/gate"));
    assert!(ApiError::port_in_use(address, None).to_string().contains("another program"));
}
