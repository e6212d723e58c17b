//! The Python files of a pack as syntax trees: what each module binds at its top level, and which file an import means.
//! Knows nothing of values; the worker's importer (`iota_worker/snapshot.py`) follows the same rules.

use super::depth::is_shallow;
use super::ir::Place;
use super::scope::{Scope, bound_by_import, mangled};
use super::stdlib::is_module_of_python;
use crate::rule::Snapshot;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Expr, Stmt, StmtImportFrom, Suite};
use ruff_python_parser::{Mode, ParseOptions, parse_module, parse_unchecked};
use ruff_text_size::Ranged;
use std::collections::{BTreeMap, BTreeSet};

/// Index of a module.
pub(super) type ModuleId = usize;

/// What a name of a module is bound to when the module has been loaded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Binding {
    /// By the statement at this position of the module, and by no other.
    Once(usize),
    /// By several statements, in a block, or in a way that is not followed.
    Unclear,
}

#[derive(Debug)]
pub(super) struct Module {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) body: Suite,
    pub(super) bindings: BTreeMap<String, Binding>,
    /// Names that functions bind through `global`.
    rebound: BTreeSet<String>,
    /// It has `from x import *`.
    pub(super) star: bool,
    /// Its import statements, wherever they stand: leading dots, name of the module, and what is taken from it.
    imports: Vec<(u32, String, Vec<String>)>,
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) line: u32,
    pub(super) why: String,
    /// It is not Python at all.
    pub(super) is_syntax: bool,
}

/// The innermost bracket that is open at the end of a text.
fn unclosed_bracket(text: &str) -> Option<(usize, &str)> {
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module));
    let mut open = Vec::new();
    for token in parsed.tokens() {
        match token.kind() {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => open.push(token.range()),
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => _ = open.pop(),
            _ => {}
        }
    }
    open.pop().map(|range| (range.start().to_usize(), &text[range]))
}

impl Module {
    fn read(path: &str, bytes: &[u8]) -> Result<Self, Unreadable> {
        let unreadable = |why: &str, line: usize, is_syntax| {
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            Err(Unreadable { line, why: why.to_owned(), is_syntax })
        };
        let Ok(text) = str::from_utf8(bytes) else { return unreadable("the file is not UTF-8", 1, false) };
        // Python reads all line ends as one, also inside literals.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
        // Only UTF-8 is read; a coding cookie (PEP 263) that says otherwise would change the literals.
        let cookie = |line: &str| line.contains("coding") && !line.to_ascii_lowercase().contains("utf-8");
        if let Some(at) = text.lines().take(2).position(cookie) {
            return unreadable("the file says that it is not UTF-8", at + 1, false);
        }
        // A form feed starts the indentation of a line anew.
        if let Some(at) = text.find(['\0', '\x0C']) {
            let line = text[..at].matches('\n').count() + 1;
            return unreadable("a form feed or NUL", line, false);
        }
        if !is_shallow(&text) {
            return unreadable("the file nests too deeply", 1, false);
        }
        let body = match parse_module(&text) {
            Ok(parsed) => parsed.into_suite(),
            Err(error) => {
                let line = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
                // As CPython tells it: not where the file ended, but what was to be closed before.
                return match unclosed_bracket(&text) {
                    Some((at, bracket)) if line(at) < line(error.location.start().to_usize()) => {
                        unreadable(&format!("`{bracket}` was never closed"), line(at), true)
                    }
                    _ => unreadable(&error.error.to_string(), line(error.location.start().to_usize()), true),
                };
            }
        };
        let mut scope = Scope::default();
        scope.visit_body(&body);
        let star = body.iter().any(imports_star) || scope.star;
        let mut bindings: BTreeMap<String, Binding> = scope.bound.into_iter().map(|name| (name, Binding::Unclear)).collect();
        let mut counted: BTreeMap<&str, u32> = BTreeMap::new();
        let simple: Vec<(usize, String)> = body
            .iter()
            .enumerate()
            .flat_map(|(at, statement)| simple_names(statement).into_iter().map(move |name| (at, name)))
            .collect();
        for (_, name) in &simple {
            *counted.entry(name).or_default() += 1;
        }
        for (at, name) in &simple {
            let all = scope.count.get(name).copied().unwrap_or(0);
            if counted.get(name.as_str()) == Some(&1) && all == 1 {
                bindings.insert(name.clone(), Binding::Once(*at));
            }
        }
        let mut imports = Imports::default();
        imports.visit_body(&body);
        let imports = imports.found;
        let mut globals = Globals::default();
        globals.visit_body(&body);
        let rebound = globals.declared;
        for name in &rebound {
            bindings.insert(name.clone(), Binding::Unclear);
        }
        Ok(Self { path: path.to_owned(), text, body, bindings, rebound, star, imports })
    }

