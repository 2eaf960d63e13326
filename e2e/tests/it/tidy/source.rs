//! What a source file names, read from its text without a compiler: comments, texts and what is compiled for tests only are left
//! out.

use std::collections::BTreeSet;

/// The names in a file.
#[derive(Default)]
pub struct Source {
    /// Modules that are files of their own.
    pub children: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Paths of more than one name, imports aside.
    pub paths: BTreeSet<Vec<String>>,
    /// Single names, imports aside.
    pub words: BTreeSet<String>,
}

/// An import of a name.
pub struct Import {
    pub is_public: bool,
    pub path: Vec<String>,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    /// `::`
    Step,
    Sign(char),
}

impl Source {
    pub fn of(text: &str) -> Self {
        let tokens = without_tests(tokens(text));
        let (mut source, mut at) = (Self::default(), 0);
        // Depths of braces at which modules within the file begin.
        let (mut depth, mut within) = (0, Vec::new());
        while at < tokens.len() {
            match (&tokens[at], tokens.get(at + 1), tokens.get(at + 2)) {
                (Token::Word(word), Some(next), _) if word == "use" && *next != Token::Sign('<') => {
                    let is_public = match at.checked_sub(1).map(|before| &tokens[before]) {
                        Some(Token::Word(before)) => before == "pub",
                        before => before == Some(&Token::Sign(')')),
                    };
                    at += 1;
                    let mut paths = Vec::new();
                    tree(&tokens, &mut at, &[], &mut paths);
                    paths.retain_mut(|(path, _)| leave(path, within.len()));
                    source.imports.extend(paths.into_iter().map(|(path, name)| Import { is_public, path, name }));
                }
                (Token::Word(word), Some(Token::Word(name)), Some(Token::Sign(sign))) if word == "mod" => {
                    match sign {
                        ';' => drop(source.children.insert(name.clone())),
                        _ => {
                            within.push(depth);
                            depth += 1;
                        }
                    }
                    at += 3;
                }
                (Token::Word(_), ..) => {
                    let mut path = Vec::new();
                    let is_inner = at > 0 && tokens[at - 1] == Token::Step;
                    while let Some(Token::Word(word)) = tokens.get(at) {
                        path.push(word.clone());
                        let goes_on = tokens.get(at + 1) == Some(&Token::Step)
                            && matches!(tokens.get(at + 2), Some(Token::Word(_)));
                        at += if goes_on { 2 } else { 1 };
                        if !goes_on {
                            break;
                        }
                    }
                    source.words.insert(path[0].clone());
                    if !is_inner && path.len() > 1 && leave(&mut path, within.len()) {
                        source.paths.insert(path);
                    }
                }
                (sign, ..) => {
                    match sign {
                        Token::Sign('{') => depth += 1,
                        Token::Sign('}') => {
                            depth -= 1;
                            if within.last() == Some(&depth) {
                                within.pop();
                            }
                        }
                        _ => {}
                    }
                    at += 1;
                }
            }
        }
        source
    }

    /// Every path, written out as far as the imports tell: those of imports themselves too.
    pub fn whole_paths(&self) -> impl Iterator<Item = Vec<String>> {
        let written_out = |path: &Vec<String>| {
            let import = self.imports.iter().find(|import| import.name == path[0]);
            import.map_or_else(|| path.clone(), |import| [import.path.as_slice(), &path[1..]].concat())
        };
        self.imports.iter().map(|import| import.path.clone()).chain(self.paths.iter().map(written_out))
    }
}

/// Makes a path of a module within the file one of the file; false where it stays in that module.
fn leave(path: &mut Vec<String>, depth: usize) -> bool {
    let up = path.iter().take_while(|name| *name == "super").count();
    match (depth, path.first().map(String::as_str)) {
        (0, _) | (_, Some("crate")) => true,
        (_, Some("super")) if up >= depth => {
            path.drain(..depth);
            if up == depth {
                path.insert(0, "self".to_owned());
            }
            true
        }
        _ => false,
    }
}

