//! Packs that Python has seen: which rules run, and what is wrong with the others.

use super::directory::{DirectoryError, packs_below, read_snapshot};
use super::refused::{self, Refused};
use super::side_by_side::side_by_side;
use crate::config::{ConfigError, Settings};
use iota_engine::guard::Guards;
use iota_engine::index::Router;
use iota_engine::rule::{Failure, Level, Loaded, LoadedRule, PACK_FILES, Pack, Rule};
use iota_engine::text::did_you_mean;
use iota_engine::yaml::{self, Step};
use iota_python::{Interpreter, InterpreterError, LoadCache, LoadError, PackRunner, Program, Sandbox, SandboxError, StartError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum RulesError {
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("{pack}: {error}")]
    Load { pack: String, error: LoadError },
    #[error("{0}")]
    Pack(String),
    #[error("iota was asked to end while it loaded the rules")]
    Stopped,
}

/// What workers are started with.
#[derive(Debug, Clone)]
pub struct Python {
    pub program: Program,
    pub cache: Option<LoadCache>,
}

/// Which rules of a pack are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Enabled,
    /// Also those that are disabled: they are tested and checked all the same.
    All,
}

#[derive(Debug)]
pub struct LoadedPack {
    pub directory: PathBuf,
    pub pack: Pack,
    pub loaded: Loaded,
    /// Indices of the rules that run.
    pub runnable: Vec<u16>,
}

impl LoadedPack {
    pub fn rule(&self, index: u16) -> &Rule {
        &self.pack.rules[usize::from(index)]
    }

    pub fn runner(&self, python: &Python) -> PackRunner {
        PackRunner::new(python.program.clone(), &self.pack, &self.runnable, self.loaded.prepared.as_ref())
    }

    /// For tests of its rules.
    pub fn test_runner(&self, python: &Python) -> PackRunner {
        PackRunner::for_tests(python.program.clone(), &self.pack, &self.runnable, self.loaded.prepared.as_ref())
    }

    /// Whether a rule keeps state between records.
    pub fn uses_state(&self, index: u16) -> bool {
        self.report_of(index).is_some_and(|rule| rule.uses_state)
    }

    fn report_of(&self, index: u16) -> Option<&LoadedRule> {
        // A load report is in order of the rules.
        let at = self.loaded.rules.binary_search_by_key(&index, |rule| rule.index).ok()?;
        Some(&self.loaded.rules[at])
    }

    /// Finds the candidates of records among the rules of this pack alone, which is then pack 0.
    pub fn router(&self) -> Router {
        Router::new(self.runnable.iter().map(|&rule| (0, rule)).collect(), vec![self.guards()], 0.0)
    }

    /// What the source of the rules that run says of the records they can match.
    pub fn guards(&self) -> Guards {
        let mut guards = Guards::analyse(&self.pack, &self.runnable);
        for &rule in &self.runnable {
            guards.confirm(rule, self.report_of(rule).and_then(|rule| rule.defined_at));
        }
        guards
    }

    /// Problems because of which something does not run as written.
    pub fn errors(&self) -> impl Iterator<Item = &iota_engine::rule::Problem> {
        // A flaw in a test is for `check` and `test`; it keeps nothing from running.
        self.pack.problems.iter().filter(|problem| problem.level == Level::Error && !problem.code.starts_with("test-"))
    }
}

