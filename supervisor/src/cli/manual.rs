//! Man pages and completions, made of the commands themselves.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::client::Trouble;
use super::commands::Arguments;
use super::screen::Screen;
use crate::{CANNOT, GOOD};

/// Shells whose completions are installed, and the names of the files that these look for.
const SHELLS: [(Shell, &str); 3] =
    [(Shell::Bash, "bartizan.bash"), (Shell::Zsh, "_bartizan"), (Shell::Fish, "bartizan.fish")];

fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut for_people(), "bartizan", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The commands without those that only Bartizan itself uses, which bash's completions would offer.
fn for_people() -> Command {
    let all = Arguments::command();
    let shown = all.get_subcommands().filter(|one| !one.is_hide_set()).cloned();
    Command::new("bartizan").args(all.get_arguments().cloned()).subcommands(shown)
}

/// `bartizan completions`.
pub(super) fn print(shell: Shell) -> Result<u8, Trouble> {
    let mut screen = Screen::new();
    screen.verbatim(&completions(shell))?;
    screen.finish()?;
    Ok(GOOD)
}

/// Writes everything into a directory. Files are named as `dist/files` has them.
pub(super) fn write(directory: &Path) -> Result<u8, Trouble> {
    let told = |error: std::io::Error| Trouble::new(CANNOT, format!("{}: {error}", directory.display()));
    fs::create_dir_all(directory).map_err(told)?;
    for (shell, name) in SHELLS {
        fs::write(directory.join(name), completions(shell)).map_err(told)?;
    }
    clap_mangen::generate_to(Arguments::command(), directory).map_err(told)?;
    clap_mangen::Man::new(daemon()).section("8").generate_to(directory).map_err(told)?;
    Ok(GOOD)
}

fn daemon() -> Command {
    crate::daemon::Arguments::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command that people see, by its words.
    fn commands(command: &Command, words: &str, found: &mut Vec<(String, Command)>) {
        found.push((words.to_owned(), command.clone()));
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            commands(below, &format!("{words} {}", below.get_name()), found);
        }
    }

    fn all() -> Vec<(String, Command)> {
        let mut found = Vec::new();
        let mut all =
            for_people().disable_help_subcommand(true).max_term_width(80).after_help(super::super::examples::ALL);
        all.build();
        commands(&all, "bartizan", &mut found);
        found
    }

    /// The words of a line of shell, up to a pipe, a redirection or what explains it.
    fn words(line: &str) -> Vec<String> {
        let line = line.split("   ").next().unwrap_or_default();
        let line = line.split(" | ").find(|part| part.trim_start().starts_with("bartizan")).unwrap_or(line);
        let line = line.split(" > ").next().unwrap_or_default();
        let quoted = line.trim().split('"').enumerate();
        quoted
            .flat_map(|(at, part)| match at % 2 {
                0 => part.split_whitespace().map(str::to_owned).collect(),
                _ => vec![part.to_owned()],
            })
            .collect()
    }

    #[test]
    fn every_command_has_examples_that_it_takes() {
        for (name, mut command) in all() {
            let help = command.render_long_help().to_string();
            let examples: Vec<&str> =
                help.lines().filter(|line| line.starts_with("  bartizan ") || line.contains("| bartizan ")).collect();
            assert!(help.contains("Examples:") && !examples.is_empty(), "{name} has no examples:\n{help}");
            for line in examples {
                let words = words(line);
                assert!(words.join(" ").starts_with(&name), "`{line}` is no example of {name}: {words:?}");
                let taken = Arguments::command().try_get_matches_from(&words);
                assert!(taken.is_ok(), "{words:?}: {}", taken.err().map(|error| error.to_string()).unwrap_or_default());
            }
        }
    }

    #[test]
    fn help_fits_eighty_columns() {
        for (name, mut command) in all() {
            let help = command.render_long_help().to_string();
            // An example of one line stays one, so that it can be copied.
            let wide = help.lines().find(|line| line.chars().count() > 80 && !line.starts_with("  bartizan "));
            assert_eq!(wide, None, "{name}");
        }
    }

    #[test]
    fn what_is_written_is_what_is_installed() {
        let place = tempfile::tempdir().unwrap();
        write(place.path()).unwrap();
        let list = include_str!("../../dist/files");
        let installed: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let installed: Vec<&str> = installed.iter().filter_map(|source| source.strip_prefix("manual/")).collect();
        let mut written: Vec<String> = fs::read_dir(place.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        written.sort();
        let mut listed: Vec<String> = installed.iter().map(|name| (*name).to_owned()).collect();
        listed.sort();
        assert_eq!(listed, written, "supervisor/dist/files lists what `bartizan manual` writes");
        let page = fs::read_to_string(place.path().join("bartizan-policy-apply.1")).unwrap();
        assert!(page.contains("confirm") && page.contains("Examples"), "{page}");
        for (_, name) in SHELLS {
            let text = fs::read_to_string(place.path().join(name)).unwrap();
            assert!(text.contains("rollback") && !text.contains("selftest-act"), "{name} completes what people see");
        }
    }
}
