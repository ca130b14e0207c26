//! A template: made once, when its listener is, and rendered for each message. What it may cost is bounded.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};

use bytes::Bytes;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, filters};
use regex::Regex;

use super::super::charset::Charset;
use super::super::clock::Timestamp;
use super::super::id::ConnectionId;
use super::functions::{self, beginning, hex_of, unhex};

/// The longest template, in bytes.
const LONGEST_SOURCE: usize = 4 << 10;
/// The compiler goes as deep as expressions stand in each other, and a source of that length can go deep: some kilobytes of
/// stack for each of its bytes. It is memory only where it is used.
const COMPILER_STACK: usize = 64 << 20;
/// Instructions that one rendering may take.
const FUEL: u64 = 5_000;
/// The longest text that a rendering may give, in bytes: half as many bytes where it is hex.
const LONGEST_OUTPUT: usize = 1 << 20;
/// Bytes of a message that a template sees.
pub(super) const SEEN: usize = 16 << 10;

/// What the text of a template is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TemplateForm {
    /// A text, in the listener's encoding.
    #[default]
    Text,
    /// Hex digits, with any white space between.
    Hex,
}

impl TemplateForm {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Hex => "hex",
        }
    }
}

/// Numbers that the templates of a listener count with, by their names.
#[derive(Debug, Default)]
pub struct Counters(Mutex<HashMap<String, u64>>);

/// Names of counters at most.
const COUNTERS: usize = 1_000;

impl Counters {
    /// The next number of a counter, from 1; `None` where there are too many counters.
    pub(super) fn next(&self, name: &str) -> Option<u64> {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= COUNTERS && !counters.contains_key(name) {
            return None;
        }
        let counter = counters.entry(name.to_owned()).or_default();
        *counter += 1;
        Some(*counter)
    }
}

/// What a template is rendered for.
#[derive(Debug)]
pub struct Context<'a> {
    /// The message's content; nothing for a greeting.
    pub content: &'a [u8],
    /// Its number among those that the connection received; 0 for a greeting.
    pub seq: u64,
    /// What a rule's regular expression captured.
    pub captures: Vec<(String, Bytes)>,
    /// The connection.
    pub connection: ConnectionId,
    /// Its number among those of its listener.
    pub number: u64,
    /// The client.
    pub peer: SocketAddr,
    /// The listener's name.
    pub listener: Option<&'a str>,
    /// The listener's port.
    pub port: u16,
    /// The listener's encoding.
    pub charset: Charset,
    /// What its templates count with.
    pub counters: &'a Arc<Counters>,
    /// The time.
    pub now: Timestamp,
}

/// A template that can be rendered.
#[derive(Debug, Clone)]
pub struct Template {
    environment: Arc<Environment<'static>>,
    form: TemplateForm,
    seed: Option<u64>,
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// What is wrong with it, with its line and column.
    pub fn new(source: &str, form: TemplateForm, seed: Option<u64>) -> Result<Self, String> {
        if source.len() > LONGEST_SOURCE {
            return Err(format!("must have at most {LONGEST_SOURCE} bytes"));
        }
        check_tags(source)?;
        let compiled = thread::scope(|scope| {
            let spawned = thread::Builder::new()
                .stack_size(COMPILER_STACK)
                .spawn_scoped(scope, || Self::compile(source, form, seed));
            spawned.map(ScopedJoinHandle::join)
        });
        match compiled {
            Ok(Ok(compiled)) => compiled,
            Ok(Err(_)) => Err("cannot be compiled".to_owned()),
            Err(error) => Err(format!("cannot be compiled now: {error}")),
        }
    }

    fn compile(source: &str, form: TemplateForm, seed: Option<u64>) -> Result<Self, String> {
        let mut environment = BASE.clone();
        let added = environment.add_template_owned(NAME, source.to_owned());
        added.map_err(|error| placed(&error, source))?;
        let template = Self { environment: Arc::new(environment), form, seed };
        template.try_names(source)?;
        Ok(template)
    }

