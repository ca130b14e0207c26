//! What a listener is to be.

use serde_json::{Map, Value, json};

/// A listener's spec. What it does not say is as the service has it by default; what it has no method for says
/// [`Spec::with`], and a whole spec may be JSON: `Spec::from(json!({"port": 0}))`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spec(Map<String, Value>);

impl Spec {
    /// On this port; 0 lets the kernel choose.
    pub fn port(port: u16) -> Self {
        Self::default().with("port", port)
    }

    /// A field of the API, by its name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Under this name.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.with("name", name)
    }

    /// On this address of the machine.
    #[must_use]
    pub fn host(self, host: &str) -> Self {
        self.with("host", host)
    }

    /// Text is read and written so.
    #[must_use]
    pub fn encoding(self, label: &str) -> Self {
        self.with("encoding", label)
    }

    /// Everybody is answered this text.
    #[must_use]
    pub fn reply(self, text: &str) -> Self {
        self.with("reply", text)
    }

    /// Everybody is answered these bytes.
    #[must_use]
    pub fn reply_bytes(self, bytes: &[u8]) -> Self {
        self.with("reply", json!({"base64": data_encoding::BASE64.encode(bytes)}))
    }

    /// Everybody is answered what they said.
    #[must_use]
    pub fn echo(self) -> Self {
        self.with("reply", json!({"echo": true}))
    }

    /// Nobody is answered.
    #[must_use]
    pub fn silent(self) -> Self {
        self.with("reply", Value::Null)
    }

    /// The connection stays after a reply.
    #[must_use]
    pub fn keep(self) -> Self {
        self.with("then", "keep")
    }

    /// A message ends with this text.
    #[must_use]
    pub fn lines(self, delimiter: &str) -> Self {
        self.with("framing", json!({"type": "delimiter", "delimiters": [delimiter]}))
    }

    /// One more rule, as the API takes it; the first that fits answers.
    #[must_use]
    pub fn rule(mut self, rule: Value) -> Self {
        match self.0.entry("rules").or_insert_with(|| json!([])) {
            Value::Array(rules) => rules.push(rule),
            other => *other = json!([rule]),
        }
        self
    }

    /// As the API takes it.
    pub fn into_json(self) -> Value {
        Value::Object(self.0)
    }
}

/// Anything but an object says nothing.
impl From<Value> for Spec {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(members) => Self(members),
            _ => Self::default(),
        }
    }
}
