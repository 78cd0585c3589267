//! How do sentences and commands fit the page? Broken at spaces, and commands so that a shell still takes them.

/// The longest line of a sentence; a command or a table may be two longer.
pub(crate) const WIDTH: usize = 78;

/// Holds a flag and its value together when a command is broken into lines.
const GLUE: &str = "\u{a0}";

/// The command as a person types it.
pub(crate) fn in_shell(arguments: &[&str]) -> String {
    arguments.iter().fold("kubectl".to_owned(), |command, word| {
        let is_flag = |word: &str| word.len() == 2 && word.starts_with('-');
        let gap = if command.rsplit([' ', '\u{a0}']).next().is_some_and(is_flag) { GLUE } else { " " };
        format!("{command}{gap}{}", quoted(word))
    })
}

/// The command behind a prompt, in as many lines as it needs.
pub(crate) fn continued(command: &str) -> Vec<String> {
    let prompt = format!("  $ {}", command.replace(GLUE, " "));
    if prompt.chars().count() <= WIDTH + 2 {
        return vec![prompt];
    }
    let lines = wrap(command, WIDTH - 6).join(" \\\n      ").replace(GLUE, " ");
    format!("  $ {lines}").lines().map(str::to_owned).collect()
}

/// As a shell wants it.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=,".contains(character);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

/// Lines of at most that many characters.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last =
            lines.last_mut().filter(|line| line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width);
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
