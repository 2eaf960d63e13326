//! The key of the digests of bodies that a stack on one machine makes for itself, once, whoever asks first.

use anyhow::{Context, Result};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Where it stands. Losing it makes conflicts of what senders send again.
const FILE: &str = "data-digest.key";

/// The key in `dir`, made if there is none: `key_id:hexadecimal`.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn of(dir: &Path) -> Result<String> {
    let path = dir.join(FILE);
    let failed = || format!("the key of digests in {}", path.display());
    match fs::read_to_string(&path) {
        Ok(key) => return Ok(key.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(failed),
    }
    fs::create_dir_all(dir).with_context(failed)?;
    // Whole before it has its name, so that of two who make one at once both read the same.
    let made = dir.join(format!("{FILE}.{:016x}", rand::random::<u64>()));
    let mut file = fs::File::options().create_new(true).write(true).mode(0o600).open(&made).with_context(failed)?;
    writeln!(file, "house-1:{}", hex::encode(rand::random::<[u8; 32]>())).with_context(failed)?;
    file.sync_all().with_context(failed)?;
    let named = fs::hard_link(&made, &path);
    fs::remove_file(&made).with_context(failed)?;
    match named {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error).with_context(failed),
        _ => Ok(fs::read_to_string(&path).with_context(failed)?.trim().to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_made_once_however_many_ask() {
        let dir = tempfile::tempdir().unwrap();
        let stack = dir.path().join("stack");
        let keys: Vec<String> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| of(&stack).unwrap())).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0] && key.len() == "house-1:".len() + 64), "{}", keys.len());
        assert_eq!(fs::read_dir(&stack).unwrap().count(), 1, "nothing else is left");
        assert_eq!(fs::metadata(stack.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
