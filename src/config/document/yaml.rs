//! YAML, by the events of `saphyr-parser`, which carry their places. Of YAML's extras none is taken that would make a document
//! more than it shows: aliases, tags, several documents, a name twice.

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::{Map, Number, Value};

use super::Document;
use super::lines::{Lines, MAX_DEPTH, below, too_deep};

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    let mut reader = Reader { parser: Parser::new_from_str(text), lines: Lines::default() };
    let mut root = None;
    loop {
        let (event, line) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => break,
            _ if root.is_some() => return Err(format!("line {line}: a second document; leave one")),
            event => root = Some(reader.value(event, line, "", 0)?),
        }
    }
    match root {
        Some(Value::Object(members)) => Ok(Document { members, lines: reader.lines }),
        // A file of comments says nothing.
        None | Some(Value::Null) => Ok(Document { members: Map::new(), lines: reader.lines }),
        Some(_) => Err("must be one mapping, with settings and `listeners` as its members".to_owned()),
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    lines: Lines,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, usize), String> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(format!("line {}: {}", error.marker().line(), error.info())),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn value(&mut self, event: Event<'a>, line: usize, pointer: &str, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(too_deep(line));
        }
        match event {
            Event::Scalar(text, style, 0, None) => Ok(scalar(&text, style)),
            Event::SequenceStart(0, None) => self.sequence(pointer, depth),
            Event::MappingStart(0, None) => self.mapping(pointer, depth),
            Event::Alias(_) => Err(format!("line {line}: an alias; write the value itself")),
            _ => Err(format!("line {line}: an anchor or a tag; write the value alone")),
        }
    }

    fn sequence(&mut self, pointer: &str, depth: usize) -> Result<Value, String> {
        let mut list = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::Array(list));
            }
            let place = below(pointer, &list.len().to_string());
            self.lines.note(&place, line);
            list.push(self.value(event, line, &place, depth + 1)?);
        }
    }

    fn mapping(&mut self, pointer: &str, depth: usize) -> Result<Value, String> {
        let mut object = Map::new();
        loop {
            let (name, line) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Object(object)),
                (Event::Scalar(name, _, 0, None), line) => (name.into_owned(), line),
                (_, line) => return Err(format!("line {line}: a name must be a plain text")),
            };
            let place = below(pointer, &name);
            self.lines.note(&place, line);
            let (event, line) = self.next()?;
            let value = self.value(event, line, &place, depth + 1)?;
            if object.insert(name, value).is_some() {
                return Err(format!("line {line}: a name that was there before; leave one of them"));
            }
        }
    }
}

/// What a text means by the core schema of YAML 1.2: quoted it is a text.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(text.to_owned());
    }
    let radix =
        |prefix, radix| text.strip_prefix(prefix).and_then(|rest| u64::from_str_radix(rest, radix).ok());
    let looks_like_a_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => {
            let whole =
                text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok();
            let based = radix("0x", 16).or_else(|| radix("0o", 8)).map(Value::from);
            let broken = || text.parse().ok().filter(|_| looks_like_a_number).and_then(Number::from_f64);
            whole
                .or(based)
                .or_else(|| broken().map(Value::Number))
                .unwrap_or_else(|| Value::String(text.to_owned()))
        }
    }
}
