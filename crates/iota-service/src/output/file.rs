//! A file of JSON lines, rotated by size. Delivered means that the device has it.

use super::config::{DEFAULT_TIMEOUT, Kind, OutputError, Size, Surroundings, Wrong, output_keys};
use super::format::{Alert, Format, Redaction};
use super::{Message, Output, Sent};
use async_trait::async_trait;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A file is put aside when it would grow beyond this, unless the configuration says otherwise.
const DEFAULT_ROTATE: u64 = 100 << 20;
/// How many files that were put aside are kept.
const DEFAULT_KEEP: u32 = 10;

output_keys! { local
    /// Appends alerts to a file, one JSON object per line, for the owner alone (mode 0600).
    FileFile {
        /// The file; relative to the configuration file. Its directory must exist.
        pub path: PathBuf,
        /// Form of the alerts [default: alert].
        pub format: Option<Format>,
        /// Size at which the file is put aside as PATH.1, PATH.1 as PATH.2 ... [default: 100MiB].
        pub rotate_size: Option<Size>,
        /// How many files that were put aside are kept; 0 keeps none [default: 10].
        pub rotate_count: Option<u32>,
    }
}

impl Kind for FileFile {
    fn check(&self) -> Result<(), Wrong> {
        if self.rotate_size.is_some_and(|size| size.0 < 1 << 20) {
            return Err(("rotate_size", "must be at least 1MiB".to_owned()));
        }
        if self.rotate_count.is_some_and(|count| count > 1000) {
            return Err(("rotate_count", "must be at most 1000".to_owned()));
        }
        Ok(())
    }

    async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        let log = Log {
            path: around.directory.join(&self.path),
            rotate_size: self.rotate_size.map_or(DEFAULT_ROTATE, |size| size.0),
            keep: self.rotate_count.unwrap_or(DEFAULT_KEEP),
            file: None,
        };
        Ok(Arc::new(LogFile {
            log: Arc::new(Mutex::new(log)),
            format: self.format.unwrap_or_default(),
            redact: self.redaction()?,
            timeout: self.timeout.map_or(DEFAULT_TIMEOUT, |wait| wait.0),
        }))
    }
}

#[derive(Debug)]
struct LogFile {
    log: Arc<Mutex<Log>>,
    format: Format,
    redact: Redaction,
    timeout: Duration,
}

#[async_trait]
impl Output for LogFile {
    fn batch(&self) -> usize {
        256
    }

    fn concurrency(&self) -> usize {
        1
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        let mut bytes = Vec::new();
        let mut sent = Vec::with_capacity(messages.len());
        for message in messages {
            match Alert::of(message, &self.redact) {
                Ok(alert) => {
                    bytes.extend_from_slice(&self.format.render(&alert, usize::MAX));
                    bytes.push(b'\n');
                    sent.push(Sent::Delivered);
                }
                Err(why) => sent.push(Sent::Refused { why }),
            }
        }
        let log = Arc::clone(&self.log);
        let append = tokio::task::spawn_blocking(move || {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.append(&bytes).map_err(|error| (error.kind(), format!("{}: {error}", log.path.display())))
        });
        let failed = match tokio::time::timeout(self.timeout, append).await {
            Ok(Ok(Ok(()))) => return sent,
            Ok(Ok(Err((kind, why)))) if needs_somebody(kind) => Sent::Closed { why },
            Ok(Ok(Err((_, why)))) => Sent::Retry { after: None, why },
            _ => Sent::Retry { after: None, why: "the device did not take the lines in time".to_owned() },
        };
        sent.iter_mut().filter(|sent| **sent == Sent::Delivered).for_each(|sent| sent.clone_from(&failed));
        sent
    }
}

/// What does not go away by itself.
fn needs_somebody(kind: ErrorKind) -> bool {
    use ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(kind, NotFound | PermissionDenied | IsADirectory | NotADirectory | ReadOnlyFilesystem)
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    rotate_size: u64,
    keep: u32,
    file: Option<File>,
}

impl Log {
    /// Appends the lines and waits until the device has them. After an error none of them count as written.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut length = self.open()?;
        if length > 0 && length + lines.len() as u64 > self.rotate_size {
            self.rotate()?;
            length = self.open()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.write_all(lines).and_then(|()| file.sync_data());
        if written.is_err() {
            // What was written of them would stand there a second time after the next attempt, and half a line for ever.
            let _ = file.set_len(length);
            self.file = None;
        }
        written
    }

    /// Opens the file if it is not, or if somebody moved it away, and gives its length.
    fn open(&mut self) -> io::Result<u64> {
        if let Some(file) = &self.file {
            let (open, there) = (file.metadata()?, fs::metadata(&self.path).ok());
            if there.is_some_and(|there| (there.dev(), there.ino()) == (open.dev(), open.ino())) {
                return Ok(open.len());
            }
        }
        let is_new = !self.path.exists();
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        let mut length = file.metadata()?.len();
        if is_new {
            sync_directory(&self.path)?;
        } else if length > 0 {
            // A line that was cut off when the machine stopped must not take the next one with it.
            let mut last = [b'\n'];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != [b'\n'] {
                file.write_all(b"\n")?;
                length += 1;
            }
        }
        self.file = Some(file);
        Ok(length)
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        let aside = |number: u32| PathBuf::from(format!("{}.{number}", self.path.display()));
        if self.keep == 0 {
            fs::remove_file(&self.path)?;
        }
        for number in (1..self.keep).rev() {
            match fs::rename(aside(number), aside(number + 1)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.keep > 0 {
            fs::rename(&self.path, aside(1))?;
        }
        sync_directory(&self.path)
    }
}

/// Names that were made or changed survive a power failure only after this.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