    /// Names of filters and functions are looked up only when they are used: so they are used once, for nothing.
    fn try_names(&self, source: &str) -> Result<(), String> {
        let context = Context {
            content: &[],
            seq: 0,
            captures: Vec::new(),
            connection: ConnectionId::from_u128(0),
            number: 0,
            peer: SocketAddr::from(([127, 0, 0, 1], 0)),
            listener: None,
            port: 0,
            charset: Charset::Auto,
            counters: &Arc::default(),
            now: Timestamp::from_micros(0),
        };
        match self.output(&context) {
            Err(error) if is_of_names(error.kind()) => Err(placed(&error, source)),
            _ => Ok(()),
        }
    }

    /// The bytes for a message.
    ///
    /// # Errors
    /// Why there are none.
    pub fn render(&self, context: &Context<'_>) -> Result<Bytes, String> {
        let output =
            self.output(context).map_err(|error| format!("the template failed: {}", told(&error)))?;
        let text = String::from_utf8(output).map_err(|_| "the template gave no text".to_owned())?;
        match self.form {
            TemplateForm::Hex => {
                unhex(&text).map(Bytes::from).map_err(|fault| format!("the template gave no hex: {fault}"))
            }
            TemplateForm::Text => {
                let encoded =
                    context.charset.encode(&text).map_err(|fault| format!("the template's text: {fault}"))?;
                Ok(encoded.into())
            }
        }
    }

    fn output(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let mut output = Output(Vec::new());
        self.environment.get_template(NAME)?.render_captured_to(self.names(context), &mut output)?;
        Ok(output.0)
    }

    fn names(&self, context: &Context<'_>) -> Value {
        let seen = context.content.get(..SEEN).unwrap_or(context.content);
        let text = |bytes: &[u8]| context.charset.decode_lossy(bytes);
        let message = object([
            ("text", text(seen).into()),
            ("hex", hex_of(seen).into()),
            ("size", context.content.len().into()),
            ("seq", context.seq.into()),
        ]);
        let peer =
            object([("ip", context.peer.ip().to_string().into()), ("port", context.peer.port().into())]);
        let received = object([("messages", context.seq.into())]);
        let connection = object([
            ("id", context.connection.to_string().into()),
            ("seq", context.number.into()),
            ("peer", peer),
            ("received", received),
        ]);
        let name = context.listener.map_or(Value::from(()), Value::from);
        let listener = object([("name", name), ("port", context.port.into())]);
        let captures = context
            .captures
            .iter()
            .map(|(name, bytes)| (name.clone(), Value::from(text(bytes.get(..SEEN).unwrap_or(bytes)))));
        object([
            ("message", message),
            ("connection", connection),
            ("listener", listener),
            ("captures", Value::from_object(captures.collect::<BTreeMap<String, Value>>())),
            ("now", context.now.to_string().into()),
            (
                functions::HIDDEN,
                Value::from_object(functions::Hidden {
                    charset: context.charset,
                    counters: Arc::clone(context.counters),
                    now: context.now,
                    dice: functions::dice(self.seed, context),
                }),
            ),
        ])
    }
}

/// What all templates have in common, shared by them.
static BASE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(32);
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.add_filter("length", filters::length);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("int", filters::int);
    environment.add_filter("default", filters::default);
    functions::add(&mut environment);
    environment
});

/// What the only template of an environment is called.
const NAME: &str = "template";

fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::from_object(
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
    )
}

/// Where a rendering goes: into memory, but not without end.
struct Output(Vec<u8>);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST_OUTPUT {
            return Err(io::Error::other("it gives more than 1MiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\{%[-+]?\s*(\w*)([^%]*)").ok());
static OVER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\s+\w+(\s*,\s*\w+)?\s+in\s+(range\(.*\)|[\w.]+)\s*[-+]?$").ok());

/// Nothing may be given a name that could be twice as long as what had a name before: repeated, that would need memory
/// without bound. So there are conditions, and loops over what is there already.
fn check_tags(source: &str) -> Result<(), String> {
    let (Some(tag), Some(over)) = (TAG.as_ref(), OVER.as_ref()) else { return Ok(()) };
    for found in tag.captures_iter(source) {
        let (word, rest) = (found.get(1).map_or("", |m| m.as_str()), found.get(2).map_or("", |m| m.as_str()));
        let at = found.get(0).map_or(0, |m| m.start());
        match word {
            "if" | "elif" | "else" | "endif" | "endfor" => {}
            "for" if over.is_match(rest) => {}
            "for" => {
                return Err(format!(
                    "{}: a loop is over a name or range(…), such as {{% for n in range(3) %}}",
                    place(source, at)
                ));
            }
            other => {
                return Err(format!(
                    "{}: {other:?} is no tag here; there are if, elif, else and for",
                    place(source, at)
                ));
            }
        }
    }
    Ok(())
}

/// Where a byte of the source stands, for people.
fn place(source: &str, at: usize) -> String {
    let before = source.get(..at).unwrap_or(source);
    let (line, begin) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |n| n + 1));
    let column = before.get(begin..).unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