    pub(super) fn is_rebound(&self, name: &str) -> bool {
        self.rebound.contains(name)
    }

    fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

fn imports_star(statement: &Stmt) -> bool {
    matches!(statement, Stmt::ImportFrom(import) if import.names.iter().any(|alias| alias.name.as_str() == "*"))
}

/// The names that a statement binds in a way that is followed.
fn simple_names(statement: &Stmt) -> Vec<String> {
    let name = |expr: &Expr| expr.as_name_expr().map(|name| name.id.as_str().to_owned());
    match statement {
        Stmt::FunctionDef(function) => vec![function.name.as_str().to_owned()],
        Stmt::ClassDef(class) => vec![class.name.as_str().to_owned()],
        Stmt::Assign(assign) if assign.targets.len() == 1 => name(&assign.targets[0]).into_iter().collect(),
        Stmt::AnnAssign(assign) if assign.value.is_some() => name(&assign.target).into_iter().collect(),
        Stmt::Import(import) => import.names.iter().map(bound_by_import).collect(),
        Stmt::ImportFrom(import) => import.names.iter().map(bound_by_import).collect(),
        _ => Vec::new(),
    }
}

/// Collects what functions, at any depth, declare `global`.
#[derive(Default)]
struct Globals<'a> {
    declared: BTreeSet<String>,
    /// The innermost class.
    class: Option<&'a str>,
}

impl<'a> Visitor<'a> for Globals<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Global(global) = statement {
            let meant = |name: &str| self.class.and_then(|class| mangled(class, name)).unwrap_or_else(|| name.to_owned());
            self.declared.extend(global.names.iter().map(|name| meant(name)));
        }
        let outer = self.class;
        if let Stmt::ClassDef(class) = statement {
            self.class = Some(&class.name);
        }
        walk_stmt(self, statement);
        self.class = outer;
    }
}

/// Collects import statements.
#[derive(Default)]
struct Imports {
    found: Vec<(u32, String, Vec<String>)>,
}

impl<'a> Visitor<'a> for Imports {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                self.found.extend(import.names.iter().map(|alias| (0, alias.name.as_str().to_owned(), Vec::new())));
            }
            Stmt::ImportFrom(import) => {
                let name = import.module.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default();
                let items = import.names.iter().map(|alias| alias.name.as_str().to_owned()).collect();
                self.found.push((import.level, name, items));
            }
            _ => walk_stmt(self, statement),
        }
    }
}

/// A file (`helpers/base.py`), or a directory with a slash at the end (`helpers/aws/`); the root is empty.
type Node = String;

/// What `import` or an attribute of a module leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Imported {
    /// A module of the pack, or a directory without `__init__.py`.
    Pack(Node),
    /// A module of the interpreter, by its dotted name.
    Outside(String),
    /// It cannot be told.
    Unclear,
}

