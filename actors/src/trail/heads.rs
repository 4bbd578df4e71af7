//! Signed heads: from time to time the end of the chain is signed, so that cutting the trail off can be proved, too.
//!
//! In `heads/` below the trail: `key` (mode 0600), `public` (one key a line, the newest last) and `signed` (one head a
//! line). Who can read the key can sign; a copy of `public` and `signed` on another machine is what proves anything
//! against root.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::line::{Digest, from_hex};
use crate::{atomic, clock};

/// A signed end of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The record that was the newest.
    pub id: u64,
    /// Digest of its line.
    pub digest: Digest,
    /// When it was signed, RFC 3339, UTC.
    pub time: String,
    /// The public key, 64 hexadecimal digits.
    pub key: String,
    /// ed25519 over [`Head::signed`], 128 hexadecimal digits.
    pub signature: String,
}

impl Head {
    /// What is signed.
    fn signed(&self) -> Vec<u8> {
        format!("bartizan audit head 1\n{}\n{}\n{}\n", self.id, self.digest, self.time).into_bytes()
    }

    /// Whether the signature is by the key that it names.
    pub fn is_genuine(&self) -> bool {
        let (mut key, mut signature) = ([0; 32], [0; 64]);
        from_hex(&self.key, &mut key)
            && from_hex(&self.signature, &mut signature)
            && VerifyingKey::from_bytes(&key)
                .is_ok_and(|key| key.verify_strict(&self.signed(), &Signature::from_bytes(&signature)).is_ok())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn place(trail: &Path) -> PathBuf {
    trail.join("heads")
}

/// The file of signed heads of a trail.
pub fn signed_file(trail: &Path) -> PathBuf {
    place(trail).join("signed")
}

/// The file of public keys of a trail.
pub fn public_file(trail: &Path) -> PathBuf {
    place(trail).join("public")
}

/// Signs heads.
#[derive(Debug)]
pub struct Heads {
    trail: PathBuf,
    key: SigningKey,
    newest: Option<Head>,
}

impl Heads {
    /// Reads the key, or makes one. A key that is broken is an error, and stays as it is.
    pub fn open(trail: &Path) -> io::Result<Heads> {
        atomic::closed_directory(&place(trail))?;
        let told = |path: &Path, error: String| io::Error::other(format!("{}: {error}", path.display()));
        let path = place(trail).join("key");
        let seed: [u8; 32] = match fs::read(&path) {
            Ok(seed) => seed.try_into().map_err(|_| {
                told(&path, "expected 32 bytes; move the file away, and the next start makes a new key".to_owned())
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut seed = [0; 32];
                File::open("/dev/urandom")?.read_exact(&mut seed)?;
                atomic::write(&path, &seed).map_err(|error| told(&path, error.to_string()))?;
                seed
            }
            Err(error) => return Err(told(&path, error.to_string())),
        };
        let key = SigningKey::from_bytes(&seed);
        let public = hex(key.verifying_key().as_bytes());
        let file = public_file(trail);
        let mut known = keys(&file)?;
        if known.last() != Some(&public) {
            known.push(public);
            atomic::write(&file, format!("{}\n", known.join("\n")).as_bytes())?;
        }
        Ok(Heads { trail: trail.to_owned(), key, newest: newest(trail)? })
    }

    /// Signs this end of the chain, unless it is signed already.
    pub fn sign(&mut self, id: u64, digest: Digest) -> io::Result<()> {
        if id == 0 || self.newest.as_ref().is_some_and(|head| (head.id, head.digest) == (id, digest)) {
            return Ok(());
        }
        let time = clock::rfc3339(clock::now_ms()).into();
        let key = hex(self.key.verifying_key().as_bytes());
        let mut head = Head { id, digest, time, key, signature: String::new() };
        head.signature = hex(&self.key.sign(&head.signed()).to_bytes());
        let path = signed_file(&self.trail);
        // A line that a crash cut off stands by itself, so that this one is whole.
        let torn = fs::read(&path).is_ok_and(|text| text.last().is_some_and(|last| *last != b'\n'));
        let mut line = if torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut line, &head)?;
        line.push(b'\n');
        let mut file = OpenOptions::new().append(true).create(true).mode(0o640).open(&path)?;
        file.write_all(&line)?;
        file.sync_all()?;
        tracing::info!("the audit trail was signed up to record {id}, whose digest is {digest}");
        self.newest = Some(head);
        Ok(())
    }

    /// When the newest head was signed, RFC 3339.
    pub fn signed_at(&self) -> Option<&str> {
        self.newest.as_ref().map(|head| head.time.as_str())
    }
}

/// Public keys of a trail; none where there is no file.
pub fn keys(file: &Path) -> io::Result<Vec<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Every head of a trail with the number of its line; `None` for a line that is none.
pub fn read(trail: &Path) -> io::Result<Vec<(u64, Option<Head>)>> {
    match fs::read_to_string(signed_file(trail)) {
        Ok(text) => {
            Ok((1..).zip(text.lines()).map(|(number, line)| (number, serde_json::from_str(line).ok())).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The genuine head that covers most.
pub(super) fn newest(trail: &Path) -> io::Result<Option<Head>> {
    let heads = read(trail)?.into_iter().filter_map(|(_, head)| head);
    Ok(heads.filter(Head::is_genuine).max_by_key(|head| head.id))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn heads_are_signed_once_and_by_the_key_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut heads = Heads::open(directory.path()).unwrap();
        heads.sign(0, Digest::default()).unwrap();
        heads.sign(3, Digest::of(b"three")).unwrap();
        heads.sign(3, Digest::of(b"three")).unwrap();
        fs::write(
            signed_file(directory.path()),
            format!("{}{{\"id\":", fs::read_to_string(signed_file(directory.path())).unwrap()),
        )
        .unwrap();
        let mut heads = Heads::open(directory.path()).unwrap();
        heads.sign(4, Digest::of(b"four")).unwrap();
        let told = read(directory.path()).unwrap();
        assert_eq!(
            told.iter().map(|(line, head)| (*line, head.as_ref().map(|head| head.id))).collect::<Vec<_>>(),
            [(1, Some(3)), (2, None), (3, Some(4))]
        );
        assert!(told.iter().flat_map(|(_, head)| head).all(Head::is_genuine));
        assert_eq!(keys(&public_file(directory.path())).unwrap().len(), 1, "a start makes no second key");
        let mode = fs::metadata(directory.path().join("heads/key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mode = fs::metadata(directory.path().join("heads")).unwrap().permissions().mode();
        assert_eq!(mode & 0o027, 0, "{mode:o}");
    }

    #[test]
    fn a_head_that_was_changed_is_not_genuine() {
        let directory = tempfile::tempdir().unwrap();
        Heads::open(directory.path()).unwrap().sign(3, Digest::of(b"three")).unwrap();
        let head = newest(directory.path()).unwrap().unwrap();
        assert!(!Head { id: 2, ..head.clone() }.is_genuine());
        assert!(!Head { digest: Digest::of(b"other"), ..head.clone() }.is_genuine());
        assert!(!Head { time: clock::rfc3339(0).into(), ..head.clone() }.is_genuine());
        assert!(!Head { key: hex(&[7; 32]), ..head }.is_genuine());
    }

    #[test]
    fn a_broken_key_is_told_and_left() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("heads")).unwrap();
        fs::write(directory.path().join("heads/key"), "short").unwrap();
        let error = Heads::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains("heads/key: expected 32 bytes"), "{error}");
    }
}