fn placed(error: &Error, source: &str) -> String {
    match error.range() {
        Some(range) => format!("{}: {}", place(source, range.start), what(error)),
        None => told(error),
    }
}

fn told(error: &Error) -> String {
    error.line().map_or_else(|| what(error), |line| format!("line {line}: {}", what(error)))
}

const fn is_of_names(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownTest)
}

fn what(error: &Error) -> String {
    if error.kind() == ErrorKind::WriteFailure {
        return "it gives more than 1MiB".to_owned();
    }
    let mut text = error.kind().to_string();
    if let Some(detail) = error.detail() {
        text = format!("{text}: {}", beginning(detail));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::domain::IdSource;

    fn render(source: &str, content: &[u8]) -> Result<Bytes, String> {
        let context = Context {
            content,
            seq: 1,
            captures: Vec::new(),
            connection: IdSource::new(1).connection(Timestamp::from_micros(1)),
            number: 1,
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
            listener: None,
            port: 0,
            charset: Charset::Fixed(encoding_rs::UTF_8),
            counters: &Arc::default(),
            now: Timestamp::from_micros(1),
        };
        Template::new(source, TemplateForm::Text, None)?.render(&context)
    }

    /// The worst that was found: some hundred milliseconds in a debug build, and for memory a dozen megabytes.
    #[test]
    fn hostile_templates_come_to_an_end_and_give_no_more_than_they_may() {
        let much = [b'x'; 1 << 20];
        let sums = format!("{{{{ {} }}}}", ["slice(0,16384)"; 250].join("~"));
        let looped = format!(
            "{{% for n in range(100) %}}{{% if {} %}}{{% endif %}}{{% endfor %}}",
            &sums[3..sums.len() - 3]
        );
        let nested = format!("{{{{ {}message.hex{} }}}}", "hex(".repeat(300), ")".repeat(300));
        let chains = ["1~", "1+", "not ", "-", "1 if 1 else ", "1**", "1 and ", "1|default("]
            .map(|link| format!("{{{{ {}1 }}}}", link.repeat(4_000 / link.len())));
        let paths = format!("{{{{ message{} }}}}", ".a".repeat(2_000));
        let deep = format!("{{{{ {}1{} }}}}", "(".repeat(1_500), ")".repeat(1_500));
        let loops =
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ message.text }}{% endfor %}{% endfor %}";
        let text = "{{ message.text * 100 }}".repeat(100);
        let filters = format!("{{{{ message.text{} }}}}", "|upper".repeat(600));
        for source in chains.iter().chain([&paths, &filters]) {
            let began = Instant::now();
            let rendered = render(source, b"message").map(|bytes| bytes.len());
            println!("{:?} for {}…: {rendered:?}", began.elapsed(), &source[..20]);
        }
        for source in [&sums, &looped, &nested, &deep, loops, &text, "{{ random(4096) ~ random(99999999) }}"]
        {
            let began = Instant::now();
            let rendered = render(source, &much);
            println!("{:?} for {}…: {:?}", began.elapsed(), &source[..30], rendered.as_ref().map(Bytes::len));
            assert!(rendered.is_err(), "{}", &source[..30]);
        }
    }

    #[test]
    fn a_line_feed_at_the_end_stays() {
        assert_eq!(render("ok\r\n", b"").unwrap(), "ok\r\n");
    }
}
