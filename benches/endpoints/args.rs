//! The options of the benchmark.

use std::time::Duration;

use crate::process::Journal;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
cargo bench -- [OPTIONS]

  --rounds N       rounds of slices (7)
  --secs S         length of a slice in seconds (1.5)
  --only A,B       of lone, oneshot, echo, idle, listeners (all)
  --journal A,B    of memory, process, power: where answerback keeps its records (all)
  --threads N      threads of the load generator (2)
  --idle N         idle connections held open (5000)
  --listeners N,M  how many listeners are opened (1000,10000)
  --server CMD     the answerback to measure, instead of the one that cargo built

Without --bench, which cargo bench adds by itself, all is one short round: enough to see that it works.";

/// One of the things measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scenario {
    Lone,
    Oneshot,
    Echo,
    Idle,
    Listeners,
}

impl Scenario {
    const ALL: [Self; 5] = [Self::Lone, Self::Oneshot, Self::Echo, Self::Idle, Self::Listeners];

    fn named(name: &str) -> Result<Self, String> {
        match name {
            "lone" => Ok(Self::Lone),
            "oneshot" => Ok(Self::Oneshot),
            "echo" => Ok(Self::Echo),
            "idle" => Ok(Self::Idle),
            "listeners" => Ok(Self::Listeners),
            _ => Err(format!("--only knows lone, oneshot, echo, idle and listeners, not {name:?}")),
        }
    }
}

/// The options, with the defaults filled in.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) rounds: usize,
    pub(crate) slice: Duration,
    pub(crate) run_up: Duration,
    pub(crate) threads: usize,
    pub(crate) idle: usize,
    pub(crate) listeners: Vec<usize>,
    pub(crate) journals: Vec<Journal>,
    pub(crate) server: Option<String>,
    only: Vec<Scenario>,
}

impl Args {
    /// Reads the words after the program's name. `None` is a call for help.
    pub(crate) fn parse(words: Vec<String>) -> Result<Option<Self>, String> {
        let measured = words.iter().any(|word| word == "--bench");
        let mut args = if measured { Self::measuring() } else { Self::trying() };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--bench" | "--test" => {}
                _ => {
                    let value = words.next().ok_or(format!("{word} needs a value"))?;
                    args.set(&word, value)?;
                }
            }
        }
        Ok(Some(args))
    }

    /// Whether this scenario was asked for.
    pub(crate) fn wants(&self, scenario: Scenario) -> bool {
        self.only.contains(&scenario)
    }

    fn measuring() -> Self {
        Self {
            rounds: 7,
            slice: Duration::from_millis(1500),
            run_up: Duration::from_millis(300),
            threads: 2,
            idle: 5_000,
            listeners: vec![1_000, 10_000],
            journals: Journal::ALL.to_vec(),
            server: None,
            only: Scenario::ALL.to_vec(),
        }
    }

    fn trying() -> Self {
        Self {
            rounds: 1,
            slice: Duration::from_millis(200),
            run_up: Duration::from_millis(50),
            idle: 100,
            listeners: vec![100],
            ..Self::measuring()
        }
    }

    fn set(&mut self, word: &str, value: String) -> Result<(), String> {
        match word {
            "--rounds" => self.rounds = number(word, &value)?,
            "--threads" => self.threads = number(word, &value)?,
            "--idle" => self.idle = number(word, &value)?,
            "--listeners" => {
                self.listeners = value.split(',').map(|n| number(word, n)).collect::<Result<_, _>>()?;
            }
            "--secs" => {
                let seconds: f64 =
                    value.parse().map_err(|_| format!("--secs takes a number, not {value:?}"))?;
                if !(0.05..=60.0).contains(&seconds) {
                    return Err("--secs is from 0.05 to 60".to_owned());
                }
                self.slice = Duration::from_secs_f64(seconds);
            }
            "--only" => self.only = value.split(',').map(Scenario::named).collect::<Result<_, _>>()?,
            "--journal" => self.journals = value.split(',').map(journal).collect::<Result<_, _>>()?,
            "--server" => self.server = Some(value),
            _ => return Err(format!("there is no option {word}")),
        }
        Ok(())
    }
}

fn journal(name: &str) -> Result<Journal, String> {
    let found = Journal::ALL.into_iter().find(|journal| journal.name() == name);
    found.ok_or(format!("--journal knows memory, process and power, not {name:?}"))
}

/// A count from 1 to 20,000: beyond that, ports and file descriptors are what would be measured.
fn number(word: &str, value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(n) if (1..=20_000).contains(&n) => Ok(n),
        _ => Err(format!("{word} takes a number from 1 to 20000, not {value:?}")),
    }
}
