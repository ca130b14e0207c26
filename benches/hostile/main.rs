//! What the worst input costs: framing, cutting anew, and templates.
//!
//! `cargo bench --bench hostile` feeds each kind of framing with the worst bytes that could be thought of, in segments of one
//! byte and of 64 KiB, and renders the worst templates that are let in. Nothing fails for being slow: the figures are to be
//! read.
//!
//! # What the columns say
//!
//! - **framing**: nanoseconds a byte for a quarter of the input and for all of it; where the second is much more than the
//!   first, something is not linear. Then the most memory that was held above what the process had before, beside the `max`
//!   of the framing, and the pieces that came out. The same again for a record that is cut anew over the API, and how long
//!   another client of the API waited at most meanwhile.
//! - **templates**: the longest of some renderings of one message, its memory, and what came of it.
//!
//! Each line is measured in a process of its own (this binary, told so by its first argument), so that no line profits
//! from memory that the one before it left, and with the allocator of the service.

mod framing;
mod recut;
mod templates;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

/// The service's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The first argument of a process that measures one line: its kind and its number follow, and the size of its input.
const ONE: &str = "--one";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [ONE, kind, number, size] => one(kind, number, size),
        words => all(words.contains(&"--bench")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hostile: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures each line. Without `--bench`, which cargo bench adds by itself, inputs are small: enough to see that it works.
fn all(is_bench: bool) -> Result<()> {
    let size = if is_bench { 16 << 20 } else { 64 << 10 };
    println!("framing, {} KiB of input", size >> 10);
    println!(
        "{:44} {:>9} {:>9} {:>10} {:>10} {:>9}",
        "", "ns/B 1/4", "ns/B", "held KiB", "max KiB", "pieces"
    );
    lines("framing", framing::LINES, size)?;
    println!("\ncut anew over the API, {} KiB on record", size >> 10);
    println!("{:44} {:>9} {:>9} {:>10}", "", "ns/B", "held KiB", "others ms");
    lines("recut", recut::LINES, size)?;
    println!("\ntemplates, a message of {} KiB", templates::MESSAGE >> 10);
    println!("{:44} {:>9} {:>9}  what came of it", "", "ms", "held KiB");
    lines("templates", templates::LINES, size)
}

fn lines(kind: &str, count: usize, size: usize) -> Result<()> {
    for n in 0..count {
        let told = Command::new(std::env::current_exe()?)
            .args([ONE, kind, &n.to_string(), &size.to_string()])
            .output()
            .context("this binary")?;
        ensure!(told.status.success(), "{kind} {n}: {}", String::from_utf8_lossy(&told.stderr));
        print!("{}", String::from_utf8_lossy(&told.stdout));
    }
    Ok(())
}

fn one(kind: &str, number: &str, size: &str) -> Result<()> {
    let (n, size) = (number.parse()?, size.parse()?);
    match kind {
        "framing" => framing::measure(n, size),
        "recut" => recut::measure(n, size),
        "templates" => templates::measure(n),
        _ => bail!("there is no {kind}"),
    }
}

/// The memory that this process has had at most since it was begun to be watched, above what it had then.
struct Memory {
    before: u64,
}

impl Memory {
    fn watch() -> Result<Self> {
        // Resets the peak; see proc(5).
        std::fs::write("/proc/self/clear_refs", "5").context("/proc/self/clear_refs")?;
        Ok(Self { before: status("VmRSS:")? })
    }

    fn held(&self) -> Result<u64> {
        Ok(status("VmHWM:")?.saturating_sub(self.before))
    }
}

/// KiB, as the kernel has it.
fn status(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
