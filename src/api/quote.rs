//! How much of a request its refusal repeats, and how long a refusal gets.
//!
//! What a client sends is up to 2 MiB. A refusal that repeats it, or says something to each of its members, would cost
//! more than the request did.

use std::borrow::Cow;

use crate::domain::FieldError;

/// Faults that one answer names.
const MOST_FAULTS: usize = 100;
/// Unknown names that are reported one by one; whoever has more of them has sent another document.
const MOST_UNKNOWN: usize = 20;
/// Characters of a foreign name that are repeated.
const LONGEST_NAME: usize = 80;
/// Bytes of a name for which the known one nearest to it is looked for; ours are shorter by far.
const LONGEST_COMPARED: usize = 64;
/// Bytes of a sentence.
const LONGEST_SENTENCE: usize = 1_000;
/// What is left of a longer one: its beginning, and its end, where mostly stands what would be right.
const SENTENCE_ENDS: (usize, usize) = (200, 600);

/// The beginning of a foreign name.
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// A sentence, without the middle of what it quotes if that is long.
pub(super) fn sentence(text: String) -> String {
    if text.len() <= LONGEST_SENTENCE {
        return text;
    }
    let (head, tail) = SENTENCE_ENDS;
    let (head, tail) = (text.floor_char_boundary(head), text.ceil_char_boundary(text.len() - tail));
    format!("{}…{}", text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default())
}

/// Faults as an answer names them: not too many, none too long.
pub(super) fn faults(mut faults: Vec<FieldError>) -> Vec<FieldError> {
    if faults.len() > MOST_FAULTS {
        let more = faults.len() - (MOST_FAULTS - 1);
        faults.truncate(MOST_FAULTS - 1);
        faults.push(FieldError::new("", format!("and {more} more")));
    }
    let short = |FieldError { pointer, detail }| FieldError::new(sentence(pointer), sentence(detail));
    faults.into_iter().map(short).collect()
}

/// Those of `names` that are none of `known`, each as a fault at its `pointer`, which is given the name; the last one
/// stands at `place` for all that are too many.
pub(crate) fn unknown_names<'a>(
    names: impl Iterator<Item = &'a str>,
    known: &[&str],
    place: &str,
    pointer: impl Fn(&str) -> String,
) -> Vec<FieldError> {
    let mut names = names.filter(|name| !known.contains(name));
    let fault = |text: &str| FieldError::new(pointer(&name(text)), unknown_name(text, known));
    let mut faults: Vec<_> = names.by_ref().take(MOST_UNKNOWN).map(fault).collect();
    match names.count() {
        0 => (),
        more => faults.push(FieldError::new(place, format!("and {more} more names that are not known"))),
    }
    faults
}

/// What to say about a name that is none of `known`.
fn unknown_name(name: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .filter(|_| name.len() <= LONGEST_COMPARED)
        .map(|known| (strsim::damerau_levenshtein(name, known), *known))
        .min();
    match near {
        Some((distance, near)) if distance <= near.len() / 3 + 1 => {
            format!("there is no such name; did you mean `{near}`?")
        }
        _ if known.is_empty() => "there is no such name; none is known here".to_owned(),
        _ => format!("there is no such name; known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_keeps_its_beginning_and_its_end() {
        let long = format!("`{}` is no duration; write 30s", "é".repeat(500_000));
        let short = sentence(long);
        assert!(short.len() < LONGEST_SENTENCE && short.starts_with("`éé") && short.contains('…'), "{short}");
        assert!(short.ends_with("write 30s"));
        assert_eq!(sentence("short".to_owned()), "short");
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(name(&"问".repeat(80)), "问".repeat(80));
        assert_eq!(name(&"问".repeat(81)), "问".repeat(80) + "…");
    }

    #[test]
    fn many_unknown_names_are_counted() {
        let names: Vec<_> = (0..120_000).map(|n| format!("junk{n}")).collect();
        let known = ["port", "host"];
        let found = unknown_names(names.iter().map(String::as_str), &known, "/limits", |name| {
            format!("/limits/{name}")
        });
        assert_eq!(found.len(), MOST_UNKNOWN + 1);
        assert_eq!(found[0].pointer, "/limits/junk0");
        let last = FieldError::new("/limits", "and 119980 more names that are not known");
        assert_eq!(found.last(), Some(&last));
    }

    #[test]
    fn a_name_near_a_known_one_is_told_so_unless_it_is_very_long() {
        assert!(unknown_name("prot", &["port", "host"]).contains("did you mean `port`?"));
        assert!(unknown_name(&"port".repeat(500_000), &["port"]).contains("known are port"));
    }

    #[test]
    fn faults_are_not_too_many() {
        let many = (0..1_000).map(|n| FieldError::new(format!("/{n}"), "wrong")).collect();
        let kept = faults(many);
        assert_eq!((kept.len(), kept[98].pointer.as_str()), (MOST_FAULTS, "/98"));
        assert_eq!(kept[99].detail, "and 901 more");
    }
}
