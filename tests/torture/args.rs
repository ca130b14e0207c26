//! The options.

/// What `--help` prints.
pub(crate) const HELP: &str = "\
cargo test --test torture -- [OPTIONS] [NAME...]

  NAME         only the scenarios with such a name: kill, power, disk-full, flush-error, second-process, closed
  --kills N    how often the service is killed (20)
  --cuts N     how often the power is cut (10)
  --clients N  clients at one time (32)
  --seed N     for the moments and the messages (one that was never used)";

/// The options, with the defaults filled in.
pub(crate) struct Args {
    pub(crate) kills: u32,
    pub(crate) cuts: u32,
    pub(crate) clients: u32,
    pub(crate) seed: u64,
    names: Vec<String>,
}

impl Args {
    /// Reads the words after the program's name. `None`: there is nothing to run.
    pub(crate) fn parse(words: &[String]) -> Result<Option<Self>, String> {
        let mut args = Self { kills: 20, cuts: 10, clients: 32, seed: fresh_seed(), names: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || -> Result<u64, String> {
                let value = words.next().ok_or(format!("{word} needs a number"))?;
                value.parse().map_err(|_| format!("{word} takes a number, not {value:?}"))
            };
            let mut count = || -> Result<u32, String> {
                match number()? {
                    n @ 1..=10_000 => u32::try_from(n).map_err(|error| error.to_string()),
                    n => Err(format!("{word} is from 1 to 10000, not {n}")),
                }
            };
            match word.as_str() {
                "--help" | "-h" => {
                    println!("{HELP}");
                    return Ok(None);
                }
                // Whoever looks for tests by name finds none here that could be run alone.
                "--list" => return Ok(None),
                "--kills" => args.kills = count()?,
                "--cuts" => args.cuts = count()?,
                "--clients" => args.clients = count()?,
                "--seed" => args.seed = number()?,
                // The flags of other test programs, which `cargo test -- FLAGS` gives to all.
                flag if flag.starts_with('-') => {}
                name => args.names.push(name.to_owned()),
            }
        }
        Ok(Some(args))
    }

    /// Whether this scenario was asked for.
    pub(crate) fn wants(&self, scenario: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| scenario.contains(name.as_str()))
    }
}

fn fresh_seed() -> u64 {
    getrandom::u64().unwrap_or(1)
}
