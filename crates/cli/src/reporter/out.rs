//! Standard output while a run goes on: one buffer, our own text coloured where that helps, commands' bytes as they are.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::fd::AsFd,
};

use anstream::ColorChoice;

/// Enough for a whole read of output from a unit.
const BUFFER: usize = 64 << 10;

/// Where a reporter writes. Once nobody reads any more it swallows everything: the run goes on.
pub(super) struct Out {
    to: Option<BufWriter<Box<dyn Write + Send>>>,
    color: bool,
}

impl Out {
    /// Standard output.
    pub(super) fn stdout() -> Self {
        let stdout = io::stdout();
        let color = anstream::AutoStream::choice(&stdout) != ColorChoice::Never;
        // Its own descriptor, since the standard one looks for line ends in all that passes.
        let to: Box<dyn Write + Send> = match stdout.as_fd().try_clone_to_owned() {
            Ok(descriptor) => Box::new(File::from(descriptor)),
            Err(_) => Box::new(stdout),
        };
        Out { to: Some(BufWriter::with_capacity(BUFFER, to)), color }
    }

    /// Memory, for tests.
    #[cfg(test)]
    pub(super) fn to_memory() -> (Self, std::sync::Arc<std::sync::Mutex<Vec<u8>>>) {
        #[derive(Clone, Default)]
        struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl Write for Shared {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().expect("a test that panics ends").write(bytes)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let shared = Shared::default();
        let to: Box<dyn Write + Send> = Box::new(shared.clone());
        (Out { to: Some(BufWriter::new(to)), color: false }, shared.0)
    }

    /// Text of our own.
    pub(super) fn text(&mut self, text: &str) {
        if self.color {
            self.raw(text.as_bytes());
        } else {
            let text = anstream::adapter::strip_str(text).to_string();
            self.raw(text.as_bytes());
        }
    }

    /// Bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        if let Some(to) = &mut self.to
            && to.write_all(bytes).is_err()
        {
            self.give_up();
        }
    }

    pub(super) fn flush(&mut self) {
        if let Some(to) = &mut self.to
            && to.flush().is_err()
        {
            self.give_up();
        }
    }

    /// Dropping the buffer would try to write what is left of it once more.
    fn give_up(&mut self) {
        if let Some(to) = self.to.take() {
            drop(to.into_parts());
        }
    }
}
