//! Logging in by hand: SCRAM-SHA-512 (RFC 5802) over Kafka's SaslHandshake and SaslAuthenticate.

use super::exchange::{exchange, put_text};
use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use runtime::config::Secret;
use runtime::kafka::KafkaConfig;
use sha2::{Digest, Sha512};
use std::net::TcpStream;

const HANDSHAKE: (i16, i16) = (17, 1);
const AUTHENTICATE: (i16, i16) = (36, 0);
const MECHANISM: &str = "SCRAM-SHA-512";
/// One login a connection: what it is fresh for is the server's part of it.
const NONCE: &str = "written-by-hand";
/// More is no server of ours.
const ITERATIONS_MAX: u32 = 100_000;

/// Logs in with the settings' user, where they have one.
pub(super) fn log_in(stream: &mut TcpStream, kafka: &KafkaConfig) -> Result<()> {
    let (Some(user), Some(password)) = (&kafka.sasl_username, kafka.sasl_password.as_ref().map(Secret::expose)) else {
        return Ok(());
    };
    let mut body = Vec::new();
    put_text(&mut body, MECHANISM);
    let answer = exchange(stream, HANDSHAKE, &body)?;
    ensure!(answer.starts_with(&[0, 0]), "the broker does not know {MECHANISM}");
    let first = format!("n={user},r={NONCE}");
    let server_first = authenticate(stream, &format!("n,,{first}"))?;
    let last = proof(&first, &server_first, password)?;
    authenticate(stream, &last).map(drop)
}

/// The client's last message.
fn proof(first: &str, server_first: &str, password: &str) -> Result<String> {
    let field = |name: &str| {
        let found = server_first.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found.with_context(|| format!("no {name} in what the broker says"))
    };
    let (nonce, salt, iterations) = (field("r")?, STANDARD.decode(field("s")?)?, field("i")?.parse::<u32>()?);
    ensure!(nonce.starts_with(NONCE) && iterations <= ITERATIONS_MAX, "not an answer to this login");
    let mut block = mac(password.as_bytes(), &[&salt, &1_u32.to_be_bytes()])?;
    let mut salted = block.clone();
    for _ in 1..iterations {
        block = mac(password.as_bytes(), &[&block])?;
        salted.iter_mut().zip(&block).for_each(|(all, one)| *all ^= one);
    }
    let key = mac(&salted, &[b"Client Key"])?;
    let bare = format!("c=biws,r={nonce}");
    let signed = format!("{first},{server_first},{bare}");
    let signature = mac(&Sha512::digest(&key), &[signed.as_bytes()])?;
    let proof: Vec<u8> = key.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
    Ok(format!("{bare},p={}", STANDARD.encode(proof)))
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Result<Vec<u8>> {
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(key) else { bail!("a key of no length that there is") };
    parts.iter().for_each(|part| mac.update(part));
    Ok(mac.finalize().into_bytes().to_vec())
}

fn authenticate(stream: &mut TcpStream, message: &str) -> Result<String> {
    let body = [&(message.len() as i32).to_be_bytes(), message.as_bytes()].concat();
    let answer = exchange(stream, AUTHENTICATE, &body)?;
    let (code, rest) = answer.split_at_checked(2).context("a short answer")?;
    if code != [0, 0] {
        bail!("the broker does not let this user in");
    }
    let (why, rest) = rest.split_at_checked(2).context("a short answer")?;
    let why = usize::try_from(i16::from_be_bytes(why.try_into()?)).unwrap_or(0); // -1 is no words
    let message = rest.get(why + 4..).context("a short answer")?;
    Ok(String::from_utf8(message.to_vec())?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_to_us_is_refused() {
        let good = format!("r={NONCE}more,s={},i=4096", STANDARD.encode("salt"));
        let last = proof("n=u,r=x", &good, "p").unwrap();
        assert!(last.starts_with(&format!("c=biws,r={NONCE}more,p=")), "{last}");
        assert_ne!(last, proof("n=u,r=x", &good, "other").unwrap());
        for bad in ["r=other,s=AA==,i=1", "s=AA==,i=1", &good.replace("4096", "999999")] {
            proof("n=u,r=x", bad, "p").unwrap_err();
        }
    }
}
