//! What a journal of ten million messages costs: a page of it, a search in it, a start with it.
//!
//! `cargo bench --bench journal` fills one and measures; `-- --messages 1000000` is quicker, `-- --help` lists the options.
//! Nothing fails for being slow: the exit code is 1 only when an answer was wrong.
//!
//! # What is in it
//!
//! One-shot clients, each a connection with a message of 64 bytes and the standard reply; and ten clients that stay
//! connected throughout, one of which says something after every hundred others: their messages are far apart, which is
//! the worst case for whoever asks for the messages of one of them. They are written by the journal itself, in this process.
//!
//! # What is asked
//!
//! The release binary is started on it, and asked over HTTP by one client, each question 21 times; the table has the least,
//! the median and the greatest. "Middle" pages begin at a cursor in the middle of the journal. Searches look for what one
//! message has, for what none has, for what all have, and for what was sent from one address.
//!
//! # What is taken away
//!
//! All of it is exported in each form, and told again as events; "MiB" is what came over the wire.
//!
//! # What is compared
//!
//! `index` writes the same payloads into a table alone, with the blocks of this journal, and with SQLite's full-text index
//! of trigrams (FTS5), and says what each costs in time and in space. That is why this journal has blocks.

mod ask;
mod fill;
#[path = "../endpoints/http.rs"]
mod http;
mod index;
mod take;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

/// What `--help` prints.
const HELP: &str = "\
cargo bench --bench journal -- [OPTIONS]

  --messages N   messages in the journal (10000000)
  --index N      payloads for the comparison of indexes, 0 for none (300000)

Without --bench, which cargo bench adds by itself, it is a small one: enough to see that it works.";

struct Args {
    messages: u64,
    index: u64,
}

fn main() -> ExitCode {
    match parse().and_then(|args| args.map_or(Ok(()), |args| run(&args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("journal: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<Option<Args>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_measured = words.iter().any(|word| word == "--bench");
    let mut args = if is_measured {
        Args { messages: 10_000_000, index: 300_000 }
    } else {
        Args { messages: 20_000, index: 2_000 }
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64> {
            let value = words.next().with_context(|| format!("{word} needs a number"))?;
            value.parse().with_context(|| format!("{word} takes a number, not {value:?}"))
        };
        match word.as_str() {
            "--bench" | "--test" => {}
            "--messages" => args.messages = number()?.max(2_000),
            "--index" => args.index = number()?,
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(None);
            }
            _ => bail!("there is no option {word}\n\n{HELP}"),
        }
    }
    Ok(Some(args))
}

fn run(args: &Args) -> Result<()> {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let filled = fill::fill(home.path(), args.messages)?;
    ask::ask(home.path(), &filled)?;
    drop(home);
    if args.index > 0 {
        index::compare(args.index)?;
    }
    Ok(())
}
