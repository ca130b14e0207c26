//! `corrupt`: bits of the reply are flipped, each another one, anywhere in it.

use std::collections::HashSet;

use bytes::BytesMut;

use crate::domain::Dice;

use super::effect::Answer;

/// So many bits of the reply are wrong; all of them, if it has no more.
pub(super) fn strike(bits: u32, dice: &mut Dice, answer: &mut Answer) {
    let mut bytes = BytesMut::from(&*answer.bytes);
    let all = 8 * bytes.len() as u64;
    let bits = u64::from(bits).min(all);
    // Which bits is decided by drawing those that are fewer, so that what was drawn is seldom drawn again.
    let most = bits > all / 2;
    if most {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let (wanted, mut drawn) = (if most { all - bits } else { bits }, HashSet::new());
    while (drawn.len() as u64) < wanted {
        let bit = dice.below(all);
        let byte = usize::try_from(bit / 8).ok().and_then(|at| bytes.get_mut(at));
        if let Some(byte) = byte.filter(|_| drawn.insert(bit)) {
            *byte ^= 0x80 >> (bit % 8);
        }
    }
    answer.bytes = bytes.freeze();
}
