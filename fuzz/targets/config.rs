//! Any file in any of the three languages: settings and listeners, or what is wrong with it.
#![no_main]

use std::path::Path;

use answerback::api::types::{read_spec, write_spec};
use answerback::config::read_text;
use answerback::domain::ListenerSpec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let name = ["a.toml", "a.json", "a.yaml"][usize::from(first % 3)];
    match read_text(Path::new(name), text) {
        Err(error) => assert!(!error.faults.is_empty()),
        Ok(config) => {
            for draft in config.listeners {
                let spec = ListenerSpec::new(draft).expect("what was read can be");
                assert_eq!(read_spec(&write_spec(&spec)).expect("what was written can be read"), spec);
            }
        }
    }
});
