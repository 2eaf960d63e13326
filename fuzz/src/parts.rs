//! An input of several parts: each by its length, then its bytes. Changes keep a JSON part JSON.

use super::document;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Most parts of an input.
const MOST: usize = 64;

/// Takes an input apart; what is cut off is short.
pub fn unpack(mut packed: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = packed.split_first_chunk::<4>() {
        let (part, rest) = rest.split_at(rest.len().min(u32::from_le_bytes(*length) as usize));
        parts.push(part.to_vec());
        packed = rest;
        if parts.len() == MOST {
            break;
        }
    }
    parts
}

/// Puts parts together.
pub fn pack(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&(part.len() as u32).to_le_bytes(), part.as_slice()].concat()).collect()
}

/// A JSON part with a value changed, a part twice, or one gone; nothing where it cannot be.
pub fn changed(mut parts: Vec<Vec<u8>>, rng: &mut ChaCha8Rng) -> Option<Vec<Vec<u8>>> {
    if parts.is_empty() {
        return None;
    }
    let at = rng.random_range(0..parts.len());
    match rng.random_range(0..8) {
        0 => drop(parts.remove(at)),
        1 => parts.insert(at, parts[at].clone()),
        _ => {
            let json = (0..parts.len()).filter(|at| parts[*at].starts_with(b"{")).collect::<Vec<_>>();
            let at = *json.get(rng.random_range(0..json.len().max(1)))?;
            parts[at] = document::changed_json(&parts[at], rng)?;
        }
    }
    Some(parts)
}