/// Reads packs without starting Python. Fails where a pack as a whole cannot be used.
pub fn read_packs(directories: &[PathBuf], settings: &Settings) -> Result<Vec<(PathBuf, Pack)>, RulesError> {
    let mut packs: Vec<(PathBuf, Pack)> = Vec::new();
    for directory in directories {
        let below = packs_below(directory)?;
        if let Some(first) = below.first().filter(|first| *first != directory) {
            let (directory, first) = (directory.display(), first.display());
            return Err(RulesError::Pack(format!(
                "rules: {directory} is no pack but holds some; name each, e.g. --rules {first}"
            )));
        }
        let snapshot = read_snapshot(directory)?;
        refused::check(directory, &snapshot, settings)?;
        let mut pack = Pack::read(&directory_name(directory), snapshot, env!("CARGO_PKG_VERSION"));
        if let Some(problem) =
            pack.problems.iter().find(|problem| problem.level == Level::Error && PACK_FILES.contains(&problem.path.as_str()))
        {
            return Err(RulesError::Pack(format!(
                "{}/{}:{}: {}",
                directory.display(),
                problem.path,
                problem.line.max(1),
                problem.message
            )));
        }
        if let Some((other, _)) = packs.iter().find(|(_, other)| other.name == pack.name) {
            let (here, there, name) = (directory.display(), other.display(), &pack.name);
            return Err(RulesError::Pack(format!(
                "rules: {here} and {there} are both packs named `{name}`; set `name:` in a pack.yaml"
            )));
        }
        if let Some(config) = settings.packs.get(&pack.name) {
            pack.configure(&config.config).map_err(RulesError::Pack)?;
        }
        packs.push((directory.clone(), pack));
    }
    unique_across(&mut packs);
    apply_overrides(&mut packs, settings);
    nothing_unknown(&packs, settings)?;
    Ok(packs)
}

/// Reads packs and has Python load them, several at once: one that takes its time keeps others from nothing but the end.
pub fn load_packs(
    directories: &[PathBuf],
    settings: &Settings,
    python: &Python,
    which: Which,
) -> Result<Vec<LoadedPack>, RulesError> {
    let mut loaded = Vec::new();
    let mut died = None;
    for result in side_by_side(read_packs(directories, settings)?, |(directory, pack)| load_pack(directory, pack, python, which))
    {
        let (pack, error) = result?;
        loaded.push(pack);
        died = error.or(died);
    }
    // One pack that keeps its worker from starting does not keep the others from running; when none starts, the
    // worker itself is to blame.
    match died {
        Some(error) if loaded.iter().all(|pack| pack.runnable.is_empty()) => Err(error),
        _ => Ok(loaded),
    }
}

fn load_pack(
    directory: PathBuf,
    mut pack: Pack,
    python: &Python,
    which: Which,
) -> Result<(LoadedPack, Option<RulesError>), RulesError> {
    let wanted: Vec<u16> =
        (0..=u16::MAX).zip(&pack.rules).filter(|(_, rule)| which == Which::All || rule.enabled).map(|(index, _)| index).collect();
    let failed = |error| RulesError::Load { pack: directory.display().to_string(), error };
    let loaded = match iota_python::load(&python.program, &pack, &wanted, python.cache.as_ref()) {
        Ok(loaded) => loaded,
        Err(LoadError::Start(StartError::Stopped)) => return Err(RulesError::Stopped),
        // Whose code says so cannot be known: the worker's own, or that of the pack. It is one pack's matter either way.
        Err(error @ LoadError::Start(StartError::Died { .. } | StartError::Refused(_))) => {
            // What it is, is only asked now: asking starts it once more.
            python.program.interpreter.check()?;
            pack.error("import-error", "", 0, None, format!("none of its rules run: {error}"));
            let loaded = Loaded { python: String::new(), rules: Vec::new(), warnings: Vec::new(), prepared: None };
            let error = failed(error);
            return Ok((LoadedPack { directory, pack, loaded, runnable: Vec::new() }, Some(error)));
        }
        Err(error) => return Err(failed(error)),
    };
    let runnable = note(&mut pack, &loaded);
    if which == Which::All && !pack.unusable.is_empty() {
        note_unusable(&mut pack, python)?;
    }
    Ok((LoadedPack { directory, pack, loaded, runnable }, None))
}

