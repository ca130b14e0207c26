//! Flags over environment over file: texts, each with its origin.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use config::{Map, Source, Value};

use super::error::{ConfigError, Fault};
use super::file::{Listeners, read_file, read_file_if_there};
use super::names::{OTHER_VARIABLES, Setting, flag_of, name_of_variable, nearest, variable_of};

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "answerback.toml";

/// The ways to be let in: only one of them can be meant.
const TOKEN_SETTINGS: [&str; 3] = ["token", "token_file", "no_auth"];

/// Settings by name, each with where it came from.
pub(super) type Values = Map<String, Value>;

/// Where settings come from. A test brings its own.
pub struct Inputs {
    /// The flags that were given, by the setting's name, with their values.
    pub flags: Vec<(&'static str, Vec<String>)>,
    /// The file that `--config` names.
    pub file: Option<PathBuf>,
    /// The environment variables, of all programs.
    pub environment: Vec<(OsString, OsString)>,
    /// Where `answerback.toml` is looked for.
    pub directory: PathBuf,
}

impl Inputs {
    /// Flags over what this process was started with.
    pub fn of_process(flags: Vec<(&'static str, Vec<String>)>, file: Option<PathBuf>) -> Self {
        Self { flags, file, environment: std::env::vars_os().collect(), directory: PathBuf::new() }
    }
}

/// The layers as one.
pub(super) struct Merged {
    pub(super) values: Values,
    /// The listeners of the file.
    pub(super) listeners: Option<Listeners>,
    pub(super) warnings: Vec<String>,
}

/// Lays the layers over each other.
pub(super) fn merge(inputs: &Inputs) -> Result<Merged, ConfigError> {
    let mut warnings = Vec::new();
    let flags = Layer::of_flags(&inputs.flags);
    let (environment, named) = Layer::of_environment(&inputs.environment, &mut warnings)?;
    let file = match inputs.file.as_ref().or(named.as_ref()) {
        Some(path) => read_file(path)?,
        None => read_file_if_there(&inputs.directory.join(DEFAULT_FILE))?,
    };
    let mut layers = [Layer(file.settings), environment, flags];
    settle_token(&mut layers)?;
    settle_durability(&mut layers)?;
    let mut builder = config::Config::builder();
    for layer in layers {
        builder = builder.add_source(layer);
    }
    let merged = builder.build().and_then(|all| all.cache.into_table());
    let values = merged.map_err(|e| Fault::File { path: "settings".into(), detail: e.to_string() })?;
    Ok(Merged { values, listeners: file.listeners, warnings })
}

#[derive(Clone, Default)]
struct Layer(Values);

/// Names only: among the values may be a token.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Values, config::ConfigError> {
        Ok(self.0.clone())
    }
}

impl Layer {
    fn of_flags(flags: &[(&'static str, Vec<String>)]) -> Self {
        let with_origin = |(name, texts): &(&str, Vec<String>)| {
            let origin = format!("from the flag {}", flag_of(name));
            ((*name).to_owned(), Value::new(Some(&origin), texts.clone()))
        };
        Self(flags.iter().map(with_origin).collect())
    }

    /// The layer, and the path of the file if a variable names it. A variable that is set to nothing is not set:
    /// that is how compose files and unit files pass on what nobody gave them.
    fn of_environment(
        variables: &[(OsString, OsString)],
        warnings: &mut Vec<String>,
    ) -> Result<(Self, Option<PathBuf>), Fault> {
        let (mut layer, mut file) = (Self::default(), None);
        for (variable, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
            let Some((variable, name)) = variable.to_str().and_then(|v| Some((v, name_of_variable(v)?)))
            else {
                continue;
            };
            let exact = variable_of(&name) == variable;
            let origin = format!("from the environment variable {variable}");
            if exact && Setting::find(&name).is_some() {
                let Some(text) = value.to_str() else {
                    return Err(Fault::Setting { setting: name, detail: "is no UTF-8".into(), origin });
                };
                layer.0.insert(name, Value::new(Some(&origin), text));
            } else if exact && name == "config" {
                file = Some(PathBuf::from(value));
            } else if !(exact && OTHER_VARIABLES.contains(&name.as_str()) || is_from_kubernetes(&name, value))
            {
                let hint = nearest(&name).map(|known| format!("; did you mean {}?", variable_of(known)));
                warnings.push(format!(
                    "the environment variable {variable} is no setting and does nothing{}",
                    hint.unwrap_or_default()
                ));
            }
        }
        Ok((layer, file))
    }

    /// Which of the ways to be let in this layer asks for. `no_auth = false` asks for nothing.
    fn token_settings(&self) -> Vec<&'static str> {
        let asks = |name: &&str| match self.0.get(*name) {
            Some(value) => *name != "no_auth" || super::read::is_true(value),
            None => false,
        };
        TOKEN_SETTINGS.into_iter().filter(asks).collect()
    }
}

/// Leaves the token settings of the highest layer that has any: a token in the file must not contradict a `--no-auth`.
fn settle_token(layers: &mut [Layer]) -> Result<(), Fault> {
    let mut settled = false;
    for layer in layers.iter_mut().rev() {
        if settled {
            layer.0.retain(|name, _| !TOKEN_SETTINGS.contains(&name.as_str()));
            continue;
        }
        match layer.token_settings().as_slice() {
            [] => {}
            [_] => settled = true,
            [first, others @ ..] => {
                let origin = layer.0.get(*first).and_then(Value::origin).unwrap_or_default().to_owned();
                let detail =
                    format!("cannot be given together with {}; give only one of them", others.join(" and "));
                return Err(Fault::Setting { setting: (*first).to_owned(), detail, origin });
            }
        }
    }
    Ok(())
}

/// A journal in memory survives nothing, so to name a durability along with it is a contradiction. Only where a lower layer
/// names one it does not count: a file for all days must not stand in the way of a `--journal memory` for one run.
fn settle_durability(layers: &mut [Layer]) -> Result<(), Fault> {
    let Some(decides) = layers.iter().rposition(|layer| layer.0.contains_key("journal")) else {
        return Ok(());
    };
    if !layers[decides].0.get("journal").is_some_and(super::read::is_memory) {
        return Ok(());
    }
    let (lower, others) = layers.split_at_mut(decides);
    if let Some(named) = others.iter().rev().find_map(|layer| layer.0.get("durability")) {
        return Err(Fault::Setting {
            setting: "durability".to_owned(),
            detail: "a journal in memory survives nothing, so it has no durability; leave this out, or keep the journal \
                     on disk with --journal sqlite"
                .to_owned(),
            origin: named.origin().unwrap_or_default().to_owned(),
        });
    }
    for layer in lower {
        layer.0.remove("durability");
    }
    Ok(())
}

/// Kubernetes gives every container such variables for each service, and one may be called `answerback`.
fn is_from_kubernetes(name: &str, value: &OsStr) -> bool {
    let is_url = value.to_str().is_some_and(|value| value.starts_with("tcp://"));
    name.starts_with("service_") || name.starts_with("port_") || name == "port" && is_url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_never_prints_its_values() {
        let layer = Layer::of_flags(&[("token", vec!["swordfish".into()])]);
        assert_eq!(format!("{layer:?}"), r#"{"token"}"#);
    }
}
