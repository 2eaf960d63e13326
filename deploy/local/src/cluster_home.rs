//! Where the PostgreSQL cluster lives, and as whom it runs: the server refuses to be root, so root hands the directory to
//! the user `postgres`. Opens no directory but the stack's own; a cluster that cannot be reached there lives elsewhere.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{User, geteuid};

use crate::progress::Step;
use crate::{LocalError, jars, process};

/// The user that the server runs as when we are root, and that Debian's packages create.
const SYSTEM_USER: &str = "postgres";
/// Begins the names of clusters that could not live below their stack.
const ELSEWHERE: &str = "defaultx-postgres-";
/// In such a directory: the stack it belongs to.
const BELONGS_TO: &str = "belongs-to";

/// Where the cluster lives and as whom it runs. Below the stack if the server's user can get there.
pub(crate) fn settle(data_dir: &Path, step: &Step) -> Result<(PathBuf, Option<String>), LocalError> {
    let dir = data_dir.join("postgres");
    if !geteuid().is_root() {
        private_dir(&dir, None)?;
        return Ok((dir, None));
    }
    let user = system_user()?;
    private_dir(&dir, Some(&user))?;
    open_the_way(data_dir)?;
    if can_write(&user, &dir) {
        return Ok((dir, Some(user.name)));
    }
    let elsewhere = elsewhere(data_dir)?;
    private_dir(&elsewhere, Some(&user))?;
    let mark = elsewhere.join(BELONGS_TO);
    fs::write(&mark, data_dir.as_os_str().as_encoded_bytes()).map_err(LocalError::io(|| "marking a cluster"))?;
    step.note(&format!("user {SYSTEM_USER} cannot reach {}; the data is in {}", dir.display(), elsewhere.display()));
    Ok((elsewhere, Some(user.name)))
}

fn system_user() -> Result<User, LocalError> {
    let user = User::from_name(SYSTEM_USER).map_err(|errno| LocalError::io(|| "looking up a user")(errno.into()))?;
    user.ok_or_else(|| LocalError::Missing {
        what: format!("a user {SYSTEM_USER}, as which the server runs,"),
        line: format!("useradd --system {SYSTEM_USER}"),
    })
}

/// The stack's own directory may be passed through (not listed) by the server's user; its parents are not ours to open.
fn open_the_way(data_dir: &Path) -> Result<(), LocalError> {
    let doing = || format!("letting {SYSTEM_USER} pass {}", data_dir.display());
    let mode = fs::metadata(data_dir).map_err(LocalError::io(doing))?.permissions().mode();
    fs::set_permissions(data_dir, Permissions::from_mode(mode | 0o011)).map_err(LocalError::io(doing))
}

fn can_write(user: &User, dir: &Path) -> bool {
    let mut command = process::as_user(Some(&user.name), "test");
    command.arg("-w").arg(dir);
    process::run("looking whether a directory can be reached", command).is_ok()
}

/// Always the same place for the same stack, so that a restart finds its data.
fn elsewhere(data_dir: &Path) -> Result<PathBuf, LocalError> {
    let full = fs::canonicalize(data_dir).map_err(LocalError::io(|| format!("resolving {}", data_dir.display())))?;
    let temp = std::env::temp_dir();
    clear_orphans(&temp);
    Ok(temp.join(format!("{ELSEWHERE}{:08x}", jars::fingerprint(full.as_os_str().as_encoded_bytes()))))
}

/// Clusters whose stack has been deleted are of no use to anybody. Failing to delete one harms nobody either.
fn clear_orphans(temp: &Path) {
    for entry in fs::read_dir(temp).into_iter().flatten().flatten() {
        let dir = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(ELSEWHERE);
        let Some(stack) = fs::read_to_string(dir.join(BELONGS_TO)).ok().filter(|_| ours) else { continue };
        let runs = dir.join("cluster/postmaster.pid").exists();
        if Path::new(&stack).exists() || runs {
            continue;
        }
        if let Err(error) = fs::remove_dir_all(&dir) {
            tracing::debug!(%error, dir = %dir.display(), "cluster of a deleted stack stays");
        }
    }
}

/// A directory that only its owner may enter. One that is there already must be a real directory of that owner: in the
/// temporary directory anybody could have put something else in its place.
fn private_dir(dir: &Path, user: Option<&User>) -> Result<(), LocalError> {
    let doing = || format!("preparing {}", dir.display());
    match fs::create_dir(dir) {
        Ok(()) => {
            own(dir, user.map(|user| user.name.as_str()))?;
            fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(LocalError::io(doing))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let meta = fs::symlink_metadata(dir).map_err(LocalError::io(doing))?;
            let owner = user.map_or_else(|| geteuid().as_raw(), |user| user.uid.as_raw());
            if meta.is_dir() && meta.uid() == owner {
                return Ok(());
            }
            Err(LocalError::Io { doing: doing(), source: ErrorKind::PermissionDenied.into() })
        }
        Err(error) => Err(LocalError::io(doing)(error)),
    }
}

/// Hands a file to the server's user, if that is not ourselves.
pub(crate) fn own(path: &Path, user: Option<&str>) -> Result<(), LocalError> {
    if user.is_none() {
        return Ok(());
    }
    let user = system_user()?;
    chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        .map_err(LocalError::io(|| format!("handing {} to {SYSTEM_USER}", path.display())))
}
