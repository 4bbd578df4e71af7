//! One file being read, and what is wrong with it so far.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::capability::Catalogue;
use crate::place::{Lines, Place, Problem};

/// Longest offending text that is shown, characters.
const SHOWN_MAX: usize = 60;

pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    lines: Lines<'a>,
    catalogue: &'a Catalogue,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// `catalogue` is what names of capabilities are looked up in.
    pub(super) fn new(file: &'a str, text: &'a str, catalogue: &'a Catalogue) -> Reader<'a> {
        Reader { file, text, lines: Lines::new(text), catalogue, problems: Vec::new() }
    }

    pub(super) fn catalogue(&self) -> &'a Catalogue {
        self.catalogue
    }

    /// The place of a byte offset.
    pub(super) fn place(&self, offset: usize) -> Place {
        self.lines.place(self.file, offset)
    }

    pub(super) fn problem(&mut self, span: Range<usize>, text: &str, message: impl Into<String>) {
        let place = self.place(span.start);
        self.problems.push(Problem { place, message: message.into(), text: text.chars().take(SHOWN_MAX).collect() });
    }

    /// Refuses a value, showing a string without its quotes and anything else as it is written.
    pub(super) fn refuse(&mut self, value: &Spanned<DeValue<'_>>, message: impl Into<String>) {
        let written = self.written(value.span());
        let text = value.get_ref().as_str().unwrap_or(written).to_owned();
        self.problem(value.span(), &text, message);
    }

    /// Something that a table lacks; the table's own first line is shown.
    pub(super) fn missing(&mut self, table: &Spanned<DeValue<'_>>, message: &str) {
        let text = self.written(table.span()).to_owned();
        self.problem(table.span(), &text, message);
    }

    /// What the TOML parser says.
    pub(super) fn syntax(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or(0..0);
        let text = self.written(span.clone()).to_owned();
        self.problem(span, &text, error.message().trim());
    }

    fn written(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default().lines().next().unwrap_or_default()
    }

    /// Refuses every key that is not known here.
    pub(super) fn keys(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            self.problem(key.span(), key.get_ref(), format!("unknown key, expected one of {}", known.join(", ")));
        }
    }

    pub(super) fn table<'v, 'i>(&mut self, value: &'v Spanned<DeValue<'i>>, expected: &str) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.refuse(value, expected);
        }
        table
    }

    /// The elements of an array that has some.
    pub(super) fn array<'v, 'i>(
        &mut self,
        value: &'v Spanned<DeValue<'i>>,
        expected: &str,
    ) -> Option<&'v [Spanned<DeValue<'i>>]> {
        match value.get_ref() {
            DeValue::Array(array) if !array.is_empty() => Some(array),
            _ => {
                self.refuse(value, expected);
                None
            }
        }
    }

    pub(super) fn string<'v>(&mut self, value: &'v Spanned<DeValue<'_>>, expected: &str) -> Option<&'v str> {
        let string = value.get_ref().as_str();
        if string.is_none() {
            self.refuse(value, expected);
        }
        string
    }
}
