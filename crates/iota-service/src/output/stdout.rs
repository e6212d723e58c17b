//! Standard output: one JSON object per line. Written is all that can be known.

use super::config::{Kind, OutputError, Surroundings, output_keys};
use super::format::{Alert, Format, Redaction};
use super::{Message, Output, Sent};
use async_trait::async_trait;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

output_keys! { local
    /// Writes alerts to standard output.
    StdoutFile {
        /// Form of the alerts [default: alert].
        pub format: Option<Format>,
    }
}

impl Kind for StdoutFile {
    async fn build(&self, _name: &str, _around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        let format = self.format.unwrap_or_default();
        let redact = self.redaction()?;
        let timeout = self.timeout.map_or(super::config::DEFAULT_TIMEOUT, |wait| wait.0);
        Ok(Arc::new(Lines::new(Box::new(io::stdout()), format, redact, timeout)))
    }
}

/// An output of lines to a stream.
pub struct Lines {
    stream: Arc<Mutex<Stream>>,
    format: Format,
    redact: Redaction,
    timeout: Duration,
}

struct Stream {
    writer: Box<dyn Write + Send>,
    /// A write failed, so the last line may be without its end.
    torn: bool,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Lines {
    pub fn new(writer: Box<dyn Write + Send>, format: Format, redact: Redaction, timeout: Duration) -> Self {
        Self { stream: Arc::new(Mutex::new(Stream { writer, torn: false })), format, redact, timeout }
    }
}

impl Stream {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(line.len() + 2);
        if self.torn {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
        self.torn = true;
        self.writer.write_all(&bytes)?;
        self.writer.flush()?;
        self.torn = false;
        Ok(())
    }
}

#[async_trait]
impl Output for Lines {
    fn batch(&self) -> usize {
        64
    }

    fn concurrency(&self) -> usize {
        1
    }

    fn is_acknowledged(&self) -> bool {
        false
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        let lines: Vec<Result<Vec<u8>, String>> = messages
            .iter()
            .map(|message| Alert::of(message, &self.redact).map(|alert| self.format.render(&alert, usize::MAX)))
            .collect();
        let stream = Arc::clone(&self.stream);
        let write = tokio::task::spawn_blocking(move || {
            let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
            let write = |line: Result<Vec<u8>, String>| match line {
                Ok(line) => stream.write(&line).map_or_else(|error| failed(&error), |()| Sent::Delivered),
                Err(why) => Sent::Refused { why },
            };
            lines.into_iter().map(write).collect::<Vec<_>>()
        });
        let slow = || vec![Sent::Retry { after: None, why: "nobody reads standard output".to_owned() }; messages.len()];
        match tokio::time::timeout(self.timeout, write).await {
            Ok(Ok(sent)) => sent,
            _ => slow(),
        }
    }
}

fn failed(error: &io::Error) -> Sent {
    let why = format!("standard output: {error}");
    match error.kind() {
        ErrorKind::BrokenPipe => Sent::Closed { why },
        _ => Sent::Retry { after: None, why },
    }
}
