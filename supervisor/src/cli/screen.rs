//! Where answers go: a terminal, its pager, or whatever else the standard output is. Everything passes through here, so that
//! no control character of a name reaches a terminal.

use std::env;
use std::io::{self, IsTerminal as _, Write};
use std::process::{Child, Command, Stdio};

use super::client::Trouble;
use super::line::{Line, legible};

/// Columns where there is no terminal that could say.
const COLUMNS: usize = 80;

/// Where the lines go.
enum Sink {
    Out,
    /// A terminal, and what it gets if it is not more than its rows.
    Held {
        text: Vec<u8>,
        lines: usize,
        rows: usize,
    },
    Pager(Child),
}

/// The output of one command.
pub(crate) struct Screen {
    sink: Sink,
    terminal: bool,
    colour: bool,
    columns: usize,
}

impl Screen {
    /// One that pages what does not fit a terminal.
    pub(crate) fn new() -> Screen {
        let mut screen = Screen::flowing();
        if let Some(rows) = size().map(|(rows, _)| rows)
            && screen.terminal
        {
            screen.sink = Sink::Held { text: Vec::new(), lines: 0, rows: rows.saturating_sub(1) };
        }
        screen
    }

    /// One that shows each line at once.
    pub(crate) fn flowing() -> Screen {
        let terminal = io::stdout().is_terminal();
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let columns = size().map_or(COLUMNS, |(_, columns)| columns);
        Screen { sink: Sink::Out, terminal, colour: terminal && !dumb && !unwanted, columns }
    }

    /// Prints a line, folded where the terminal ends; off a terminal it stays one line.
    pub(crate) fn line(&mut self, line: impl Into<Line>) -> Result<(), Trouble> {
        let columns = self.terminal.then_some(self.columns);
        let text = line.into().drawn(self.colour, columns);
        self.put(&text)
    }

    /// Prints a line of a table: it is folded off a terminal as well.
    pub(crate) fn row(&mut self, line: impl Into<Line>) -> Result<(), Trouble> {
        let text = line.into().drawn(self.colour, Some(if self.terminal { self.columns } else { COLUMNS }));
        self.put(&text)
    }

    /// Prints a text that programs read as it is, such as a diff; only a terminal does not get its control characters.
    pub(crate) fn verbatim(&mut self, text: &str) -> Result<(), Trouble> {
        if !self.terminal {
            return Ok(self.write(text.as_bytes())?);
        }
        text.lines().try_for_each(|line| self.put(&line.split('\t').map(legible).collect::<Vec<_>>().join("\t")))
    }

    /// Prints JSON. Control characters stand in its strings only, where they may be escapes as well.
    pub(crate) fn json(&mut self, text: &str) -> Result<(), Trouble> {
        let mut safe = String::with_capacity(text.len());
        for letter in text.trim_end().chars() {
            match letter {
                '\n' => safe.push(letter),
                _ if letter.is_control() => safe.push_str(&format!("\\u{:04x}", u32::from(letter))),
                _ => safe.push(letter),
            }
        }
        self.put(&safe)
    }

    fn put(&mut self, text: &str) -> Result<(), Trouble> {
        Ok(self.write(format!("{text}\n").as_bytes())?)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.sink {
            Sink::Out => io::stdout().write_all(bytes),
            Sink::Pager(pager) => match &mut pager.stdin {
                Some(input) => input.write_all(bytes),
                None => Ok(()),
            },
            Sink::Held { text, lines, rows } => {
                text.extend_from_slice(bytes);
                *lines += bytes.iter().filter(|byte| **byte == b'\n').count();
                if lines > rows { self.page() } else { Ok(()) }
            }
        }
    }

    /// What is held does not fit: the pager gets it, or the terminal where there is no pager.
    fn page(&mut self) -> io::Result<()> {
        let next = pager().map_or(Sink::Out, Sink::Pager);
        if let Sink::Held { text, .. } = std::mem::replace(&mut self.sink, next) {
            self.write(&text)?;
        }
        Ok(())
    }

    /// Shows what was held back, and waits for whoever reads in a pager.
    pub(crate) fn finish(mut self) -> Result<(), Trouble> {
        // A pager is waited for when this is dropped.
        if let Sink::Held { text, .. } = &mut self.sink {
            io::stdout().write_all(&std::mem::take(text))?;
        }
        Ok(io::stdout().flush()?)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Sink::Pager(pager) = &mut self.sink {
            drop(pager.stdin.take());
            let _ = pager.wait();
        }
    }
}

/// Rows and columns of the terminal.
fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row.into(), size.ws_col.into()))
}

/// `$PAGER`, or `less`; an empty one and `cat` are none.
fn pager() -> Option<Child> {
    let wanted = env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    let mut words = wanted.split_whitespace();
    let program = words.next().filter(|program| *program != "cat")?;
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped());
    // Colours pass, and nothing can be started out of it: whoever reads may be root.
    if env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    command.env("LESSSECURE", "1").spawn().ok()
}
