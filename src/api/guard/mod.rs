//! Who may ask: the checks that every request passes before any route, unknown paths and refused methods included.
//!
//! An API on loopback is within reach of every page that the user's browser shows. So each request is checked, in this
//! order, and the first check that fails gives the answer:
//!
//! 1. **Host** (421): DNS rebinding makes a foreign name point here; the name in `Host` gives it away. Names are
//!    compared whole, with the port; nothing is allowed by prefix, suffix or wildcard, and `X-Forwarded-Host` counts
//!    for nothing. On loopback it is `127.0.0.1`, `localhost`, `[::1]` or the bound address, with the API's port. On
//!    another address it is any IP literal (a literal cannot be rebound) or `localhost`, with any port (containers map
//!    them). `--allow-host` adds names. Without a `Host`, with two, or with one that is none: 400.
//! 2. **Origin** (403): a page's own `Origin` must be the authority in `Host`, and `Sec-Fetch-Site` must be
//!    `same-origin` or `none`; only following a link to here (a top-level GET) is let through. There are no CORS
//!    headers, so a preflight ends here as well.
//! 3. **Token** (401), if there is one: `Authorization: Bearer`, compared as SHA-256 digests in constant time. Health,
//!    readiness, the contract, its reader and the page are open: they tell nothing about anybody's data.
//! 4. **Content type** (415): what changes something and has a body must say that it is JSON. No form can say that.
//!
//! A POST or DELETE without a body and without a `Content-Type` passes the last check, so that `curl -X POST …/reset`
//! works. That is no way in for a foreign page: a form always sends a content type, and what scripts can send without
//! one (`fetch`, `sendBeacon`) carries `Origin`, `Sec-Fetch-Site` or both in every browser since 2019.

mod authority;
mod content;
mod gate;
mod host;
mod origin;
mod token;

#[cfg(test)]
mod cases;

pub use authority::{AllowedHost, Authority, Host};
pub use gate::{Guard, GuardConfig, admit};
pub use token::{TokenDigest, token_text};
