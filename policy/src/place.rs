//! Where something stands in a policy file, and what is wrong there.

use std::fmt;

/// A line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as the operator named it.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

impl Place {
    /// The place of a byte offset in a text.
    pub fn at(file: &str, text: &str, offset: usize) -> Place {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Place { file: file.to_owned(), line: before.matches('\n').count() + 1, column }
    }
}

/// Where the lines of a text begin, for many questions about one text.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Finds them.
    pub fn new(text: &'a str) -> Lines<'a> {
        Lines { text, starts: [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect() }
    }

    /// What [`Place::at`] says.
    pub fn place(&self, file: &str, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = self.starts.partition_point(|start| *start <= before.len());
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied().unwrap_or(0);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        Place { file: file.to_owned(), line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Something that keeps a policy from being applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What was expected.
    pub message: String,
    /// The offending text; empty where there is none.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.message)?;
        if self.text.is_empty() { Ok(()) } else { write!(out, ": `{}`", self.text.escape_debug()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let text = "a = 1\nnamé = 2\n";
        assert_eq!(Place::at("f", text, 0).to_string(), "f:1:1");
        let offset = text.find('2').unwrap_or_default();
        assert_eq!(Place::at("f", text, offset).to_string(), "f:2:8");
        for text in [text, "", "\n", "a", "a\n\nb", "\n\n"] {
            for offset in 0..text.len() + 2 {
                assert_eq!(Lines::new(text).place("f", offset), Place::at("f", text, offset), "{text:?} {offset}");
            }
        }
    }
}
