//! A line of output: parts with colours, folded to the width of a terminal.

/// How a part looks where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    /// All is well.
    Good,
    /// Refused, lost, switched off.
    Bad,
    /// To be looked at.
    Note,
    /// Less important than what stands beside it.
    Faint,
    Bold,
}

impl Paint {
    /// Parameter of the SGR sequence (ECMA-48, 8.3.117).
    fn code(self) -> Option<&'static str> {
        match self {
            Paint::Plain => None,
            Paint::Good => Some("32"),
            Paint::Bad => Some("1;31"),
            Paint::Note => Some("33"),
            Paint::Faint => Some("2"),
            Paint::Bold => Some("1"),
        }
    }
}

/// A line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    parts: Vec<(Paint, String)>,
    indent: usize,
}

impl<T: Into<String>> From<T> for Line {
    fn from(text: T) -> Line {
        Line::default().then(Paint::Plain, text)
    }
}

impl Line {
    /// The same with one more part.
    pub(crate) fn then(mut self, paint: Paint, text: impl Into<String>) -> Line {
        self.parts.push((paint, text.into()));
        self
    }

    /// The same; where it is folded, what follows begins at this column.
    pub(crate) fn hang(mut self, indent: usize) -> Line {
        self.indent = indent;
        self
    }

    /// What is printed for it.
    pub(crate) fn drawn(&self, colour: bool, columns: Option<usize>) -> String {
        let letters: Vec<(Paint, char)> = self
            .parts
            .iter()
            .flat_map(|(paint, text)| legible(text).chars().map(|letter| (*paint, letter)).collect::<Vec<_>>())
            .collect();
        let lines = folded(&letters, columns.unwrap_or(usize::MAX), self.indent);
        let gap = format!("\n{}", " ".repeat(self.indent));
        lines.into_iter().map(|line| painted(line, colour)).collect::<Vec<_>>().join(&gap)
    }
}

/// Breaks at spaces. A word that is longer than a line stays whole, so that it can be copied.
fn folded(letters: &[(Paint, char)], columns: usize, indent: usize) -> Vec<&[(Paint, char)]> {
    let (mut lines, mut rest, mut room) = (Vec::new(), letters, columns);
    // Not within what stands before the column at which the next lines begin.
    let mut from = indent;
    while rest.len() > room {
        let spaces = || rest.iter().enumerate().skip(from).filter(|(_, (_, letter))| *letter == ' ').map(|(at, _)| at);
        let Some(at) = spaces().take_while(|at| *at <= room).last().or_else(|| spaces().next()) else { break };
        let (line, more) = rest.split_at(at);
        lines.push(line);
        let next = more.iter().position(|(_, letter)| *letter != ' ').unwrap_or(more.len());
        (rest, room, from) = (more.get(next..).unwrap_or_default(), columns.saturating_sub(indent).max(1), 0);
    }
    lines.push(rest);
    lines
}

fn painted(letters: &[(Paint, char)], colour: bool) -> String {
    let mut text = String::new();
    for run in letters.chunk_by(|(one, _), (other, _)| one == other) {
        let words: String = run.iter().map(|(_, letter)| *letter).collect();
        match run.first().and_then(|(paint, _)| paint.code()) {
            Some(code) if colour => text.push_str(&format!("\x1b[{code}m{words}\x1b[0m")),
            _ => text.push_str(&words),
        }
    }
    text
}

/// A text without what acts on a terminal: control characters, and those that turn the direction of writing (Unicode's
/// Bidi_Control), with which a name could pretend to be another one.
pub(crate) fn legible(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        let turns =
            matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || turns { safe.extend(letter.escape_default()) } else { safe.push(letter) }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_acts_on_a_terminal() {
        let line = Line::from("a\u{1b}[2J\u{9b}1m\r\n").then(Paint::Bad, "b\u{202e}c\u{7f}");
        for colour in [true, false] {
            let text = line.drawn(colour, None).replace("\x1b[1;31m", "").replace("\x1b[0m", "");
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(text.contains("\\u{1b}[2J\\u{9b}1m\\r\\n") && text.ends_with("b\\u{202e}c\\u{7f}"), "{text}");
        }
    }

    #[test]
    fn a_long_line_is_folded_at_spaces_under_its_column() {
        let line = Line::from("label  ").then(Paint::Bad, "one two three four").hang(7);
        assert_eq!(line.drawn(false, Some(15)), "label  one two\n       three\n       four");
        assert_eq!(line.drawn(true, Some(15)).matches("\x1b[1;31m").count(), 3, "each line has its own colour");
        assert_eq!(line.drawn(false, None), "label  one two three four");
        let path = "/a/very/long/path/that/has/no/space";
        assert_eq!(Line::from(format!("in {path} it is")).drawn(false, Some(10)), format!("in\n{path}\nit is"));
    }
}
