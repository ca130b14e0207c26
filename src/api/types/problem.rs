//! What an error looks like on the wire.

use serde::{Deserialize, Serialize};

/// Problem details (RFC 9457) as every error of the API has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Always `about:blank`: what kind of problem it is says `code`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do next.
    pub detail: String,
    /// The stable name of the kind of problem, e.g. `port-in-use`.
    pub code: String,
    /// The `x-request-id` of the request, for finding its log lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What is wrong, field by field. Left out when there is no field to blame.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
    /// What came of an expectation that was not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectation: Option<serde_json::Value>,
}

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemField {
    /// A JSON pointer (RFC 6901) into the body such as `/port`, or `?name` for a query parameter.
    pub pointer: String,
    /// What is wrong with it and what would be right.
    pub detail: String,
}