#[derive(Debug)]
pub(super) struct Sources {
    pub(super) modules: Vec<Module>,
    by_path: BTreeMap<String, ModuleId>,
    directories: BTreeSet<String>,
    /// Ids of global modules and their files, in the pack's order.
    globals: Vec<(String, String)>,
    /// By path.
    pub(super) unreadable: BTreeMap<String, Unreadable>,
}

impl Sources {
    /// `globals`: ids of global modules and their files.
    pub(super) fn read(snapshot: &Snapshot, globals: impl Iterator<Item = (String, String)>) -> Self {
        let mut sources = Self {
            modules: Vec::new(),
            by_path: BTreeMap::new(),
            directories: BTreeSet::new(),
            globals: globals.collect(),
            unreadable: BTreeMap::new(),
        };
        for (path, bytes) in snapshot.python() {
            for (at, _) in path.match_indices('/') {
                sources.directories.insert(path[..at].to_owned());
            }
            match Module::read(path, bytes) {
                Ok(module) => {
                    sources.by_path.insert(path.to_owned(), sources.modules.len());
                    sources.modules.push(module);
                }
                Err(why) => {
                    sources.unreadable.insert(path.to_owned(), why);
                }
            }
        }
        sources
    }

    pub(super) fn module(&self, path: &str) -> Option<ModuleId> {
        self.by_path.get(path).copied()
    }

    /// The module of a node; `None` for a directory without `__init__.py`, or a file that could not be read.
    pub(super) fn module_of(&self, node: &str) -> Option<ModuleId> {
        if node.is_empty() || node.ends_with('/') { self.module(&format!("{node}__init__.py")) } else { self.module(node) }
    }

    /// The node of a package by the path of its `__init__.py`.
    pub(super) fn package(&self, module: ModuleId) -> Option<Node> {
        self.modules[module]
            .path
            .strip_suffix("__init__.py")
            .filter(|node| node.is_empty() || node.ends_with('/'))
            .map(str::to_owned)
    }

    /// The nodes that an import statement loads.
    fn loaded(&self, importer: ModuleId, (level, name, items): &(u32, String, Vec<String>)) -> Vec<Node> {
        let mut parts = name.split('.').filter(|part| !part.is_empty());
        let directory = self.modules[importer].directory();
        let first = match level {
            0 => parts.next().and_then(|first| self.find(first, directory)),
            level => {
                let up = (1..*level).try_fold(directory, |directory, _| {
                    (!directory.is_empty()).then(|| directory.rsplit_once('/').map_or("", |(parent, _)| parent))
                });
                up.map(|directory| if directory.is_empty() { String::new() } else { format!("{directory}/") })
            }
        };
        let mut nodes: Vec<Node> = first.into_iter().collect();
        while let Some(part) = nodes.last().and_then(|_| parts.next()) {
            match nodes.last().and_then(|node| self.child(node, part)) {
                Some(child) => nodes.push(child),
                None => return nodes,
            }
        }
        if let Some(last) = nodes.last().cloned() {
            nodes.extend(items.iter().filter_map(|item| self.child(&last, item)));
        }
        nodes
    }

    /// Whether a module, or one that it imports, may import another one.
    pub(super) fn reaches(&self, from: ModuleId, to: ModuleId) -> bool {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![from];
        while let Some(module) = waiting.pop() {
            if module == to {
                return true;
            }
            if seen.insert(module) {
                let nodes = self.modules[module].imports.iter().flat_map(|import| self.loaded(module, import));
                waiting.extend(nodes.filter_map(|node| self.module_of(&node)));
            }
        }
        false
    }

    /// Whether a module certainly loads a node, by a statement at its top level.
    pub(super) fn loads(&self, module: ModuleId, node: &str) -> bool {
        let mut imports = Imports::default();
        let own = &self.modules[module].body;
        own.iter()
            .filter(|statement| matches!(statement, Stmt::Import(_) | Stmt::ImportFrom(_)))
            .for_each(|statement| imports.visit_stmt(statement));
        imports.found.iter().any(|import| self.loaded(module, import).iter().any(|loaded| loaded == node))
    }

