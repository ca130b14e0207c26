//! The page that people keep open: `/`, and the files that it is made of.
//!
//! It is the web platform itself: ES modules, one HTML file, style sheets, no framework and no build step. A next
//! maintainer changes a file and reloads; nothing has to be installed, nothing that is served differs from what is in
//! the repository, and no package of somebody else's runs in a page that can open ports. The price is a few hundred
//! lines that a framework would have had; what they buy is that the whole page is smaller than most frameworks.
//!
//! It speaks to the API like any other client, so what it can do can be done with `curl` too. It runs under a policy
//! that lets it load what this service serves and nothing else, and in which no script can write HTML: what clients
//! send reaches the page as text and never as markup.

mod assets;

pub(super) use assets::{asset, index};
