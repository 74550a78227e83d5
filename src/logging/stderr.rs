//! The way to stderr: a bounded queue, and one thread that writes.
//!
//! `tracing-appender` has such a thread too. It counts no line that can't be written, bounds lines
//! but not bytes, and prints to stdout, among the data, when its end comes while the queue is full.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use super::limiter::LIMITER;

/// What waits for a reader, at most: some seconds of the busiest log, in lines and in bytes.
const MAX_LINES: usize = 8_192;
const MAX_BYTES: usize = 4 << 20;

/// How often the losses are reported.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// The pause before a stderr that was set to non-blocking by its other owner is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(20);

static STDERR: LazyLock<Queue> = LazyLock::new(|| Queue::over(io::stderr()));

/// Writes a line for people, such as progress, to stderr. It never waits.
pub fn line(text: &str) {
    STDERR.put(format!("{text}\n").into_bytes());
}

/// Lines that found no room, and lines that could not be written.
pub(super) fn lost() -> (u64, u64) {
    let counts = &STDERR.counts;
    (counts.overflowed.load(Ordering::Relaxed), counts.unwritable.load(Ordering::Relaxed))
}

/// Waits until the queue is empty, or `timeout` is over.
pub(super) fn flush(timeout: Duration) {
    STDERR.flush(timeout);
}

#[derive(Debug, Default)]
struct Counts {
    waiting_lines: AtomicUsize,
    waiting_bytes: AtomicUsize,
    overflowed: AtomicU64,
    unwritable: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    sender: SyncSender<Vec<u8>>,
    counts: Arc<Counts>,
}

impl Queue {
    fn over(out: impl Write + Send + 'static) -> Self {
        let (sender, lines) = sync_channel(MAX_LINES);
        let counts = Arc::<Counts>::default();
        let of_thread = Arc::clone(&counts);
        let thread = std::thread::Builder::new().name("log".to_owned());
        // Without the thread every line is lost, and counted: no reason to end.
        let _no_thread = thread.spawn(move || write_lines(&lines, &of_thread, out));
        Self { sender, counts }
    }

    fn put(&self, line: Vec<u8>) {
        let counts = &self.counts;
        let length = line.len();
        let waiting = counts.waiting_bytes.fetch_add(length, Ordering::SeqCst);
        counts.waiting_lines.fetch_add(1, Ordering::SeqCst);
        if waiting + length > MAX_BYTES || self.sender.try_send(line).is_err() {
            counts.done(length);
            counts.overflowed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        while self.counts.waiting_lines.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Counts {
    fn done(&self, length: usize) {
        self.waiting_bytes.fetch_sub(length, Ordering::SeqCst);
        self.waiting_lines.fetch_sub(1, Ordering::SeqCst);
    }

    fn lost(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed) + self.unwritable.load(Ordering::Relaxed)
    }
}

fn write_lines(lines: &Receiver<Vec<u8>>, counts: &Counts, mut out: impl Write) {
    let (mut told, mut told_at, mut writable) = (0, Instant::now(), true);
    loop {
        match lines.recv_timeout(TELL_EVERY) {
            Ok(line) => {
                writable = write_patiently(&mut out, &line).is_ok();
                if !writable {
                    counts.unwritable.fetch_add(1, Ordering::Relaxed);
                }
                counts.done(line.len());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if told_at.elapsed() < TELL_EVERY {
            continue;
        }
        told_at = Instant::now();
        LIMITER.tell_if_due();
        // Reported where it can be read: on a full disk the line would only add to the losses.
        let lost = counts.lost();
        if writable && lost > told {
            tracing::warn!(
                lines = lost - told,
                "log lines are missing here: stderr could not be written, or was not read fast enough"
            );
            told = lost;
        }
    }
}

fn write_patiently(out: &mut impl Write, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match out.write(line) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => line = line.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(FULL_PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The logger writes each line with one call of `write`, so each call is one line of the queue.
#[derive(Debug)]
pub(super) struct LineWriter(());

impl LineWriter {
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        STDERR.put(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// A reader that reads only while the lock is free.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<Vec<u8>>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_nobody_reads_are_dropped_and_counted_and_the_writer_never_waits() {
        let pipe = Pipe::default();
        let queue = Queue::over(pipe.clone());
        let unread = pipe.0.lock().expect("locked");
        for _ in 0..MAX_LINES + 100 {
            queue.put(b"a line\n".to_vec());
        }
        let overflowed = queue.counts.overflowed.load(Ordering::Relaxed);
        assert!((99..=100).contains(&overflowed), "{overflowed} lines, one of them at the pipe");
        drop(unread);
        queue.flush(Duration::from_secs(10));
        let read = pipe.0.lock().expect("locked").len();
        assert_eq!(read, (MAX_LINES + 100 - usize::try_from(overflowed).expect("few")) * 7);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_too() {
        let pipe = Pipe::default();
        let queue = Queue::over(pipe.clone());
        let unread = pipe.0.lock().expect("locked");
        for _ in 0..10 {
            queue.put(vec![b'x'; MAX_BYTES / 4]);
        }
        assert_eq!(queue.counts.overflowed.load(Ordering::Relaxed), 6);
        assert!(queue.counts.waiting_bytes.load(Ordering::SeqCst) <= MAX_BYTES);
        drop(unread);
    }

    #[test]
    fn a_stderr_that_is_full_counts_its_lines_and_goes_on_once_there_is_room() {
        struct Full(u8, Pipe);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.saturating_sub(1);
                match self.0 {
                    2 => Err(ErrorKind::StorageFull.into()),
                    1 => Err(ErrorKind::WouldBlock.into()),
                    _ => self.1.write(bytes),
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let pipe = Pipe::default();
        let queue = Queue::over(Full(3, pipe.clone()));
        queue.put(b"lost\n".to_vec());
        queue.put(b"kept\n".to_vec());
        queue.flush(Duration::from_secs(10));
        assert_eq!(queue.counts.unwritable.load(Ordering::Relaxed), 1);
        assert_eq!(pipe.0.lock().expect("locked").as_slice(), b"kept\n");
    }
}
