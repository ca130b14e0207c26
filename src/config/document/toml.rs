//! TOML, by the `toml` crate, which keeps the place of each value.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Document;
use super::lines::{Lines, MAX_DEPTH, below, too_deep};

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    let mut reader = Reader { starts: starts(text), lines: Lines::default() };
    let table = DeTable::parse(text).map_err(|error| match error.span() {
        Some(span) => format!("line {}: {}", reader.line(span.start), error.message()),
        None => error.message().to_owned(),
    })?;
    let members = reader.table(table.get_ref(), "", 0)?;
    Ok(Document { members, lines: reader.lines })
}

/// Where each line begins.
fn starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

struct Reader {
    starts: Vec<usize>,
    lines: Lines,
}

impl Reader {
    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    fn table(
        &mut self,
        table: &DeTable<'_>,
        pointer: &str,
        depth: usize,
    ) -> Result<Map<String, Value>, String> {
        let mut object = Map::new();
        for (name, value) in table {
            let place = below(pointer, name.get_ref());
            self.lines.note(&place, self.line(name.span().start));
            object.insert(name.get_ref().to_string(), self.value(value, &place, depth + 1)?);
        }
        Ok(object)
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, pointer: &str, depth: usize) -> Result<Value, String> {
        let line = self.line(value.span().start);
        if depth > MAX_DEPTH {
            return Err(too_deep(line));
        }
        Ok(match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Integer(number) => integer(number.as_str(), number.radix())
                .ok_or_else(|| format!("line {line}: a number beyond what can be meant here"))?,
            DeValue::Float(number) => {
                let number = number.as_str().parse().ok().and_then(Number::from_f64);
                number
                    .map(Value::Number)
                    .ok_or_else(|| format!("line {line}: no number that can be meant here"))?
            }
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Table(table) => Value::Object(self.table(table, pointer, depth)?),
            DeValue::Array(array) => {
                let mut list = Vec::new();
                for (n, value) in array.iter().enumerate() {
                    let place = below(pointer, &n.to_string());
                    self.lines.note(&place, self.line(value.span().start));
                    list.push(self.value(value, &place, depth + 1)?);
                }
                Value::Array(list)
            }
        })
    }
}

fn integer(digits: &str, radix: u32) -> Option<Value> {
    let whole = i64::from_str_radix(digits, radix).map(Value::from);
    whole.or_else(|_| u64::from_str_radix(digits, radix).map(Value::from)).ok()
}