/// Adds what Python says of the rules to the problems of the pack. Returns the indices of those that run.
fn note(pack: &mut Pack, loaded: &Loaded) -> Vec<u16> {
    let mut runnable = Vec::new();
    for of_rule in &loaded.rules {
        let Some(rule) = pack.rules.get(usize::from(of_rule.index)).cloned() else { continue };
        let path = rule.path().to_owned();
        for warning in &of_rule.warnings {
            let path = warning.path.as_deref().unwrap_or(&path);
            pack.problem(Level::Warning, "python", path, warning.line.unwrap_or(0), Some(&rule.id), warning.message.clone());
        }
        match &of_rule.error {
            None => runnable.push(of_rule.index),
            // A file that nothing declares and that has no `rule` after all is a helper.
            Some(failure) if failure.r#type == "NoRuleFunction" && !rule.declared => {}
            Some(failure) => does_not_load(pack, &rule, failure),
        }
    }
    for warning in &loaded.warnings {
        let path = warning.path.clone().unwrap_or_default();
        pack.problem(Level::Warning, "python", &path, warning.line.unwrap_or(0), None, warning.message.clone());
    }
    runnable
}

/// Adds what Python says of the rules that do not run because of their metadata, so that all is told at once.
fn note_unusable(pack: &mut Pack, python: &Python) -> Result<(), RulesError> {
    let mut of_them = Pack { rules: pack.unusable.clone(), problems: Vec::new(), ..pack.clone() };
    let wanted: Vec<u16> = (0..=u16::MAX).zip(&of_them.rules).map(|(index, _)| index).collect();
    match iota_python::load(&python.program, &of_them, &wanted, None) {
        Ok(loaded) => _ = note(&mut of_them, &loaded),
        Err(LoadError::Start(StartError::Stopped)) => return Err(RulesError::Stopped),
        // Nothing more can be said of them; that they do not run is known.
        Err(_) => return Ok(()),
    }
    // What concerns the whole pack has been told.
    pack.problems.extend(of_them.problems.into_iter().filter(|problem| problem.rule_id.is_some()));
    Ok(())
}

fn does_not_load(pack: &mut Pack, rule: &Rule, failure: &Failure) {
    let code = load_code(&failure.r#type);
    let path = failure.path.as_deref().unwrap_or(rule.path());
    if failure.r#type == "ExpressionError" {
        for message in failure.message.lines() {
            let (path, line) = expression_place(pack, rule, message).unwrap_or_else(|| (path.to_owned(), 0));
            pack.error(code, &path, line, Some(&rule.id), message.to_owned());
        }
        return;
    }
    let message = match failure.r#type.as_str() {
        "NoRuleFunction" | "BadSignature" | "LoadError" | "ImportDied" => failure.message.clone(),
        kind => format!("{kind}: {}", failure.message),
    };
    pack.error(code, path, failure.line.unwrap_or(0), Some(&rule.id), message);
}

/// File and line of a match expression that is wrong: the message starts with the keys that lead to it in the metadata
/// of the rule, or of the one it is derived from.
fn expression_place(pack: &Pack, rule: &Rule, message: &str) -> Option<(String, u64)> {
    let (keys, _) = message.split_once(": ")?;
    let steps: Vec<Step<'_>> = keys
        .split(['.', '[', ']'])
        .filter(|key| !key.is_empty())
        .map(|key| key.parse().map_or(Step::Key(key), Step::Item))
        .collect();
    let files = [rule.metadata.as_deref(), rule.base.as_deref()];
    files.into_iter().flatten().find_map(|path| Some((path.to_owned(), yaml::line_at(pack.snapshot.get(path)?, &steps)?)))
}

fn load_code(kind: &str) -> &'static str {
    match kind {
        "NoRuleFunction" => "no-rule-function",
        "BadSignature" => "wrong-arity",
        "ExpressionError" => "bad-expression",
        "SyntaxError" | "IndentationError" | "TabError" => "syntax-error",
        _ => "import-error",
    }
}

/// Rule ids are unique over all packs: of two, the first runs.
fn unique_across(packs: &mut [(PathBuf, Pack)]) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (directory, pack) in packs {
        let mut repeated = Vec::new();
        for rule in &pack.rules {
            let place = rule.declaration();
            match seen.get(&rule.id) {
                Some(there) => repeated.push((rule.id.clone(), place.to_owned(), rule.line, there.clone())),
                None => {
                    seen.insert(rule.id.clone(), format!("{}/{place}", directory.display()));
                }
            }
        }
        for (id, path, line, there) in repeated {
            pack.unusable.extend(pack.rules.extract_if(.., |rule| rule.id == id));
            pack.error(
                "duplicate-id",
                &path,
                line,
                Some(&id),
                format!("rule id `{id}` is also used by {there}, which comes first; this one does not run"),
            );
        }
    }
}