    /// Whether any module of the pack imports a module of this name.
    pub(super) fn imports_outside(&self, name: &str) -> bool {
        self.modules.iter().any(|module| module.imports.iter().any(|(_, imported, _)| imported.split('.').next() == Some(name)))
    }

    fn exists(&self, path: &str) -> bool {
        self.by_path.contains_key(path) || self.unreadable.contains_key(path)
    }

    /// A place as people write it: `helpers/base.py:12`.
    pub(super) fn written(&self, place: Place) -> String {
        let module = &self.modules[place.module];
        let line = module.text[..place.offset.to_usize()].matches('\n').count() + 1;
        format!("{}:{line}", module.path)
    }

    /// Where a module binds a name at its top level.
    pub(super) fn place_of(&self, module: ModuleId, name: &str) -> Option<Place> {
        let Some(Binding::Once(at)) = self.modules[module].bindings.get(name) else { return None };
        Some(Place { module, offset: self.modules[module].body[*at].range().start() })
    }

    /// What `import NAME` binds, without an alias (the first part) or with one (the last).
    pub(super) fn import(&self, importer: ModuleId, name: &str, whole: bool) -> Imported {
        let mut parts = name.split('.');
        let first = parts.next().unwrap_or_default();
        let Some(mut node) = self.find(first, self.modules[importer].directory()) else {
            return Imported::Outside(if whole { name.to_owned() } else { first.to_owned() });
        };
        if is_module_of_python(first) {
            return Imported::Unclear;
        }
        for part in parts.filter(|_| whole) {
            match self.child(&node, part) {
                Some(child) => node = child,
                None => return Imported::Unclear,
            }
        }
        Imported::Pack(node)
    }

    /// The module that `from X import ...` names.
    pub(super) fn import_from(&self, importer: ModuleId, import: &StmtImportFrom) -> Imported {
        let name = import.module.as_ref().map(ruff_python_ast::Identifier::as_str).unwrap_or_default();
        if import.level == 0 {
            return self.import(importer, name, true);
        }
        let mut directory = self.modules[importer].directory();
        for _ in 1..import.level {
            if directory.is_empty() {
                return Imported::Unclear;
            }
            directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        let mut node = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        for part in name.split('.').filter(|part| !part.is_empty()) {
            match self.child(&node, part) {
                Some(child) => node = child,
                None => return Imported::Unclear,
            }
        }
        Imported::Pack(node)
    }

    fn find(&self, name: &str, directory: &str) -> Option<Node> {
        let mut search: Vec<&str> = Vec::new();
        let mut parent = directory;
        while !parent.is_empty() {
            search.push(parent);
            parent = parent.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        search.extend(["", "helpers"]);
        search.extend(self.globals.iter().map(|(_, path)| path.rsplit_once('/').map_or("", |(directory, _)| directory)));
        let join = |directory: &str| if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
        let file = search.iter().find_map(|directory| {
            let base = join(directory);
            if self.exists(&format!("{base}/__init__.py")) {
                Some(format!("{base}/"))
            } else {
                Some(format!("{base}.py")).filter(|path| self.exists(path))
            }
        });
        file.or_else(|| self.globals.iter().rev().find(|(id, _)| id == name).map(|(_, path)| path.clone())).or_else(|| {
            search.iter().map(|directory| join(directory)).find(|path| self.directories.contains(path)).map(|path| path + "/")
        })
    }

    /// The module `name` inside a package.
    pub(super) fn child(&self, node: &str, name: &str) -> Option<Node> {
        if !(node.is_empty() || node.ends_with('/')) {
            return None;
        }
        let base = format!("{node}{name}");
        if self.exists(&format!("{base}/__init__.py")) {
            return Some(base + "/");
        }
        let file = format!("{base}.py");
        if self.exists(&file) {
            return Some(file);
        }
        self.directories.contains(&base).then(|| base + "/")
    }
}