/// The paths of an import, each with the name that it gets; `at` is moved to its end.
fn tree(tokens: &[Token], at: &mut usize, before: &[String], into: &mut Vec<(Vec<String>, String)>) {
    let mut path = before.to_vec();
    loop {
        match tokens.get(*at) {
            Some(Token::Word(word)) if word == "as" => {
                if let (Some((_, name)), Some(Token::Word(other))) = (into.last_mut(), tokens.get(*at + 1)) {
                    name.clone_from(other);
                }
                *at += 2;
            }
            Some(Token::Word(word)) => {
                path.push(word.clone());
                *at += 1;
                if tokens.get(*at) != Some(&Token::Step) {
                    let is_self = word == "self" && path.len() > 1;
                    path.truncate(path.len() - usize::from(is_self));
                    into.push((path.clone(), path.last().cloned().unwrap_or_default()));
                }
            }
            Some(Token::Sign('*')) => {
                into.push(([path.as_slice(), &["*".to_owned()]].concat(), "*".to_owned()));
                *at += 1;
            }
            Some(Token::Step) => *at += 1,
            Some(Token::Sign('{')) => {
                *at += 1;
                while tokens.get(*at) != Some(&Token::Sign('}')) {
                    let before = *at;
                    tree(tokens, at, &path, into);
                    // A comma, or what no import has.
                    *at += usize::from(*at == before || tokens.get(*at) == Some(&Token::Sign(',')));
                    if *at >= tokens.len() {
                        return;
                    }
                }
                *at += 1;
            }
            _ => return,
        }
    }
}

/// Without what is compiled for tests only.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mark: Vec<Token> = self::tokens("#[cfg(test)]");
    let (mut kept, mut at) = (Vec::with_capacity(tokens.len()), 0);
    while at < tokens.len() {
        if !tokens[at..].starts_with(&mark) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += mark.len();
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                Token::Sign('{' | '(' | '[') => depth += 1,
                Token::Sign(')' | ']') => depth -= 1,
                Token::Sign('}') => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                Token::Sign(';') if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

/// Words and signs, without comments, texts and characters.
fn tokens(text: &str) -> Vec<Token> {
    let letters: Vec<char> = text.chars().collect();
    let is_word = |letter: &char| letter.is_alphanumeric() || *letter == '_';
    let ends = |at: usize, what: &str| {
        let what: Vec<char> = what.chars().collect();
        (at..letters.len()).find(|at| letters[*at..].starts_with(&what)).map_or(letters.len(), |at| at + what.len())
    };
    let (mut found, mut at) = (Vec::new(), 0);
    while at < letters.len() {
        let rest = &letters[at..];
        match rest {
            ['/', '/', ..] => at = ends(at, "\n"),
            ['/', '*', ..] => at = ends(at, "*/"),
            [':', ':', ..] => {
                found.push(Token::Step);
                at += 2;
            }
            ['"', ..] => {
                at += 1;
                while at < letters.len() && letters[at] != '"' {
                    at += 1 + usize::from(letters[at] == '\\');
                }
                at += 1;
            }
            ['\'', '\\', ..] => at = ends(at + 3, "'"),
            ['\'', _, '\'', ..] => at += 3,
            // A lifetime.
            ['\'', ..] => at += 1 + rest[1..].iter().take_while(|letter| is_word(letter)).count(),
            [letter, ..] if is_word(letter) => {
                let length = rest.iter().take_while(|letter| is_word(letter)).count();
                let word: String = rest[..length].iter().collect();
                let hashes = rest[length..].iter().take_while(|letter| **letter == '#').count();
                let is_raw = ["r", "br"].contains(&word.as_str()) && rest.get(length + hashes) == Some(&'"');
                at += length;
                if is_raw {
                    at = ends(at + hashes + 1, &format!("\"{}", "#".repeat(hashes)));
                } else {
                    found.push(Token::Word(word));
                }
            }
            [letter, ..] => {
                if !letter.is_whitespace() {
                    found.push(Token::Sign(*letter));
                }
                at += 1;
            }
            [] => break,
        }
    }
    found
}