fn apply_overrides(packs: &mut [(PathBuf, Pack)], settings: &Settings) {
    let ids: BTreeSet<String> = packs.iter().flat_map(|(_, pack)| &pack.rules).map(|rule| rule.id.clone()).collect();
    for rule in packs.iter_mut().flat_map(|(_, pack)| &mut pack.rules) {
        // A former id that another rule has now means that rule.
        let of_former = || settings.overrides.iter().find(|(id, _)| rule.is_called(id) && !ids.contains(*id));
        if let Some(values) = settings.overrides.get(&rule.id).or_else(|| of_former().map(|(_, values)| values)) {
            rule.enabled = values.enabled.unwrap_or(rule.enabled);
            rule.window_minutes = values.dedup_period_minutes.unwrap_or(rule.window_minutes);
            rule.threshold = values.threshold.unwrap_or(rule.threshold);
        }
    }
}

/// The configuration speaks of no pack or rule that is not there: neither among the packs in use nor, when only some are
/// tested or checked, in the other directories that it names itself.
fn nothing_unknown(packs: &[(PathBuf, Pack)], settings: &Settings) -> Result<(), RulesError> {
    if settings.packs.is_empty() && settings.overrides.is_empty() {
        return Ok(());
    }
    let used: Vec<&Path> = packs.iter().map(|(used, _)| used.as_path()).collect();
    let others = other_packs(&used, settings)?;
    let known: Vec<&Pack> = packs.iter().map(|(_, pack)| pack).chain(&others).collect();
    let names: Vec<&str> = known.iter().map(|pack| pack.name.as_str()).collect();
    let ids: Vec<&str> = known.iter().flat_map(|pack| pack.known_ids()).collect();
    let check = |key: &str, what: &str, word: &str, known: &[&str]| {
        if known.contains(&word) {
            return Ok(());
        }
        Err(RulesError::Pack(format!("{key}: there is no {what} `{word}`{}", did_you_mean(word, known.iter().copied()))))
    };
    settings.packs.keys().try_for_each(|name| check("packs", "pack", name, &names))?;
    settings.overrides.keys().try_for_each(|id| check("overrides", "rule", id, &ids))
}

/// The packs of the configuration that are not in use, as far as their files say.
pub(super) fn other_packs(used: &[&Path], settings: &Settings) -> Result<Vec<Pack>, RulesError> {
    let is_other = |directory: &&PathBuf| used.iter().all(|used| !is_same(used, directory));
    let read =
        |directory: &PathBuf| Ok(Pack::read(&directory_name(directory), read_snapshot(directory)?, env!("CARGO_PKG_VERSION")));
    settings.rules.value.iter().filter(is_other).map(read).collect()
}

fn is_same(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    canonical(one) == canonical(other)
}

fn directory_name(directory: &Path) -> String {
    let absolute = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    absolute.file_name().map_or_else(|| "rules".to_owned(), |name| name.to_string_lossy().into_owned())
}

impl Python {
    pub fn find(
        settings: &Settings,
        now_ms: Option<i64>,
        path_variable: Option<&std::ffi::OsStr>,
        cache: Option<PathBuf>,
    ) -> Result<Self, RulesError> {
        if let Some(engine) = settings.engine.value.as_ref().filter(|engine| !engine.is_file()) {
            return Err(RulesError::Pack(format!("engine: {} is not a file", engine.display())));
        }
        let program = Program {
            interpreter: Interpreter::find(&settings.python.value, path_variable)?,
            engine: settings.engine.value.clone(),
            sandbox: Sandbox::prepare(settings.sandbox.value)?,
            memory: settings.worker_memory.value,
            call_time: settings.rule_timeout.value,
            now_ms,
            stop: Arc::default(),
            counts: Arc::default(),
        };
        Ok(Self { program, cache: cache.map(LoadCache::new) })
    }
}
