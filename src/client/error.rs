//! What can go wrong between a caller and the service.

use std::fmt;
use std::io;
use std::time::Duration;

use super::known::Outcome;
use crate::api::types::Problem;
use crate::domain::format_duration;

/// Why there is no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was given as the address of an API is none.
    #[error("{0}")]
    Address(String),
    /// Nobody is there.
    #[error("cannot reach {url}: {cause}")]
    Unreachable {
        /// The API's address.
        url: String,
        /// Why not.
        cause: io::Error,
    },
    /// It took too long.
    #[error("{url} does not answer: nothing came for {}", format_duration(*patience))]
    TimedOut {
        /// The API's address.
        url: String,
        /// How long was waited.
        patience: Duration,
    },
    /// The connection ended before the answer did.
    #[error("the connection to {url} broke: {cause}")]
    Broken {
        /// The API's address.
        url: String,
        /// Why.
        cause: hyper::Error,
    },
    /// The service says no, and why.
    #[error("{}", Said(.0))]
    Problem(Box<Problem>),
    /// An expectation was not met.
    #[error("{}", .0.detail)]
    Unmet(Box<Unmet>),
    /// What answers is no answerback, or not one that this client knows.
    #[error("{url} gives an answer that is none of an answerback: {detail}")]
    Foreign {
        /// The API's address.
        url: String,
        /// What about it.
        detail: String,
    },
}

impl Error {
    /// The stable name of the problem, where the service named one: `port-in-use`, `not-found`, ….
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            Self::Unmet(_) => Some("expectation-unmet"),
            _ => None,
        }
    }

    /// The HTTP status, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Unmet(_) => Some(409),
            _ => None,
        }
    }
}

/// What came of an expectation instead.
#[derive(Debug)]
pub struct Unmet {
    /// In one sentence.
    pub detail: String,
    /// In full, with the messages that came nearest.
    pub outcome: Outcome,
}

/// What is wrong, field by field; the detail, where it says something else than the first of them.
struct Said<'a>(&'a Problem);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { detail, errors, .. } = self.0;
        let mut end = "";
        if errors.first().is_none_or(|first| !detail.starts_with(&format!("{}: ", first.pointer))) {
            f.write_str(detail)?;
            end = "\n  ";
        }
        for field in errors {
            write!(f, "{end}{}: {}", field.pointer, field.detail)?;
            end = "\n  ";
        }
        Ok(())
    }
}
