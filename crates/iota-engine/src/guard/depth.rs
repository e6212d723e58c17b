//! How deeply a source nests, from its tokens alone: everything behind the parser recurses, and rules may be hostile.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer::lex};

/// Deepest nesting that is analysed. CPython itself refuses 200 open brackets.
const MAX_DEPTH: usize = 100;

/// Whether no expression and no block of the source can nest deeper than `MAX_DEPTH`.
pub(super) fn is_shallow(source: &str) -> bool {
    let mut lexer = lex(source, Mode::Module);
    // Since the last comma: what may stand inside one another, by open bracket.
    let mut chains = vec![0_usize];
    let mut indents = 0_usize;
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return true,
            TokenKind::Indent => indents += 1,
            TokenKind::Dedent => indents = indents.saturating_sub(1),
            TokenKind::Newline => chains = vec![0],
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace | TokenKind::FStringStart | TokenKind::TStringStart => {
                chains.push(1);
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace | TokenKind::FStringEnd | TokenKind::TStringEnd => {
                chains.pop();
                // A call or an index of what stands before it.
                match chains.last_mut() {
                    Some(chain) => *chain += 1,
                    None => chains.push(0),
                }
            }
            TokenKind::Comma => {
                if let Some(chain) = chains.last_mut() {
                    *chain = 0;
                }
            }
            kind if kind == TokenKind::Dot || kind.is_operator() || kind.is_keyword() => {
                if let Some(chain) = chains.last_mut() {
                    *chain += 1;
                }
            }
            _ => {}
        }
        if chains.iter().sum::<usize>() > MAX_DEPTH || indents > MAX_DEPTH / 4 {
            return false;
        }
    }
}
