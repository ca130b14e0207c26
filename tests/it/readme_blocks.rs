//! The fenced blocks of the README, and what each is for.

use super::readme::{CARGO_RUN, README};

/// The example whose parts are shown.
const PYTEST: &str = include_str!("../../examples/tests/pytest/test_orders.py");

/// What a fenced block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Start,
    Run,
    Container,
    Make,
    Output,
    File,
    /// A part of an example, which is run whole.
    Part,
    Picture,
}

/// A fenced block.
pub(crate) struct Block {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

impl Block {
    pub(crate) fn at(&self) -> String {
        format!("README.md, line {}", self.line)
    }
}

/// The blocks in the order of the page.
pub(crate) fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    // Whether the section, of any depth, has had commands by now; `None` before the first.
    let mut commands = None;
    let mut lines = (1..).zip(README.lines());
    while let Some((line, text)) = lines.next() {
        if text.starts_with("##") {
            commands = Some(false);
        }
        let Some(language) = text.strip_prefix("```") else { continue };
        let inside = lines.by_ref().map(|(_, text)| text).take_while(|text| *text != "```");
        let text = inside.collect::<Vec<_>>().join("\n");
        let kind = kind(language, &text, commands)
            .unwrap_or_else(|| panic!("README.md, line {line}: nothing runs or checks this block:\n{text}"));
        if language == "sh" {
            commands = Some(true);
        }
        blocks.push(Block { line, text, kind });
    }
    assert!(
        blocks.iter().any(|block| block.kind == Kind::Run)
            && blocks.iter().any(|block| block.kind == Kind::Output)
    );
    blocks
}

fn kind(language: &str, text: &str, commands: Option<bool>) -> Option<Kind> {
    let all = |program: &str| text.lines().all(|line| line.starts_with(program));
    let rest = text.replace(CARGO_RUN, "");
    let starts = text.contains(&format!("{CARGO_RUN} serve"));
    match (language, commands) {
        ("", None) => Some(Kind::Picture),
        ("text", Some(true)) => Some(Kind::Output),
        ("sh", _) if all("docker ") => Some(Kind::Container),
        ("sh", _) if all("make ") => Some(Kind::Make),
        ("sh", _) if ["docker ", "make ", "cargo "].iter().any(|program| rest.contains(program)) => None,
        ("sh", _) if starts => (text.lines().count() == 1).then_some(Kind::Start),
        ("sh", _) => Some(Kind::Run),
        ("toml", _) => Some(Kind::File),
        ("python", _) if PYTEST.contains(text) => Some(Kind::Part),
        _ => None,
    }
}
